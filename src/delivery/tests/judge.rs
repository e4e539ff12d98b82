//! What must hold between the rounds of a schedule, and at its end.

use std::collections::{BTreeMap, BTreeSet};

use super::world::{PANIC, SINKS, World, value_of};
use crate::delivery::Parked;
use crate::topology::Class;

/// What all schedules together met, so that a test that tests nothing is seen.
#[derive(Debug, Default)]
pub(super) struct Met {
    pub(super) crashes: u64,
    pub(super) retried: u64,
    pub(super) parked: u64,
    pub(super) exhausted: u64,
    pub(super) poison: u64,
}

/// Between rounds: what the group has committed is stored, dead or waiting, in and for each sink.
pub(super) async fn check_nothing_is_lost(world: &World, count: u64, broken: &BTreeSet<u64>) {
    let group = format!("{}.group", world.name);
    let committed = world.broker.committed(&group, &world.source()).await.unwrap();
    let settled: Vec<u64> = world
        .records(&world.source())
        .await
        .iter()
        .filter(|record| record.origin.offset < committed[record.origin.partition as usize].unwrap_or(0))
        .filter_map(value_of)
        .collect();
    let dead = world.dead().await;
    for (sink, name) in SINKS.iter().enumerate() {
        let known = accounted(world, sink, &dead).await;
        let lost: Vec<_> = settled.iter().filter(|value| !known.contains(value)).collect();
        assert!(lost.is_empty(), "{name} settled without {lost:?} of {count} ({broken:?})");
    }
}

async fn accounted(world: &World, sink: usize, dead: &BTreeMap<String, Vec<Parked>>) -> BTreeSet<u64> {
    let mut known = world.shelves[sink].lock().unwrap().stored.clone();
    known.extend(world.waiting(sink).await.iter().filter_map(value_of));
    // A record that was set aside by the spout came to no sink by name.
    for name in [SINKS[sink], ""] {
        known.extend(dead.get(name).into_iter().flatten().filter_map(|letter| value_of(&letter.record)));
    }
    known
}

pub(super) async fn check_the_end(world: &World, count: u64, broken: &BTreeSet<u64>, met: &mut Met) {
    let dead = world.dead().await;
    let at_spout = dead.get("").cloned().unwrap_or_default();
    let undecodable: BTreeSet<_> = at_spout
        .iter()
        .filter(|letter| value_of(&letter.record).is_none())
        .map(|letter| letter.record.value.clone())
        .collect();
    assert_eq!(undecodable.len(), broken.len(), "each record that is no number is a dead letter");
    for (sink, name) in SINKS.iter().enumerate() {
        assert!(world.waiting(sink).await.is_empty(), "nothing waits for {name} any more");
        let stored = world.shelves[sink].lock().unwrap().stored.clone();
        let own = dead.get(*name).cloned().unwrap_or_default();
        let dead_here: BTreeSet<u64> =
            own.iter().chain(&at_spout).filter_map(|letter| value_of(&letter.record)).collect();
        let expected: BTreeSet<u64> = (0..count).filter(|value| !broken.contains(value)).collect();
        let known: BTreeSet<u64> = stored.union(&dead_here).copied().collect();
        assert_eq!(known, expected, "{name}: the input is stored or dead");
        assert!(stored.is_disjoint(&world.poison), "{name}: poison is never stored");
        for letter in &own {
            let value = value_of(&letter.record).unwrap();
            match letter.class {
                // A row that was alone when the store panicked, each time, cannot be told from one that caused it.
                Class::Poison => assert!(
                    world.poison.contains(&value) || letter.reason.contains(PANIC),
                    "{name}: {value} is no poison: {}",
                    letter.reason
                ),
                Class::Retryable => {
                    assert!(letter.record.origin.attempt >= 5, "{name}: given up too early");
                    met.exhausted += 1;
                }
                class => panic!("{name}: {value} died of {class}"),
            }
            met.poison += u64::from(letter.class == Class::Poison);
            assert_eq!(letter.record.origin.topic.as_ref(), world.source(), "the origin is the source's");
        }
        check_never_early(world, sink, met).await;
    }
}

/// A retry was never offered before it was due.
async fn check_never_early(world: &World, sink: usize, met: &mut Met) {
    let topics = world.guard(sink).topics().clone();
    let mut due = BTreeMap::new();
    for topic in &topics.levels {
        for record in world.records(topic).await {
            let parked = Parked::read(&record).unwrap();
            let key = (value_of(&record).unwrap(), parked.record.origin.attempt);
            let earliest = due.entry(key).or_insert(parked.not_before_ms);
            *earliest = parked.not_before_ms.min(*earliest);
            met.retried += 1;
        }
    }
    met.parked += world.records(&topics.parked[0]).await.len() as u64;
    for offer in world.shelves[sink].lock().unwrap().offers.iter().filter(|offer| offer.attempts > 0) {
        let earliest = due[&(offer.value, offer.attempts)];
        assert!(offer.at_ms >= earliest, "{}: {offer:?} was due at {earliest}", SINKS[sink]);
    }
}
