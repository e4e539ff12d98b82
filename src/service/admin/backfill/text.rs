//! Jobs as people and programs read them.

use serde_json::{Value, json};

use crate::control::backfill::{Job, Range, State, Status};
use crate::service::admin::output::{Cell, Table, Tone};
use crate::service::admin::time::{show_ago, show_utc};

pub(super) fn table(jobs: &[Status]) -> Table<8> {
    let mut table = Table::new(["JOB", "STATE", "DONE", "RECORDS", "RATE", "LEFT", "WORKERS", "REASON"]);
    for status in jobs {
        table.row([
            (&status.job.id).into(),
            state(status),
            percent(status).into(),
            status.total.to_string().into(),
            rate(status).into(),
            left(status).into(),
            status.held.len().to_string().into(),
            (&status.job.reason).into(),
        ]);
    }
    table
}

/// All of one job.
pub(super) fn details(status: &Status, now_ms: i64, colours: bool) -> String {
    let job = &status.job;
    let mut lines = vec![
        format!(
            "{} is {}: {} of {} records ({}), {} of {} chunks",
            job.id,
            state(status).show(colours),
            status.done,
            status.total,
            percent(status),
            status.chunks_done,
            status.chunks
        ),
        format!("  {} by {}{}", show_utc(job.when_ms), job.who, reason(job)),
    ];
    lines.extend(paused(status).map(|text| Cell::new(format!("  {text}"), Tone::Notable).show(colours)));
    lines.extend(plan_as_text(job).lines().map(ToOwned::to_owned));
    if status.rate.is_some() {
        lines.push(format!("  {} now, {} left", rate(status), left(status)));
    }
    if let Some(ms) = status.finished_ms {
        lines.push(format!("  finished {}", show_utc(ms)));
    }
    for holder in &status.held {
        let heard = show_ago(now_ms, holder.renewed_ms);
        let over = if holder.is_over { ", its lease is over" } else { "" };
        lines.push(format!(
            "  {} at {}, is at {}, heard of {heard}{over}",
            holder.worker, holder.range, holder.next
        ));
    }
    for lost in &status.lost {
        let text = format!("  lost {lost}: deleted by retention before it was read");
        lines.push(Cell::new(text, Tone::Bad).show(colours));
    }
    lines.join("\n")
}

/// What a job is to do.
pub(super) fn plan_as_text(job: &Job) -> String {
    let chunks = job.chunks().len();
    let mut text = format!("  {} records of {} in {chunks} chunks\n", job.total(), job.topic);
    for range in &job.ranges {
        text.push_str(&format!("    {range}\n"));
    }
    let mut bounds = vec![format!("share {}", job.share)];
    bounds.extend(job.rate.map(|rate| format!("at most {rate}/s")));
    bounds.extend(job.workers.map(|workers| format!("at most {workers} workers")));
    bounds.extend((!job.only_sinks.is_empty()).then(|| format!("only {}", job.only_sinks.join(", "))));
    bounds.extend(job.runner.as_ref().map(|runner| format!("for runner {runner}")));
    bounds.extend(job.skip.as_ref().map(|spout| match &job.sends {
        Some(seek) => format!("skipped by {spout} (number {})", seek.number),
        None => format!("skipped by {spout}"),
    }));
    text.push_str(&format!("  {}", bounds.join(", ")));
    text
}

pub(super) fn plan_as_json(job: &Job, dry_run: bool) -> Value {
    json!({ "dry_run": dry_run, "job": job, "total": job.total(), "chunks": job.chunks().len() })
}

/// One line, while a job is watched.
pub(super) fn line(status: &Status) -> String {
    format!(
        "{} {}: {} of {} records ({}), {}, {} left, {} workers{}",
        status.job.id,
        status.state.as_str(),
        status.done,
        status.total,
        percent(status),
        rate(status),
        left(status),
        status.held.len(),
        trouble(status)
    )
}

/// What stands before a bar, which shows the rest.
pub(super) fn label(status: &Status) -> String {
    format!("backfilled{}", trouble(status))
}

/// What a job has lost, and why it rests.
fn trouble(status: &Status) -> String {
    let lost: u64 = status.lost.iter().map(Range::len).sum();
    let mut text = if lost > 0 { format!(", {lost} lost") } else { String::new() };
    text.extend(paused(status).map(|paused| format!(", {paused}")));
    text
}

fn state(status: &Status) -> Cell {
    let tone = match status.state {
        State::Finished if status.lost.is_empty() => Tone::Plain,
        State::Finished | State::Cancelled => Tone::Bad,
        State::Paused => Tone::Notable,
        State::Running => Tone::Plain,
    };
    Cell::new(status.state.as_str(), tone)
}

fn percent(status: &Status) -> String {
    // Rounded down: 100 % is the end, not almost.
    format!("{}%", u128::from(status.done) * 100 / u128::from(status.total.max(1)))
}

fn rate(status: &Status) -> String {
    status.rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.0}/s"))
}

pub(super) fn left(status: &Status) -> String {
    match status.remaining_s {
        None => "-".to_owned(),
        Some(seconds @ 0..120) => format!("{seconds} s"),
        Some(seconds @ 120..7_200) => format!("{} min", seconds / 60),
        Some(seconds) => format!("{} h", seconds / 3_600),
    }
}

/// By whom it is paused, and why.
fn paused(status: &Status) -> Option<String> {
    let pause = status.paused.as_ref()?;
    let reason = if pause.reason.is_empty() { String::new() } else { format!(": {}", pause.reason) };
    Some(format!("paused {} by {}{reason}", show_utc(pause.at_ms), pause.who))
}

fn reason(job: &Job) -> String {
    if job.reason.is_empty() { String::new() } else { format!(": {}", job.reason) }
}
