//! The collector's spill on the full disk: what it acknowledged comes out of it again, what it did not it has refused.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, ExitCode};

use serde_json::{Value, json};
use squall::broker::Append;
use squall::guard::Clock;
use squall::service::spill::{Spill, SpillSettings};

use super::{Disk, PATIENCE, on_full_disk};
use crate::outcome::Outcome;

/// Larger than any small disk: here the disk is the bound.
const MAX_BYTES: u64 = 1 << 32;
/// Records of an append, and bytes of one.
const BATCH: u64 = 20;
const BYTES: usize = 4_000;
/// Appends that no small disk holds.
const APPENDS: u64 = 4_000;
/// Records that are read at a time.
const RUN: usize = 500;

fn settings(dir: &Path) -> SpillSettings {
    SpillSettings { max_bytes: MAX_BYTES, ..SpillSettings::new(dir.join("spill")) }
}

/// Appends under `dir` until the disk takes no more, and a few times after that; prints which were acknowledged, and the
/// first error. It ends without closing, as a kill does.
pub(crate) async fn fill(dir: &Path) -> ExitCode {
    let (spill, _reader) = Spill::open(settings(dir), Clock::wall()).await.unwrap();
    let (mut acknowledged, mut refused, mut failure) = (Vec::new(), 0, None);
    for append in 0..APPENDS {
        let record = |n| Append { value: Some(text(append * BATCH + n).into()), ..Append::default() };
        match spill.append("behaviour", (0..BATCH).map(record).collect()).await {
            Ok(()) => acknowledged.push(append),
            Err(error) => {
                failure.get_or_insert(error.to_string());
                refused += 1;
            }
        }
        if refused == 5 {
            break;
        }
    }
    println!("{}", json!({ "acknowledged": acknowledged, "refused": refused, "error": failure }));
    ExitCode::SUCCESS
}

fn text(n: u64) -> String {
    format!("{n:0width$}", width = BYTES)
}

/// Fills a spill in a process of its own.
pub(super) fn fill_up(disk: Disk, dir: &Path, outcome: &mut Outcome) -> Value {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("--fill-spill").arg(dir);
    let output = on_full_disk(disk, command);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let told: Value = told.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default();
    let acknowledged = told["acknowledged"].as_array().map_or(0, Vec::len);
    outcome.fault(acknowledged > 0 && told["error"].is_string());
    outcome.set("spill_acknowledged", acknowledged as u64 * BATCH);
    outcome.set("spill_error", told["error"].clone());
    let clear = told["error"].as_str().is_some_and(|error| disk.explains(error));
    outcome.demand(clear, format!("an append to the spill on a full disk says {}", told["error"]));
    told
}

/// With room again: everything that was acknowledged is there, in its order, and the spill takes records.
pub(super) async fn reckon(dir: &Path, told: &Value, outcome: &mut Outcome) {
    let acknowledged: BTreeSet<u64> =
        told["acknowledged"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    let opened = tokio::time::timeout(PATIENCE, Spill::open(settings(dir), Clock::wall())).await.unwrap();
    let (spill, mut reader) = opened.unwrap();
    let more = vec![Append { value: Some(text(APPENDS * BATCH).into()), ..Append::default() }];
    outcome.demand(spill.append("behaviour", more).await.is_ok(), "with room again the spill takes nothing");
    let mut found: Vec<u64> = Vec::new();
    while let Some(run) = reader.next(RUN).await.unwrap() {
        found.extend(run.records.iter().filter_map(|record| {
            let value = record.value.as_ref()?;
            std::str::from_utf8(value).ok()?.parse::<u64>().ok()
        }));
        reader.done(run).await;
    }
    spill.close().await;
    let there: BTreeSet<u64> = found.iter().copied().collect();
    let wanted = acknowledged.iter().flat_map(|append| append * BATCH..(append + 1) * BATCH);
    let lost = wanted.filter(|n| !there.contains(n)).count();
    outcome.set("spill_lost", lost);
    outcome.demand(lost == 0, format!("{lost} records that the spill acknowledged are lost"));
    outcome.demand(found.is_sorted(), "records of the spill come out in another order");
    outcome.demand(there.contains(&(APPENDS * BATCH)), "what came with room again is lost");
}
