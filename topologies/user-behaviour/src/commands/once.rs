//! `run --once`: a file, from end to end.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde::Serialize;
use squall::broker::Broker;
use squall::delivery::Pending;
use squall::runtime::{Latency, Report};
use squall::service::http::metrics::Exporter;

use super::cli::{Once, ReportFormat};
use super::load::load;
use super::reconcile::reconcile;
use super::run::{conclude_all, plain, work};
use super::{Failure, topology};
use crate::format::find;
use crate::open::{open, open_control};
use crate::settings::Config;
use crate::topology::Handles;

/// How often it is looked whether something waits to be brought back.
const LOOK: Duration = Duration::from_millis(100);

/// What `--report json` prints.
#[derive(Debug, Serialize)]
struct Summary {
    read: u64,
    decoded: u64,
    dead_letters: u64,
    rows_stored: u64,
    timeline_users: u64,
    missing: u64,
    /// Records that decode and made no new row: they repeat one of the file, or one that was stored before.
    duplicates_suppressed: u64,
    elapsed_ms: u64,
    records_per_s: u64,
    latency_ms: LatencyMs,
}

/// From pulled to stored by every sink.
#[derive(Debug, Serialize)]
struct LatencyMs {
    p50: f64,
    p99: f64,
    max: f64,
}

/// Loads the file, runs to the end of the log, reconciles, reports.
pub(super) async fn once(config: &Config, data_dir: &Path, once: &Once) -> Result<ExitCode, Failure> {
    let format = find(once.format.as_deref().unwrap_or(&config.format))?;
    let parts = open(config, data_dir).await.map_err(plain)?;
    let control = open_control(config, parts.broker.clone(), data_dir, "all").await;
    let began = Instant::now();
    let rows_before = parts.rows.count().await?;
    let dead_before = records_in(&*parts.broker, &config.source.dead_letters).await?;
    let loaded = load(&once.input, format, &*parts.broker.producer()?, &config.source.topic).await?;

    let mut wiring = config.wiring(Handles::of(&control, &config.source)).map_err(plain)?;
    wiring.source.bounded = true;
    let built = topology::build(&parts, wiring)?;
    let come_back = nothing_waits(built.pending.clone(), config.run.drain());
    let reports = work(config, built, &Exporter::new(), come_back).await?;
    let report = &reports[0];
    control.close().await;
    parts.timelines.flush().await?;
    let elapsed = began.elapsed();

    let dead_letters = records_in(&*parts.broker, &config.source.dead_letters).await? - dead_before;
    let new_rows = parts.rows.count().await?.saturating_sub(rows_before);
    let found = reconcile(&parts, &loaded).await?;
    let elapsed_ms = elapsed.as_millis() as u64;
    let summary = Summary {
        read: loaded.read,
        decoded: loaded.decoded,
        dead_letters,
        rows_stored: found.rows,
        timeline_users: found.users,
        missing: found.missing,
        duplicates_suppressed: loaded.decoded.saturating_sub(new_rows),
        elapsed_ms,
        records_per_s: loaded.read * 1000 / elapsed_ms.max(1),
        latency_ms: latency_ms(report),
    };
    print(&summary, once.report)?;
    let code = conclude_all(&reports);
    let complete = summary.missing == 0 && summary.read <= summary.decoded + summary.dead_letters;
    if !complete {
        eprintln!("error: not every record is accounted for");
        return Ok(ExitCode::FAILURE);
    }
    Ok(code)
}

fn latency_ms(report: &Report) -> LatencyMs {
    let latency = report.snapshot.spouts.first().map_or(Latency::default(), |spout| spout.complete);
    let ms = |ns: u64| (ns as f64 / 1e4).round() / 100.0;
    LatencyMs { p50: ms(latency.p50_ns), p99: ms(latency.p99_ns), max: ms(latency.max_ns) }
}

fn print(summary: &Summary, format: ReportFormat) -> Result<(), Failure> {
    if format == ReportFormat::Json {
        say!("{}", serde_json::to_string(summary)?);
        return Ok(());
    }
    let (bold, plain) = if std::io::stdout().is_terminal() { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    let Summary { read, decoded, dead_letters, rows_stored, timeline_users, missing, .. } = summary;
    say!("{bold}read{plain}                   {read}");
    say!("{bold}decoded{plain}                {decoded}");
    say!("{bold}dead letters{plain}           {dead_letters}");
    say!("{bold}rows stored{plain}            {rows_stored} distinct records");
    say!("{bold}duplicates suppressed{plain}  {}", summary.duplicates_suppressed);
    say!("{bold}timelines{plain}              {timeline_users} users");
    say!("{bold}missing{plain}                {missing}");
    say!("{bold}elapsed{plain}                {} ms, {} records/s", summary.elapsed_ms, summary.records_per_s);
    let LatencyMs { p50, p99, max } = &summary.latency_ms;
    say!("{bold}latency{plain}                p50 {p50} ms, p99 {p99} ms, max {max} ms from pulled to stored");
    Ok(())
}

/// Waits until what failed has been brought back, or as long as a drain may take.
async fn nothing_waits(pending: Pending, patience: Duration) {
    let brought_back = async {
        while pending.records().await.is_ok_and(|waiting| waiting > 0) {
            tokio::time::sleep(LOOK).await;
        }
    };
    // What still waits then is missing in the report.
    let _patience = tokio::time::timeout(patience, brought_back).await;
}

/// Records that a topic ever held.
async fn records_in(broker: &dyn Broker, topic: &str) -> Result<u64, Failure> {
    Ok(broker.bounds(topic).await?.iter().map(|bounds| bounds.latest).sum())
}
