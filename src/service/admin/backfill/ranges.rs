//! Ranges that are given one by one.

use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use crate::control::backfill::{Job, Range};
use crate::service::admin::{AdminContext, AdminError};

/// Audit records among which a seek is looked for.
const AUDIT: usize = 100_000;

/// Reads the ranges of a file: one JSON object a line, `{"partition":0,"from":17,"to":19}`. `-` is standard input.
pub(super) fn ranges_in(path: &Path) -> Result<Vec<Range>, AdminError> {
    let name = path.display();
    let text = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    let text = text.map_err(|error| AdminError::Invalid(format!("--ranges {name}: {error}")))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let range = |(at, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| {
            AdminError::Invalid(format!(
                "--ranges {name}, line {}: {error}; a line is {{\"partition\":0,\"from\":17,\"to\":19}}",
                at + 1
            ))
        })
    };
    let ranges: Vec<Range> = lines.map(range).collect::<Result<_, _>>()?;
    if ranges.is_empty() {
        return Err(AdminError::Invalid(format!("--ranges {name}: there is no range in it; nothing is missing")));
    }
    Ok(ranges)
}

/// What a seek says in the audit.
#[derive(Deserialize)]
struct Sought {
    number: u64,
    moves: Vec<Skipped>,
}

#[derive(Deserialize)]
struct Skipped {
    partition: u32,
    to: u64,
    skipped: u64,
}

/// What a seek has skipped, as the audit has it; or what a skip has, as its job has it.
pub(super) async fn skipped_by(context: &AdminContext, number: u64) -> Result<Vec<Range>, AdminError> {
    let jobs = context.backfills().list().await?.into_iter().map(|status| status.job);
    let skip = |job: &Job| job.sends.as_ref().is_some_and(|seek| seek.number == number);
    if let Some(job) = jobs.into_iter().find(skip) {
        return Ok(job.ranges);
    }
    let audit = context.operator().audit(AUDIT).await?;
    let seeks = audit.into_iter().filter(|record| record.action == "seek");
    let sought = seeks.filter_map(|record| serde_json::from_value::<Sought>(record.details).ok());
    let Some(sought) = sought.into_iter().find(|sought| sought.number == number) else {
        return Err(AdminError::UnknownName(format!(
            "no seek or skip of `{}` has the number {number}; `audit list` tells that of a seek, \
             `backfill show` that of a skip",
            context.topology
        )));
    };
    let skipped = |m: &Skipped| Range { partition: m.partition, from: m.to - m.skipped.min(m.to), to: m.to };
    let ranges: Vec<Range> = sought.moves.iter().filter(|m| m.skipped > 0).map(skipped).collect();
    if ranges.is_empty() {
        return Err(AdminError::Refused(format!("seek {number} has skipped nothing")));
    }
    Ok(ranges)
}
