//! From text to a checked type.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::ConfigError;

/// Where the text comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// Text that the binary carries, under the name of the file it was made from.
    Embedded {
        /// Name for error messages.
        name: &'static str,
        /// The text.
        text: &'static str,
    },
}

impl Source {
    fn name(&self) -> String {
        match self {
            Source::File(path) => path.display().to_string(),
            Source::Embedded { name, .. } => (*name).to_owned(),
        }
    }

    fn text(&self) -> Result<String, ConfigError> {
        match self {
            Source::File(path) => read(path),
            Source::Embedded { text, .. } => Ok((*text).to_owned()),
        }
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { file: path.display().to_string(), source })
}

/// Reads a configuration, with `overrides` of the form `key.path=value` applied. A value is TOML; what is not TOML is
/// taken as text, so that `--set broker.kafka.bootstrap=host:9092` needs no quotes.
///
/// # Errors
/// The first [`ConfigError`] found.
pub fn load<T: DeserializeOwned>(source: &Source, overrides: &[String]) -> Result<T, ConfigError> {
    let file = source.name();
    let text = source.text()?;
    let mut table: Table = text.parse().map_err(|error| syntax(&file, &text, &error))?;
    for text in overrides {
        set(&mut table, text)?;
    }
    let overridden = |key: &str| overrides.iter().any(|text| text.split('=').next().is_some_and(|k| k == key));
    serde_path_to_error::deserialize(Value::Table(table)).map_err(|error| {
        let key = error.path().to_string();
        let key_error = explain(&error.into_inner().to_string());
        let key = key_error.unknown.as_ref().map_or(key.clone(), |name| join(&key, name));
        let file = if overridden(&key) { format!("--set {key}") } else { file };
        ConfigError::Key { file, key, reason: key_error.reason, nearest: key_error.nearest }
    })
}

/// Where and what, without the line itself: it may hold a secret.
fn syntax(file: &str, text: &str, error: &toml::de::Error) -> ConfigError {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let reason = format!("line {line}, column {column}: {}", error.message());
    ConfigError::Syntax { file: file.to_owned(), reason }
}

fn set(table: &mut Table, text: &str) -> Result<(), ConfigError> {
    // The key alone is shown: the value may be a secret.
    let shown = text.split('=').next().unwrap_or_default();
    let refuse = |reason: &str| ConfigError::Syntax { file: format!("--set {shown}"), reason: reason.to_owned() };
    let (key, value) = text.split_once('=').ok_or_else(|| refuse("expected key=value"))?;
    let value = format!("v = {value}")
        .parse::<Table>()
        .ok()
        .and_then(|mut table| table.remove("v"))
        .unwrap_or_else(|| Value::String(value.to_owned()));
    let mut parts: Vec<&str> = key.split('.').map(str::trim).collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err(refuse("the key has an empty part"));
    }
    let last = parts.pop().ok_or_else(|| refuse("expected key=value"))?;
    let mut at = table;
    for part in parts {
        let next = at.entry(part).or_insert_with(|| Value::Table(Table::new()));
        at = next.as_table_mut().ok_or_else(|| refuse(&format!("`{part}` holds a value, not a table")))?;
    }
    at.insert(last.to_owned(), value);
    Ok(())
}

struct KeyError {
    reason: String,
    unknown: Option<String>,
    nearest: Option<String>,
}

/// Finds the nearest valid name in what serde says of an unknown field or variant.
fn explain(message: &str) -> KeyError {
    let reason = message.lines().next().unwrap_or_default().to_owned();
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown_field = message.starts_with("unknown field");
    if !unknown_field && !message.starts_with("unknown variant") {
        return KeyError { reason, unknown: None, nearest: None };
    }
    let Some(given) = quoted.next() else {
        return KeyError { reason, unknown: None, nearest: None };
    };
    let nearest = quoted.min_by_key(|known| strsim::damerau_levenshtein(known, given)).map(str::to_owned);
    KeyError { reason, unknown: unknown_field.then(|| given.to_owned()), nearest }
}

/// serde reports an unknown field at its table or at itself, depending on the format.
fn join(path: &str, name: &str) -> String {
    if path.is_empty() || path == "." {
        return name.to_owned();
    }
    if path == name || path.ends_with(&format!(".{name}")) {
        return path.to_owned();
    }
    format!("{path}.{name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        inner: Inner,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        linger_ms: u64,
        kind: Kind,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Memory,
        Redis,
    }

    fn parse(text: &'static str, overrides: &[&str]) -> Result<Outer, String> {
        let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
        load(&Source::Embedded { name: "a.toml", text }, &overrides).map_err(|error| error.to_string())
    }

    const GOOD: &str = "[inner]\nlinger_ms = 5\nkind = 'memory'";

    #[test]
    fn values_come_from_the_text_and_overrides_win() {
        assert_eq!(parse(GOOD, &[]).unwrap().inner.linger_ms, 5);
        let set = parse(GOOD, &["inner.linger_ms=7", "inner.kind=redis"]).unwrap();
        assert_eq!(set.inner, Inner { linger_ms: 7, kind: Kind::Redis });
    }

    #[test]
    fn a_syntax_error_does_not_show_the_line() {
        let error = parse("[inner]\nkind = \"mysql://root:s3cret@host\nlinger_ms = 5", &[]).unwrap_err();
        assert!(error.starts_with("a.toml: line 2, column "), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
    }

    #[test]
    fn what_is_wrong_names_file_key_and_remedy() {
        let cases: [(&str, &[&str], &[&str]); 6] = [
            (
                "[inner]\nlinger_m = 5\nkind = 'memory'",
                &[],
                &["a.toml: inner.linger_m", "did you mean `linger_ms`?"],
            ),
            ("[inner]\nlinger_ms = 'x'\nkind = 'memory'", &[], &["a.toml: inner.linger_ms", "expected u64"]),
            ("[inner]\nlinger_ms = 5\nkind = 'memori'", &[], &["a.toml: inner.kind", "did you mean `memory`?"]),
            ("[inner\n", &[], &["a.toml: ", "line 1"]),
            (GOOD, &["inner.linger_ms=soon"], &["--set inner.linger_ms: inner.linger_ms", "expected u64"]),
            (GOOD, &["inner"], &["--set inner: expected key=value"]),
        ];
        for (text, overrides, expected) in cases {
            let error = parse(text, overrides).expect_err(text);
            for part in expected {
                assert!(error.contains(part), "`{error}` does not say `{part}`");
            }
        }
    }
}
