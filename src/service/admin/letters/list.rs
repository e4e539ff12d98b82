//! `dead-letters list`

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::FilterArgs;
use super::text::{bytes_as_json, columns, cut, escape};
use crate::delivery::letters::{Letter, Listing, Tally};
use crate::guard::Clock;
use crate::service::admin::output::{Cell, Table, Tone, colours, say};
use crate::service::admin::time::show_ago;
use crate::service::admin::{AdminContext, AdminError};

/// The least that is left of a reason, however narrow the terminal is.
const SHORTEST: usize = 20;

/// Which letters to list, and how.
#[derive(Debug, Clone, Args)]
pub struct LettersListArgs {
    #[command(flatten)]
    pub(super) filter: FilterArgs,
    /// How many letters to show; the newest, all are counted.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) limit: u32,
    /// Also those that were sent back or discarded.
    #[arg(long)]
    pub(super) all: bool,
    /// One JSON object instead of a table.
    #[arg(long)]
    pub(super) json: bool,
}

impl LettersListArgs {
    pub(super) async fn run(&self, context: &AdminContext) -> Result<ExitCode, AdminError> {
        let now_ms = Clock::new().unix_ms();
        let filter = self.filter.filter(now_ms, self.all);
        let listing = context.letters()?.list(&filter, self.limit as usize).await?;
        if self.json {
            say(&as_json(&listing).to_string());
        } else if listing.total() == 0 {
            let open = if self.all { "" } else { "open " };
            let like = if filter.is_everything() { "" } else { " is like that" };
            say(&format!("no {open}dead letter of `{}`{like}", context.topology));
        } else {
            say(&as_text(&listing, now_ms, columns(), colours()));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The letters, then how many there are.
pub(super) fn as_text(listing: &Listing, now_ms: i64, columns: Option<usize>, colours: bool) -> String {
    let head = ["LETTER", "STATE", "SINK", "CLASS", "ORIGIN", "TRIES", "SENT BACK", "FIRST", "LAST", "REASON"];
    let rows: Vec<[String; 10]> = listing.letters.iter().map(|letter| row(letter, now_ms)).collect();
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).chain([head[at].len()]).max();
    let others: usize = (0..head.len() - 1).filter_map(width).map(|width| width + 2).sum();
    let longest = columns.map_or(usize::MAX, |columns| columns.saturating_sub(others).max(SHORTEST));
    let mut table = Table::new(head);
    for mut row in rows {
        row[9] = cut(&row[9], longest);
        table.row(row.map(Cell::from));
    }
    let mut text = table.show(colours);
    let (shown, total) = (listing.letters.len() as u64, listing.total());
    if shown < total {
        text.push_str(&format!("and {} older; --limit shows more\n", total - shown));
    }
    format!("{text}\n{}", tally(&listing.tally).show(colours))
}

/// How many letters of each sink and class.
pub(super) fn tally(tally: &Tally) -> Table<3> {
    let mut table = Table::new(["SINK", "CLASS", "LETTERS"]);
    for ((sink, class), count) in tally {
        table.row([sink_name(sink).into(), (*class).into(), count.to_string().into()]);
    }
    if tally.len() > 1 {
        let total = tally.values().sum::<u64>().to_string();
        table.row([Cell::new("all", Tone::Head), Cell::default(), Cell::new(total, Tone::Head)]);
    }
    table
}

pub(super) fn tally_as_json(tally: &Tally) -> Value {
    let entry = |((sink, class), count): (&(String, &str), &u64)| json!({ "sink": some(sink), "class": class, "letters": count });
    tally.iter().map(entry).collect()
}

/// `open`, or what was done last, and how often anything was.
pub(super) fn state(letter: &Letter) -> String {
    match &letter.mark {
        None => "open".to_owned(),
        Some(mark) if mark.times > 1 => format!("{} ({} times)", mark.state.as_str(), mark.times),
        Some(mark) => mark.state.as_str().to_owned(),
    }
}

fn row(letter: &Letter, now_ms: i64) -> [String; 10] {
    let parked = letter.parked.as_ref().ok();
    let ago = |ms: Option<i64>| ms.map(|ms| show_ago(now_ms, ms)).unwrap_or_default();
    [
        letter.id().to_string(),
        state(letter),
        sink_name(letter.sink().unwrap_or_default()),
        letter.class().to_owned(),
        parked.map(|parked| escape(&parked.record.origin.to_string())).unwrap_or_default(),
        parked.map(|parked| parked.record.origin.attempt.to_string()).unwrap_or_default(),
        letter.redriven().to_string(),
        ago(parked.map(|parked| parked.first_failure_ms)),
        ago(parked.map(|parked| parked.last_failure_ms)),
        escape(&letter.reason()),
    ]
}

pub(super) fn as_json(listing: &Listing) -> Value {
    json!({
        "letters": listing.letters.iter().map(letter_as_json).collect::<Vec<_>>(),
        "shown": listing.letters.len(),
        "total": listing.total(),
        "summary": tally_as_json(&listing.tally),
    })
}

fn letter_as_json(letter: &Letter) -> Value {
    let parked = letter.parked.as_ref().ok();
    let origin = parked.map(|parked| &parked.record.origin);
    json!({
        "letter": letter.id().to_string(),
        "died_ms": letter.stored.timestamp_ms,
        "sink": letter.sink(),
        "class": letter.class(),
        "reason": letter.reason(),
        "origin": origin.map(|of| json!({ "topic": *of.topic, "partition": of.partition, "offset": of.offset })),
        "attempts": origin.map(|origin| origin.attempt),
        "redriven": letter.redriven(),
        "first_failure_ms": parked.map(|parked| parked.first_failure_ms),
        "last_failure_ms": parked.map(|parked| parked.last_failure_ms),
        "key": letter.stored.key.as_deref().map(bytes_as_json),
        "truncated": letter.is_truncated(),
        "mark": letter.mark,
    })
}

fn sink_name(sink: &str) -> String {
    some(sink).map_or_else(|| "-".to_owned(), escape)
}

fn some(sink: &str) -> Option<&str> {
    Some(sink).filter(|sink| !sink.is_empty())
}
