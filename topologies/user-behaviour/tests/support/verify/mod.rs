//! Reads the log and the stores, and says what is missing, stale or too much.
//!
//! Independent of how records were written: it decodes the log itself and computes, by the rules of the stores, what
//! must stand there: for every key the newest version with exactly that content, for every user and business the newest
//! 200 within 90 days, for every user the counts of the last 30 days; and for every record that does not decode one
//! dead letter with its bytes. What is missing in a store is lost unless it waits in a retry topic of that store.
//!
//! The command `verify` is run over the same state, and must agree: what it leaves to this checker is contents, exact
//! timelines and profiles, and what is there too much.

pub(crate) mod demand;
mod letters;
pub(crate) mod product;
mod rows;
mod timelines;
mod verdict;
pub(crate) mod waiting;

pub(crate) use verdict::Verdict;

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use squall::broker::{Broker, LogRecord};
use user_behaviour::open::open_timelines;
use user_behaviour::settings::Config;

use demand::{Seen, demand};

/// Checks everything. No worker may be writing.
pub(crate) async fn verify(config: &Config, data_dir: &Path) -> Verdict {
    verify_seeing(config, data_dir, |_| ()).await
}

/// [`verify`], with each record of the log shown to `see` on the way.
pub(crate) async fn verify_seeing(config: &Config, data_dir: &Path, see: impl FnMut(&Seen)) -> Verdict {
    let broker = config.broker.open(data_dir).await.unwrap();
    let demand = demand(&*broker, config, see).await;
    let mut verdict = Verdict {
        records: demand.records,
        distinct: demand.rows.len() as u64,
        undecodable: demand.undecodable.len() as u64,
        ..Verdict::default()
    };
    let waiting = waiting::waiting(&*broker, config).await;
    verdict.waiting = waiting.records;
    letters::check(&*broker, config, demand.undecodable, &mut verdict).await;
    let committed = broker.committed(&config.source.group, &config.source.topic).await.unwrap();
    for (bounds, committed) in broker.bounds(&config.source.topic).await.unwrap().iter().zip(committed) {
        verdict.uncommitted += bounds.latest - committed.unwrap_or(bounds.earliest);
    }
    rows::check(config, data_dir, demand.rows, &waiting, &mut verdict).await;
    let timelines = open_timelines(config, data_dir).await.unwrap();
    for (name, user) in &demand.users {
        timelines::check(&*timelines, name, user, &waiting, &mut verdict).await;
    }
    drop((timelines, broker));
    let report = product::report(config, data_dir).await;
    verdict.reported_missing = report.missing;
    eprintln!("{verdict:?}");
    product::agree(&report, &verdict);
    verdict
}

/// Reads a topic from its beginning to its end of now.
pub(crate) async fn walk(broker: &dyn Broker, topic: &str, mut each: impl FnMut(&LogRecord)) {
    for bounds in broker.bounds(topic).await.unwrap() {
        read(broker, topic, bounds.partition, bounds.earliest..bounds.latest, &mut each).await;
    }
}

/// Reads a part of one partition.
async fn read(
    broker: &dyn Broker,
    topic: &str,
    partition: u32,
    range: Range<u64>,
    mut each: impl FnMut(&LogRecord),
) {
    let Range { start: mut at, end } = range;
    let mut cursor = broker.cursor(topic, &[(partition, at)]).unwrap();
    while at < end {
        let fetched = cursor.fetch(2000, Duration::from_secs(30)).await.unwrap();
        let fetched = fetched.unwrap_or_else(|| panic!("{topic} ends at {at}, not at {end}"));
        at = fetched.next;
        fetched.records.iter().filter(|record| record.origin.offset < end).for_each(&mut each);
    }
}
