//! A report for people.

use std::path::Path;

use crate::service::admin::letters::escape;
use crate::service::admin::output::{Cell, Table, Tone};
use crate::service::verify::{Report, Tally, Verdict};

/// The verdicts by sink, then the first records that are missing.
pub(super) fn as_text(report: &Report, file: Option<&Path>, colours: bool) -> String {
    let mut table =
        Table::new(["SINK", "STORED", "NEWER", "EXPIRED", "WAITING", "DEAD", "IN FLIGHT", "SKIPPED", "MISSING"]);
    for sink in &report.sinks {
        table.row(row(&sink.sink, &sink.tally));
    }
    if report.undecodable.total() > 0 {
        table.row(row("(undecodable)", &report.undecodable));
    }
    let range = |(range, _): &(crate::service::verify::Range, u64)| {
        format!("{}:{}..{}", range.partition, range.from, range.to)
    };
    let ranges: Vec<_> = report.ranges.iter().map(range).collect();
    let kind = if report.sample.is_some() { "sampled" } else { "records" };
    let mut text = table.show(colours);
    text.push_str(&format!("\n{} {kind} of {}, {}\n", report.records, report.topic, ranges.join(" ")));
    if report.missing == 0 {
        text.push_str("nothing is missing");
        return text;
    }
    let bad = |text: String| Cell::new(text, Tone::Bad).show(colours);
    text.push_str(&bad(format!("{} missing", report.missing)));
    text.push_str("\n\n");
    text.push_str(&missing(report).show(colours));
    let more = report.missing - report.first_missing.len() as u64;
    match file {
        Some(file) => {
            text.push_str(&format!("all are in {}; `backfill create --ranges` takes it\n", file.display()))
        }
        None if more > 0 => text.push_str(&format!("and {more} more; --missing FILE writes all of them\n")),
        None => {}
    }
    text
}

fn row(name: &str, tally: &Tally) -> [Cell; 9] {
    let count = |verdict: Verdict| {
        let tone = match (verdict, tally.of(verdict)) {
            (_, 0) => Tone::Plain,
            (Verdict::Missing, _) => Tone::Bad,
            (Verdict::Waiting | Verdict::Dead | Verdict::InFlight | Verdict::Skipped, _) => Tone::Notable,
            (Verdict::Stored | Verdict::Newer | Verdict::Expired, _) => Tone::Plain,
        };
        Cell::new(tally.of(verdict).to_string(), tone)
    };
    let [a, b, c, d, e, f, g, h] = Verdict::ALL.map(count);
    [name.into(), a, b, c, d, e, f, g, h]
}

fn missing(report: &Report) -> Table<3> {
    let mut table = Table::new(["OFFSET", "MISSING IN", "RECORD"]);
    for missing in &report.first_missing {
        let sinks = match missing.sinks.is_empty() {
            true => "dead letters (it does not decode)".to_owned(),
            false => missing.sinks.join(", "),
        };
        table.row([
            format!("{}:{}", missing.partition, missing.offset).into(),
            sinks.into(),
            escape(&missing.name).into(),
        ]);
    }
    table
}
