//! What is told of a record.

use clap::Args;
use serde_json::json;

use crate::delivery::letters::MarkState;
use crate::guard::Clock;
use crate::service::admin::letters::escape;
use crate::service::admin::output::{Cell, Tone, colours, say};
use crate::service::admin::time::{show_ago, show_took, show_utc};
use crate::service::verify::{AtSink, Found, Letter, Verdict, Wait};

/// How records are shown.
#[derive(Debug, Clone, Args)]
pub struct WhereOutput {
    /// One JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Prints where records are: `{"records": […]}`, or a paragraph each.
pub fn show_found(found: &[Found], output: &WhereOutput) {
    if output.json {
        say(&json!({ "records": found }).to_string());
    } else {
        let now_ms = Clock::new().unix_ms();
        let texts: Vec<_> = found.iter().map(|found| as_text(found, now_ms, colours())).collect();
        say(&texts.join("\n"));
    }
}

/// All that is known of a record.
pub(super) fn as_text(found: &Found, now_ms: i64, colours: bool) -> String {
    let head = |text: String| Cell::new(text, Tone::Head).show(colours);
    let name = found.name.as_deref().map_or_else(|| "(undecodable)".to_owned(), escape);
    let mut text = format!("{}\n", head(name));
    let mut line = |name: &str, value: String| text.push_str(&format!("  {name:<11}{value}\n"));
    match found.log {
        Some(log) => {
            line("log", format!("{}:{}, {}", log.partition, log.offset, show_utc(log.time_ms)));
            let committed = found.committed == Some(true);
            line("group", if committed { "committed" } else { "not committed yet" }.to_owned());
        }
        None => line("log", "not found where it was looked for; --since looks further back".to_owned()),
    }
    if let Some(reason) = &found.undecodable {
        line("decoding", escape(reason));
    }
    for at in &found.sinks {
        let sink = at.sink.as_deref().unwrap_or("letters");
        line(sink, verdict(found, at, colours));
        at.waits.iter().for_each(|wait| line("", waits(wait, now_ms)));
        at.letters.iter().for_each(|one| line("", letter(one, now_ms)));
    }
    text
}

fn verdict(found: &Found, at: &AtSink, colours: bool) -> String {
    let Some(verdict) = at.verdict else { return "not there, and its place in the log is not known".to_owned() };
    let (tone, more) = match verdict {
        Verdict::Stored => (Tone::Plain, "this version"),
        Verdict::Newer => (Tone::Plain, "a newer version stands there"),
        Verdict::Expired => (Tone::Plain, "too old for a place there, or others are newer"),
        Verdict::Waiting => (Tone::Notable, "to be brought back"),
        Verdict::Dead => (Tone::Notable, "`dead-letters` shows it and sends it back"),
        Verdict::InFlight => (Tone::Notable, "not processed, or not committed yet"),
        Verdict::Skipped => (Tone::Notable, ""),
        Verdict::Missing => (Tone::Bad, "in no store, no retry topic and no dead letter"),
    };
    let skip = found.skip.as_ref().filter(|_| verdict == Verdict::Skipped).map(|skip| skip.by.to_string());
    let word = Cell::new(verdict.as_str(), tone).show(colours);
    format!("{word}, {}", skip.as_deref().map_or_else(|| more.to_owned(), escape))
}

fn waits(wait: &Wait, now_ms: i64) -> String {
    let due = match u64::try_from(wait.due_ms.saturating_sub(now_ms)) {
        _ if wait.due_ms == 0 => "as the sink takes rows".to_owned(),
        Ok(left @ 1..) => format!("due in {}", show_took(std::time::Duration::from_millis(left))),
        _ => "due now".to_owned(),
    };
    let Wait { queue, attempts, last_failure_ms, error, .. } = wait;
    format!("{queue}, {due}, {attempts} tries, last {}: {}", show_ago(now_ms, *last_failure_ms), escape(error))
}

fn letter(letter: &Letter, now_ms: i64) -> String {
    let mark = letter.mark.as_ref().map(|mark| {
        let done = match mark.state {
            MarkState::Redriven => "sent back",
            MarkState::Discarded => "discarded",
        };
        format!(", {done} {} by {}", show_ago(now_ms, mark.when_ms), escape(&mark.who))
    });
    let Letter { letter: id, class, reason, died_ms, .. } = letter;
    let (mark, ago) = (mark.unwrap_or_default(), show_ago(now_ms, *died_ms));
    format!("letter {id}, {class}, {ago}{mark}: {}", escape(reason))
}
