//! Values that must not be shown.

use std::fmt;

use serde::{Deserialize, Deserializer};

/// A text that `Debug` hides. In a configuration it is the text itself, `env:NAME` for an environment variable, or
/// `file:PATH` for the contents of a file without the line end.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text, for the one who connects with it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn resolve(text: &str) -> Result<Self, String> {
        if let Some(name) = text.strip_prefix("env:") {
            let value = std::env::var(name).map_err(|_| format!("environment variable `{name}` is not set"))?;
            return Ok(Self(value));
        }
        if let Some(path) = text.strip_prefix("file:") {
            let value = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
            return Ok(Self(value.trim_end_matches(['\r', '\n']).to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::resolve(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_from_text_file_or_environment_and_is_never_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "from-file\n").unwrap();
        let from_file = Secret::resolve(&format!("file:{}", file.path().display())).unwrap();
        assert_eq!(from_file.expose(), "from-file");
        assert_eq!(Secret::resolve("plain").unwrap().expose(), "plain");
        let home = std::env::var("PATH").unwrap();
        assert_eq!(Secret::resolve("env:PATH").unwrap().expose(), home);
        let missing = Secret::resolve("env:SQUALL_SURELY_NOT_SET").unwrap_err();
        assert!(missing.contains("SQUALL_SURELY_NOT_SET"), "{missing}");
        assert_eq!(format!("{from_file:?}"), "***");
    }
}
