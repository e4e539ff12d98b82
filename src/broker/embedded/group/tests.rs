//! Any order of joining, leaving, releasing and falling silent ends in a fair assignment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::super::codec::{PartitionMeta, TopicMeta};
use super::super::topic::Topic;
use super::{Change, Membership};
use crate::broker::Cleanup;

const DRAIN: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy)]
enum Step {
    Join,
    Leave(prop::sample::Index),
    /// The member hears the next thing.
    Hear(prop::sample::Index),
    Release(prop::sample::Index),
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        2 => Just(Step::Join),
        1 => index().prop_map(Step::Leave),
        4 => index().prop_map(Step::Hear),
        3 => index().prop_map(Step::Release),
        1 => Just(Step::Wait),
    ]
}

/// What the members believe, from what they heard.
struct World {
    membership: Membership,
    partitions: u32,
    now: Instant,
    members: Vec<u64>,
    has: BTreeMap<u64, BTreeMap<u32, u32>>,
    epochs: BTreeMap<u32, u32>,
    joined: u64,
}

impl World {
    fn new(partitions: u32) -> Self {
        let cleanup = Cleanup::Delete { retention: None, max_bytes: None };
        let empty = vec![PartitionMeta::EMPTY; partitions as usize];
        let topic = Topic::new("t".into(), &TopicMeta { id: 0, partitions, cleanup }, &empty);
        Self {
            membership: Membership::new(Arc::new(topic)),
            partitions,
            now: Instant::now(),
            members: Vec::new(),
            has: BTreeMap::new(),
            epochs: BTreeMap::new(),
            joined: 0,
        }
    }

    fn take(&mut self, step: Step) {
        let chosen =
            |index: prop::sample::Index| self.members.get(index.index(self.members.len().max(1))).copied();
        match step {
            Step::Join => {
                self.membership.join(self.joined, DRAIN, Arc::new(Notify::new()), self.now);
                self.members.push(self.joined);
                self.joined += 1;
            }
            Step::Leave(index) => {
                let Some(id) = chosen(index) else { return };
                self.members.retain(|m| *m != id);
                self.has.remove(&id);
                self.membership.leave(id, self.now);
            }
            Step::Hear(index) => {
                let Some(id) = chosen(index) else { return };
                self.hear(id);
            }
            Step::Release(index) => {
                let Some(id) = chosen(index) else { return };
                self.membership.release(id, self.now);
            }
            Step::Wait => {
                self.now += DRAIN;
                self.membership.expire(self.now);
            }
        }
    }

    fn hear(&mut self, id: u64) -> bool {
        let Some(change) = self.membership.next_change(id) else { return false };
        let has = self.has.entry(id).or_default();
        match change {
            Change::Assigned(grants) => {
                for grant in grants {
                    assert_eq!(has.insert(grant.partition, grant.epoch), None, "given twice");
                    let epoch = self.epochs.entry(grant.partition).or_default();
                    *epoch = grant.epoch.max(*epoch);
                }
            }
            Change::Revoking(partitions) => {
                partitions.iter().for_each(|p| assert_eq!(has.remove(&p.0), Some(p.1), "revoked what it had not"));
            }
            Change::Lost(partitions) => {
                partitions.iter().for_each(|p| assert!(!has.contains_key(p), "lost before it was revoked"));
            }
        }
        true
    }

    /// Everyone hears and releases until nothing moves any more.
    fn settle(&mut self) {
        for _ in 0..100 {
            let members = self.members.clone();
            let mut moved = false;
            for id in &members {
                self.membership.release(*id, self.now);
            }
            for id in members {
                while self.hear(id) {
                    moved = true;
                }
            }
            if !moved {
                return;
            }
        }
        panic!("the group never settles");
    }

    fn check(&self) {
        assert_eq!(self.membership.deadline(), None, "nothing is revoked any more");
        if self.members.is_empty() {
            return;
        }
        let mut owned: Vec<u32> = self.has.values().flat_map(|has| has.keys().copied()).collect();
        owned.sort_unstable();
        assert_eq!(owned, (0..self.partitions).collect::<Vec<u32>>(), "each partition has one owner");
        let least = self.partitions as usize / self.members.len();
        for id in &self.members {
            let has = self.has.get(id).map_or(0, BTreeMap::len);
            assert!((least..=least + 1).contains(&has), "{has} of {} is no fair share", self.partitions);
        }
        for (id, has) in &self.has {
            for (partition, epoch) in has {
                assert!(self.membership.owns(*id, *partition, *epoch));
                assert_eq!(epoch, &self.epochs[partition], "the owner has the newest epoch");
            }
        }
    }
}

proptest! {
    #[test]
    fn every_history_ends_in_a_fair_assignment(
        partitions in 1_u32..9,
        steps in proptest::collection::vec(step(), 0..60),
    ) {
        let mut world = World::new(partitions);
        for step in steps {
            world.take(step);
        }
        world.settle();
        world.check();
        world.settle();
    }
}

#[test]
fn a_third_member_moves_no_more_than_it_must() {
    let mut world = World::new(6);
    world.take(Step::Join);
    world.take(Step::Join);
    world.settle();
    let before = world.has.clone();
    world.take(Step::Join);
    world.settle();
    let kept = before.iter().flat_map(|(id, has)| has.keys().filter(|p| world.has[id].contains_key(p))).count();
    assert_eq!(kept, 4, "two of six move");
}
