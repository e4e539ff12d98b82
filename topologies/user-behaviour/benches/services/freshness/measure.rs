//! The run, its figures, and the proof that both stores hold what was promised.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use squall::store::row::{Cell, Newest, Value};
use tokio::sync::mpsc::unbounded_channel;
use user_behaviour::schema::{RECENT, TABLE};
use user_behaviour::topology::Parts;

use super::stream::{Made, Plan, Stream};
use super::watch::{Seen, watch};
use crate::common::{number, wanted};
use crate::load::{Load, Outcome};
use crate::process::Process;
use crate::world::{Place, World};

const NAME: &str = "freshness";
/// Records a second: two billion a day.
const RATE: u64 = 23_150;
/// Records of a post, and samples a second.
const RECORDS: usize = 64;
const SAMPLES: u64 = 50;
/// Unless `BENCH_SECONDS` says otherwise.
const SECONDS: u64 = 60;
/// Before anything is measured, at a quarter of the rate.
const WARM_SECONDS: u64 = 4;
const CONNECTIONS: usize = 32;
/// How long the stores may take after the last answer to hold everything.
const PATIENCE: Duration = Duration::from_secs(300);
/// Users whose timelines are compared with their rows, and records of each.
const USERS: usize = 200;
const PAGE: usize = 100;

