//! The members of one group and topic, as a state machine.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::super::topic::Topic;

/// What a member is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Change {
    Assigned(Vec<Grant>),
    /// Partitions with the epoch of the assignment that ends.
    Revoking(Vec<(u32, u32)>),
    Lost(Vec<u32>),
}

/// A partition given to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Grant {
    pub(in super::super) partition: u32,
    pub(in super::super) epoch: u32,
    /// The partition's end when it was given.
    pub(in super::super) latest: u64,
}

/// Who has the partitions of a topic in a group.
pub(in super::super) struct Membership {
    topic: Arc<Topic>,
    members: Vec<Member>,
    owners: Vec<Option<Owner>>,
    epochs: Vec<u32>,
}

struct Member {
    id: u64,
    drain: Duration,
    changes: VecDeque<Change>,
    wake: Arc<Notify>,
}

#[derive(Clone, Copy)]
struct Owner {
    member: u64,
    /// Until when it may be released, once it is revoked.
    revoked: Option<Instant>,
    /// Whether the member has been told so.
    told: bool,
}

impl Membership {
    pub(in super::super) fn new(topic: Arc<Topic>) -> Self {
        let count = topic.count() as usize;
        Self { topic, members: Vec::new(), owners: vec![None; count], epochs: vec![0; count] }
    }

    pub(in super::super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether it is about this very topic, not one of the same name that was deleted.
    pub(in super::super) fn is_of(&self, topic: &Arc<Topic>) -> bool {
        Arc::ptr_eq(&self.topic, topic)
    }

    pub(in super::super) fn join(&mut self, id: u64, drain: Duration, wake: Arc<Notify>, now: Instant) {
        self.members.push(Member { id, drain, changes: VecDeque::new(), wake });
        self.rebalance(now);
    }

    /// Takes a member out; its partitions go on at once.
    pub(in super::super) fn leave(&mut self, id: u64, now: Instant) {
        self.members.retain(|m| m.id != id);
        self.give_back(now, |owner| owner.member == id);
    }

    /// Gives back what `id` has been told is revoked.
    pub(in super::super) fn release(&mut self, id: u64, now: Instant) {
        self.give_back(now, |owner| owner.member == id && owner.told);
    }

    /// Takes away what was revoked and not released in time.
    pub(in super::super) fn expire(&mut self, now: Instant) {
        let late = |owner: &Owner| owner.revoked.is_some_and(|deadline| deadline <= now);
        if !self.owners.iter().flatten().any(late) {
            return;
        }
        for at in 0..self.members.len() {
            let id = self.members[at].id;
            let lost = self.partitions(|owner| owner.member == id && late(owner));
            if !lost.is_empty() {
                self.members[at].tell(Change::Lost(lost));
            }
        }
        self.give_back(now, late);
    }

    /// When [`expire`](Self::expire) has something to do.
    pub(in super::super) fn deadline(&self) -> Option<Instant> {
        self.owners.iter().flatten().filter_map(|owner| owner.revoked).min()
    }

    /// The next thing to tell `id`.
    pub(in super::super) fn next_change(&mut self, id: u64) -> Option<Change> {
        let change = self.members.iter_mut().find(|m| m.id == id)?.changes.pop_front()?;
        if let Change::Revoking(partitions) = &change {
            for (partition, epoch) in partitions {
                let at = *partition as usize;
                // Lost and given again since: then this is about an assignment that has ended already.
                let current = self.epochs[at] == *epoch;
                if let Some(owner) = self.owners[at].as_mut().filter(|o| current && o.member == id) {
                    owner.told = true;
                }
            }
        }
        Some(change)
    }

    /// Whether `id` may commit `partition` for the assignment of this epoch: one that ended meanwhile may not, even
    /// when the partition has come back since.
    pub(in super::super) fn owns(&self, id: u64, partition: u32, epoch: u32) -> bool {
        let at = partition as usize;
        let owner = self.owners.get(at).copied().flatten();
        owner.is_some_and(|owner| owner.member == id) && self.epochs[at] == epoch
    }

    fn give_back(&mut self, now: Instant, which: impl Fn(&Owner) -> bool) {
        for owner in &mut self.owners {
            if owner.as_ref().is_some_and(&which) {
                *owner = None;
            }
        }
        self.rebalance(now);
    }

    /// Revokes what a member has beyond its share, and gives what is free to members that lack some.
    fn rebalance(&mut self, now: Instant) {
        let mut shares: Vec<(usize, Vec<u32>)> = Vec::new();
        for (at, member) in self.members.iter().enumerate() {
            let id = member.id;
            shares.push((at, self.partitions(|o| o.member == id && o.revoked.is_none())));
        }
        // Whoever has more keeps the odd partition; members of equal share stand by their time of joining.
        shares.sort_by_key(|(_, has)| std::cmp::Reverse(has.len()));
        let mut free = self.free().into_iter();
        let (count, members) = (self.owners.len(), self.members.len().max(1));
        for (rank, (at, has)) in shares.into_iter().enumerate() {
            let quota = count / members + usize::from(rank < count % members);
            if has.len() > quota {
                self.revoke(at, has[quota..].to_vec(), now);
            } else {
                let gets: Vec<u32> = free.by_ref().take(quota - has.len()).collect();
                self.assign(at, &gets);
            }
        }
        for member in &self.members {
            member.wake.notify_one();
        }
    }

    fn revoke(&mut self, at: usize, partitions: Vec<u32>, now: Instant) {
        let deadline = now + self.members[at].drain;
        let mut told = Vec::new();
        for partition in partitions {
            if let Some(owner) = &mut self.owners[partition as usize] {
                owner.revoked = Some(deadline);
                told.push((partition, self.epochs[partition as usize]));
            }
        }
        self.members[at].tell(Change::Revoking(told));
    }

    fn assign(&mut self, at: usize, partitions: &[u32]) {
        if partitions.is_empty() {
            return;
        }
        let ends = self.topic.bounds();
        let mut grants = Vec::new();
        for partition in partitions {
            let index = *partition as usize;
            self.epochs[index] += 1;
            self.owners[index] = Some(Owner { member: self.members[at].id, revoked: None, told: false });
            grants.push(Grant { partition: *partition, epoch: self.epochs[index], latest: ends[index].latest });
        }
        self.members[at].tell(Change::Assigned(grants));
    }

    fn partitions(&self, which: impl Fn(&Owner) -> bool) -> Vec<u32> {
        let owned = self.owners.iter().enumerate();
        owned.filter(|(_, o)| o.as_ref().is_some_and(&which)).map(|(at, _)| at as u32).collect()
    }

    fn free(&self) -> Vec<u32> {
        let owned = self.owners.iter().enumerate();
        owned.filter(|(_, o)| o.is_none()).map(|(at, _)| at as u32).collect()
    }
}

impl Member {
    fn tell(&mut self, change: Change) {
        self.changes.push_back(change);
    }
}
