//! Bytes and texts of records, made fit for a terminal.

use std::io::IsTerminal;

use serde_json::{Value, json};

/// Bytes of one line of hexadecimal.
const LINE: usize = 32;
/// Columns of a terminal that does not say how many it has.
const COLUMNS: usize = 120;

/// The text with everything escaped that a terminal would act upon, or that is not seen.
pub(in crate::service::admin) fn escape(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        let unseen =
            matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
        if c.is_control() || unseen { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// Text, or lines of hexadecimal when it is none.
pub(super) fn show_bytes(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => escape(text),
        Err(_) => bytes.chunks(LINE).map(hex).collect::<Vec<_>>().join("\n"),
    }
}

/// A text, or an object that says that it is hexadecimal.
pub(super) fn bytes_as_json(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => json!({ "hex": hex(bytes).replace(' ', "") }),
    }
}

/// The text cut to so many characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// Columns that standard output has; none when it is no terminal.
pub(super) fn columns() -> Option<usize> {
    let said = || std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    std::io::stdout().is_terminal().then(|| said().unwrap_or(COLUMNS))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}
