//! Records come back from wherever they wait.

use std::collections::BTreeSet;
use std::time::Duration;

use super::world::{Behaviour, Log, World};
use crate::broker::{GroupSettings, LogRecord, StartFrom, TopicSpec};
use crate::delivery::{Parked, Retry};
use crate::guard::Clock;
use crate::runtime::{Options, start};
use crate::topology::{Class, Headers, Origin, Settings};

const START_MS: i64 = 1_700_000_000_000;

/// Runs what brings records of the first sink back, in a group that begins where `group` says, until nothing waits.
async fn bring_back(world: &World, group: GroupSettings, existing: &[&str]) {
    let guard = world.guard(0);
    let stack = guard.over(world.store(0, |_| Behaviour::Works));
    let existing = existing.iter().map(|&topic| topic.to_owned());
    let (retry, pending) = Retry::new(&world.delivery(), group).existing(existing).sink(&guard, stack).topology();
    let running = start(retry, &Settings::default(), Options::default()).unwrap();
    let stop = running.stopper();
    let done = async {
        while pending.records().await.unwrap() > 0 {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        stop.stop();
    };
    let all = async { tokio::join!(running.wait(), done) };
    let (report, ()) = tokio::time::timeout(Duration::from_secs(600), all).await.expect("all come back");
    assert_eq!(report.exit_code(), 0, "{:?}", report.ended);
}

async fn wait_in(world: &World, topic: &str, values: std::ops::Range<u64>) {
    let records = values.map(|value| {
        let origin = Origin { topic: world.source().into(), partition: 0, offset: value, attempt: 1 };
        let value = Some(value.to_string().into());
        let record = LogRecord { origin, key: None, headers: Headers::default(), timestamp_ms: START_MS, value };
        let parked = Parked {
            record,
            sink: Some("first".to_owned()),
            class: Class::Retryable,
            reason: "away".to_owned(),
            version: String::new(),
            not_before_ms: START_MS + 1_000,
            first_failure_ms: START_MS,
            last_failure_ms: START_MS,
            redriven: 0,
        };
        parked.to_append()
    });
    world.broker.producer().unwrap().append(topic, records.collect()).await.unwrap();
}

async fn world(log: &Log, name: &str) -> World {
    let world = World::new(log, name, Clock::at(START_MS), BTreeSet::new());
    world.fill(std::iter::empty()).await;
    world
}

/// Workers parked them, and no process that brings records back has ever run.
#[tokio::test(start_paused = true)]
async fn what_waits_comes_back_although_the_source_begins_at_its_end() {
    let log = Log::open();
    let world = world(&log, "latest").await;
    let topics = world.guard(0).topics().clone();
    wait_in(&world, &topics.parked[0], 0..5).await;
    wait_in(&world, &topics.levels[0], 5..9).await;
    let latest = GroupSettings { start_from: StartFrom::Latest, ..GroupSettings::new("latest.group") };
    bring_back(&world, latest, &[]).await;
    assert_eq!(world.shelves[0].lock().unwrap().stored, (0..9).collect());
}

/// The configuration had another level once.
#[tokio::test(start_paused = true)]
async fn what_waits_in_a_level_that_is_no_more_comes_back() {
    let log = Log::open();
    let world = world(&log, "former").await;
    let former = "squall.former.first.retry-7s";
    world.broker.create_topic(&TopicSpec::new(former, 2)).await.unwrap();
    wait_in(&world, former, 0..6).await;
    let own = world.guard(0).topics().levels[0].clone();
    let existing = [former, own.as_str(), "squall.former.second.retry-7s", "other"];
    bring_back(&world, GroupSettings::new("former.group"), &existing).await;
    assert_eq!(world.shelves[0].lock().unwrap().stored, (0..6).collect());
}
