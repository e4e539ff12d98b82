//! `dead-letters show`

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use super::list::state;
use super::text::{escape, show_bytes};
use crate::delivery::letters::{Letter, LetterId};
use crate::service::admin::output::{Cell, Tone, colours, say};
use crate::service::admin::time::show_utc;
use crate::service::admin::{AdminContext, AdminError};

/// Which letter to show, and how.
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// The letter, as `list` shows it, such as 0:17.
    #[arg(value_name = "P:O")]
    pub(super) letter: LetterId,
    /// The payload alone, byte by byte.
    #[arg(long)]
    pub(super) raw: bool,
}

impl ShowArgs {
    pub(super) async fn run(&self, context: &AdminContext) -> Result<ExitCode, AdminError> {
        let letter = context.letters()?.find(self.letter).await?;
        if self.raw {
            // A reader that has gone has seen enough.
            let mut out = std::io::stdout().lock();
            let _gone =
                out.write_all(letter.stored.value.as_deref().unwrap_or_default()).and_then(|()| out.flush());
        } else {
            say(&as_text(&letter, colours()));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// All that is known of a letter.
pub(super) fn as_text(letter: &Letter, colours: bool) -> String {
    let mut lines = vec![("letter", letter.id().to_string()), ("state", standing(letter))];
    lines.push(("died", show_utc(letter.stored.timestamp_ms)));
    if let Ok(parked) = &letter.parked {
        let origin = &parked.record.origin;
        lines.extend([
            ("sink", parked.sink.as_deref().map_or_else(|| "- (it came to none)".to_owned(), escape)),
            ("origin", escape(&origin.to_string())),
            ("its time", show_utc(parked.record.timestamp_ms)),
            ("tries", origin.attempt.to_string()),
            ("sent back", parked.redriven.to_string()),
            ("first", show_utc(parked.first_failure_ms)),
            ("last", show_utc(parked.last_failure_ms)),
        ]);
    }
    lines.extend([("class", letter.class().to_owned()), ("reason", escape(&letter.reason()))]);
    if letter.is_truncated() {
        lines.push(("truncated", "the end of the payload did not fit the log".to_owned()));
    }
    lines.push(("key", letter.stored.key.as_deref().map_or_else(|| "-".to_owned(), show_bytes)));
    let head = |text: &str| Cell::new(text, Tone::Head).show(colours);
    let pad = |name: &str| format!("{}{:2$}", head(name), "", 11 - name.len());
    let mut text: String = lines.iter().map(|(name, value)| format!("{}{value}\n", pad(name))).collect();
    text.push_str(&format!("\n{}\n", head("headers")));
    for (name, value) in letter.stored.headers.iter() {
        text.push_str(&format!("{}: {}\n", escape(name), show_bytes(value)));
    }
    let payload = match &letter.stored.value {
        None => format!("\n{}\n", head("no payload: a tombstone")),
        Some(value) => format!("\n{}\n{}\n", head(&format!("payload, {} bytes", value.len())), show_bytes(value)),
    };
    text + &payload
}

fn standing(letter: &Letter) -> String {
    let Some(mark) = &letter.mark else { return state(letter) };
    let reason = if mark.reason.is_empty() { String::new() } else { format!(": {}", escape(&mark.reason)) };
    format!("{} by {}, {}{reason}", state(letter), escape(&mark.who), show_utc(mark.when_ms))
}
