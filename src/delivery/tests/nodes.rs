//! A store of several nodes, of which one fails.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::routes::{fresh, parcel, write};
use super::world::{Log, World, codec, value_of};
use crate::broker::{GroupSettings, TopicSpec};
use crate::delivery::{Guard, Parcel, Past, Pending, Retry, SinkSettings};
use crate::guard::{BreakerSettings, Clock};
use crate::runtime::{Options, Running, start};
use crate::topology::{Error, Rejected, Result, Settings, Sink};

const START_MS: i64 = 1_700_000_000_000;
const NODES: usize = 3;

/// Three nodes, with the rows of which the value divided by three leaves 0, 1 and 2.
#[derive(Clone, Default)]
struct Nodes(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Nodes that fail, and nodes that never answer.
    failing: BTreeSet<usize>,
    hanging: BTreeSet<usize>,
    stored: BTreeSet<u64>,
    /// Writes that each was offered.
    offers: [u64; NODES],
}

impl Nodes {
    fn stored(&self) -> BTreeSet<u64> {
        self.0.lock().unwrap().stored.clone()
    }

    fn offers(&self, node: usize) -> u64 {
        self.0.lock().unwrap().offers[node]
    }

    fn fail(&self, nodes: impl IntoIterator<Item = usize>) {
        self.0.lock().unwrap().failing = nodes.into_iter().collect();
    }
}

impl Sink for Nodes {
    type In = Arc<Parcel<u64>>;