pub(crate) fn run(world: &mut World) {
    if !wanted(NAME) {
        return;
    }
    let posts = |seconds: u64| seconds * RATE / RECORDS as u64;
    let (seconds, warm) = (number("BENCH_SECONDS").unwrap_or(SECONDS).max(1), posts(WARM_SECONDS) / 4);
    let (posts, rate) = (warm + posts(seconds), RATE as f64 / RECORDS as f64);
    let plan = Plan { posts, warm, records: RECORDS, rate: RATE, sample_every: RATE / SAMPLES };
    let place = world.place(NAME);
    let parts = world.open(&place);
    let process = Process::ours("all,collector,query", &place.overrides());
    let (collector, query) = (process.address("collector").to_owned(), process.address("query").to_owned());
    let (answered, samples) = unbounded_channel();
    let (stream, making) = Stream::start(plan, answered);
    let stream = Arc::new(stream);
    let load = |requests| Load { connections: CONNECTIONS, requests };
    let watching = world.runtime.spawn(watch(samples, query, parts.rows.clone()));
    world.runtime.block_on(async {
        load(warm).open(&stream, &collector, rate / 4.0).await;
        let began = Instant::now();
        while behind(&parts, &place).await > 0 {
            assert!(began.elapsed() < PATIENCE, "what came before the measurement is not stored");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let before = world.cpu(&process);
    let outcome = world.runtime.block_on(load(posts - warm).open(&stream, &collector, rate));
    let after = world.cpu(&process);
    let ended = Instant::now();
    let cpu: Vec<_> = before.iter().zip(after).map(|((name, was), (_, is))| (*name, is - *was)).collect();
    let made = making.join().expect("the generator does not panic");
    assert_eq!(stream.promised(), posts * RECORDS as u64, "records that were answered 202");
    drop(stream);
    let (behind, drained, seen) = world.runtime.block_on(async {
        let behind = behind(&parts, &place).await;
        drain(&parts, &place, &made, ended).await;
        let drained = ended.elapsed();
        prove(&parts, &made).await;
        (behind, drained, watching.await.expect("right answers alone"))
    });
    process.stop();
    report(&plan, &outcome, &seen, &cpu, behind, drained);
}

/// Records that the group has not committed.
async fn behind(parts: &Parts, place: &Place) -> u64 {
    let bounds = parts.broker.bounds(&place.name).await.expect("Kafka answers");
    let committed = parts.broker.committed(&place.name, &place.name).await.expect("Kafka answers");
    bounds.iter().zip(committed).map(|(held, committed)| held.latest - committed.unwrap_or_default()).sum()
}

/// Waits until the group has committed everything, and MySQL has a row of every event.
async fn drain(parts: &Parts, place: &Place, made: &Made, since: Instant) {
    loop {
        let behind = behind(parts, place).await;
        // Counting is work for the server: not before it may be right.
        let rows = if behind == 0 { parts.rows.count().await.expect("MariaDB answers") } else { 0 };
        if rows == made.events {
            return;
        }
        let late = since.elapsed() > PATIENCE;
        assert!(!late, "{rows} rows of {} events, and {behind} records are not stored", made.events);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// MySQL has as many rows as there were events; that Redis has the same users, and of many of them the same newest records.
async fn prove(parts: &Parts, made: &Made) {
    let owners = parts.timelines.owners().await.expect("Redis answers");
    assert_eq!(owners, made.users.len() as u64, "users in Redis");
    let index = format!("{TABLE}_{RECENT}");
    for user in made.users.iter().take(USERS) {
        let page = Newest { index: &index, equal: &[Cell::Text(user)], only: None, before: None, limit: PAGE };
        let rows = parts.rows.newest(&page).await.expect("MariaDB answers");
        let rows: Vec<_> = rows.iter().map(|row| place_of(row)).collect();
        let held = parts.timelines.timeline(user, None, PAGE).await.expect("Redis answers");
        let held: Vec<_> = held.into_iter().map(|entry| (entry.at_ms, entry.id)).collect();
        assert_eq!(held, rows, "timelines of {user}, and its rows");
    }
}

fn place_of(row: &[Value]) -> (i64, String) {
    match row {
        [_, Value::Text(id), Value::Int(at_ms), ..] => (*at_ms, id.clone()),
        _ => panic!("not a row of the table: {row:?}"),
    }
}

fn report(
    plan: &Plan,
    outcome: &Outcome,
    seen: &Seen,
    cpu: &[(&'static str, Duration)],
    behind: u64,
    drained: Duration,
) {
    let records = (plan.posts - plan.warm) * plan.records as u64;
    let seconds = outcome.took.as_secs_f64();
    let reached = records as f64 / seconds;
    let cores: Vec<_> = cpu.iter().map(|(name, used)| (*name, used.as_secs_f64() / seconds)).collect();
    eprintln!(
        "{NAME}: {RATE} records/s wanted, {reached:.0}/s reached for {seconds:.1} s, {} samples",
        seen.readable.count()
    );
    eprintln!("  due → answered            {}", outcome.latencies.text());
    eprintln!("  answered → query shows it {}", seen.readable.text());
    eprintln!("  answered → row in MySQL   {}", seen.in_rows.text());
    eprintln!("  {} given up; {behind} not committed at the end, all stored {drained:.1?} later", seen.unseen);
    eprintln!("  {} looks, {} refused; CPU {}", seen.looks, seen.refused, text(&cores));
    let cores: serde_json::Map<_, _> =
        cores.iter().map(|(name, cores)| ((*name).to_owned(), json!((cores * 100.0).round() / 100.0))).collect();
    let line = json!({
        "bench": NAME,
        "records_per_s": RATE,
        "reached_per_s": reached.round(),
        "seconds": seconds.round(),
        "records": records,
        "due_to_answered_ms": outcome.latencies.json(),
        "answered_to_readable_ms": seen.readable.json(),
        "answered_to_row_ms": seen.in_rows.json(),
        "samples": seen.readable.count(),
        "given_up": seen.unseen,
        "looks": seen.looks,
        "looks_refused": seen.refused,
        "not_committed_at_end": behind,
        "all_stored_after_s": (drained.as_secs_f64() * 10.0).round() / 10.0,
        "cpu_cores": cores,
    });
    println!("{line}");
}

fn text(cores: &[(&'static str, f64)]) -> String {
    let each: Vec<_> = cores.iter().map(|(name, cores)| format!("{name} {cores:.2}")).collect();
    format!("{} cores", each.join(", "))
}