    async fn write(&mut self, rows: &[&Self::In]) -> Result<Rejected> {
        let node = node_of(&rows[0].value);
        assert!(rows.iter().all(|row| node_of(&row.value) == node), "a write is for one node");
        let (hangs, fails) = {
            let mut state = self.0.lock().unwrap();
            state.offers[node] += 1;
            (state.hanging.contains(&node), state.failing.contains(&node))
        };
        match (hangs, fails) {
            (true, _) => std::future::pending().await,
            (false, true) => Err(Error::retryable("the node is away")),
            (false, false) => {
                self.0.lock().unwrap().stored.extend(rows.iter().map(|row| row.value));
                Ok(Rejected::none())
            }
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as the codec calls it")]
fn node_of(value: &u64) -> usize {
    *value as usize % NODES
}

fn guard(world: &World, nodes: usize) -> Guard<u64> {
    let breaker = BreakerSettings { minimum_calls: 4, ..BreakerSettings::default() };
    let settings = SinkSettings { timeout: Duration::from_secs(3), breaker, ..SinkSettings::default() };
    let codec = codec().nodes(nodes, node_of);
    world.delivery().guard("first", world.switches[0].clone(), codec, settings)
}

async fn world(log: &Log, name: &str) -> World {
    let world = World::new(log, name, Clock::at(START_MS), BTreeSet::new());
    world.fill(std::iter::empty()).await;
    world.delivery().ensure("first", NODES).await.unwrap();
    world
}

/// Brings back what waits, until it is stopped.
fn bring_back(world: &World, guard: &Guard<u64>, nodes: &Nodes, existing: &[String]) -> (Running, Pending) {
    let retry = Retry::new(&world.delivery(), GroupSettings::new("nodes.group")).existing(existing.to_vec());
    let (retry, pending) = retry.sink(guard, guard.over(nodes.clone())).topology();
    (start(retry, &Settings::default(), Options::default()).unwrap(), pending)
}

async fn until_nothing_waits(running: Running, pending: &Pending) {
    let stop = running.stopper();
    let done = async {
        while pending.records().await.unwrap() > 0 {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        stop.stop();
    };
    let all = async { tokio::join!(running.wait(), done) };
    let (report, ()) = tokio::time::timeout(Duration::from_secs(900), all).await.expect("all come back");
    assert_eq!(report.exit_code(), 0, "{:?}", report.ended);
}

/// The values in a topic, with repetitions.
async fn values_in(world: &World, topic: &str) -> Vec<u64> {
    world.records(topic).await.iter().filter_map(value_of).collect()
}

#[tokio::test(start_paused = true)]
async fn a_node_that_hangs_takes_none_of_the_others_with_it() {
    let log = Log::open();
    let world = world(&log, "hangs").await;
    let (guard, nodes) = (guard(&world, NODES), Nodes::default());
    let mut sink = guard.over(nodes.clone());
    nodes.0.lock().unwrap().hanging.insert(1);
    for round in 0..20 {
        assert_eq!(write(&mut sink, &fresh(round * 30..round * 30 + 30)).await.unwrap(), 0);
    }
    let elsewhere = |value: &u64| node_of(value) != 1;
    assert_eq!(nodes.stored(), (0..600).filter(elsewhere).collect());
    assert_eq!((nodes.offers(0), nodes.offers(2)), (20, 20));
    // Four writes open its breaker: their rows are retried, and parked from the one on that opened it.
    assert_eq!(nodes.offers(1), 4);
    let topics = guard.topics();
    let (retried, parked) =
        (values_in(&world, &topics.levels[0]).await, values_in(&world, &topics.parked[1]).await);
    assert_eq!((retried.len(), parked.len()), (3 * 10, 17 * 10));
    assert!(retried.iter().chain(&parked).all(|value| node_of(value) == 1));
    for other in [0, 2] {
        let parked = values_in(&world, &topics.parked[other]).await;
        assert!(parked.is_empty(), "{parked:?} are parked for node {other}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_parked_for_a_node_waits_for_that_node_alone() {
    let log = Log::open();
    let world = world(&log, "apart").await;
    let (guard, nodes) = (guard(&world, NODES), Nodes::default());
    let mut sink = guard.over(nodes.clone());
    nodes.fail([1, 2]);
    for round in 0..20 {
        assert_eq!(write(&mut sink, &fresh(round * 30..round * 30 + 30)).await.unwrap(), 0);
    }
    let before = values_in(&world, &guard.topics().parked[1]).await.len();
    let (running, pending) = bring_back(&world, &guard, &nodes, &[]);
    nodes.fail([1]);
    tokio::time::sleep(Duration::from_secs(180)).await;
    assert_eq!(nodes.stored(), (0..600).filter(|value| node_of(value) != 1).collect(), "1 is still away");
    // What comes back to find out whether the node works is parked again; nothing else goes round.
    let again = values_in(&world, &guard.topics().parked[1]).await.len() - before;
    let offered = nodes.offers(1) as usize;
    assert!(again <= offered + 30, "{again} were parked again, {offered} writes were tried");
    nodes.fail([]);
    until_nothing_waits(running, &pending).await;
    assert_eq!(nodes.stored(), (0..600).collect());
    assert!(world.dead().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn rows_of_a_node_that_stores_nothing_are_not_given_up_because_others_store() {
    let log = Log::open();
    let world = world(&log, "given").await;
    let (guard, nodes) = (guard(&world, NODES), Nodes::default());
    let mut sink = guard.over(nodes.clone());
    nodes.fail([1]);
    // One more failure than a row may have, on breakers that have seen little.
    let past = Past { attempts: 4, first_failure_ms: Some(START_MS), ..Past::default() };
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(write(&mut sink, &[parcel(0, past), parcel(1, past), parcel(2, past)]).await.unwrap(), 0);
    assert_eq!(nodes.stored(), BTreeSet::from([0, 2]));
    assert_eq!(values_in(&world, &guard.topics().levels[1]).await, [1]);
    assert!(world.dead().await.is_empty());
    // Once it has stored something since, the row is at fault.
    nodes.fail([]);
    assert_eq!(write(&mut sink, &[parcel(4, Past::default())]).await.unwrap(), 0);
    nodes.fail([1]);
    assert_eq!(write(&mut sink, &[parcel(1, past)]).await.unwrap(), 0);
    assert_eq!(world.dead().await["first"].len(), 1);
}

/// There were three nodes once, and is one.
#[tokio::test(start_paused = true)]
async fn what_was_parked_for_a_node_that_is_no_more_goes_to_those_that_are() {
    let log = Log::open();
    let world = world(&log, "fewer").await;
    let (before, nodes) = (guard(&world, NODES), Nodes::default());
    nodes.fail([2]);
    let mut sink = before.over(nodes.clone());
    for round in 0..10 {
        assert_eq!(write(&mut sink, &fresh(round * 30..round * 30 + 30)).await.unwrap(), 0);
    }
    nodes.fail([]);
    let parked = before.topics().parked[2].clone();
    assert_eq!(parked, "squall.fewer.first.parked-2");
    assert!(!values_in(&world, &parked).await.is_empty());
    world.broker.create_topic(&TopicSpec::new("squall.fewer.second.parked-2", 1)).await.unwrap();
    let existing = [parked, "squall.fewer.second.parked-2".to_owned(), before.topics().parked[1].clone()];
    let codec = codec().nodes(1, node_of);
    let now = world.delivery().guard("first", world.switches[0].clone(), codec, SinkSettings::default());
    let single = Single(nodes.clone());
    let retry = Retry::new(&world.delivery(), GroupSettings::new("nodes.group")).existing(existing);
    let (retry, pending) = retry.sink(&now, now.over(single)).topology();
    let running = start(retry, &Settings::default(), Options::default()).unwrap();
    until_nothing_waits(running, &pending).await;
    assert_eq!(nodes.stored(), (0..300).collect());
}

/// The same store behind one node.
#[derive(Clone)]
struct Single(Nodes);

impl Sink for Single {
    type In = Arc<Parcel<u64>>;

    async fn write(&mut self, rows: &[&Self::In]) -> Result<Rejected> {
        self.0.0.lock().unwrap().stored.extend(rows.iter().map(|row| row.value));
        Ok(Rejected::none())
    }
}
