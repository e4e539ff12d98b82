//! A job that somebody wants, before it is checked against the log.

use std::collections::{BTreeMap, BTreeSet};

use super::{BackfillError, Job, Range};
use crate::broker::{Bounds, Broker};

/// Where ranges begin or end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// At the oldest record of each partition.
    Earliest,
    /// Behind the newest record of each partition.
    Latest,
    /// At the first record of this time or later, in milliseconds since the Unix epoch.
    Time(i64),
    /// At these offsets; only these partitions.
    Offsets(BTreeMap<u32, u64>),
}

/// What a job is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// What is read.
    pub topic: String,
    /// Where the ranges begin.
    pub from: Bound,
    /// Where they end.
    pub to: Bound,
    /// Exactly these ranges, in the place of the two ends; empty = what the ends say.
    pub exactly: Vec<Range>,
    /// Only these partitions; empty = all.
    pub partitions: BTreeSet<u32>,
    /// Offsets of one lease.
    pub chunk: u64,
    /// Records a second over all workers; `None` = as fast as `share` lets.
    pub rate: Option<u64>,
    /// How much of the stores' time all of its tasks together may take: [`Job::MIN_SHARE`] to 1.
    pub share: f64,
    /// Leases held at a time; `None` = as many as there are chunks.
    pub workers: Option<u32>,
    /// Names of the sinks that are meant; empty = all.
    pub only_sinks: Vec<String>,
    /// Only processes that were started for this runner take chunks; `None` = those that were started for none.
    pub runner: Option<String>,
    /// After how long without a word a worker loses its chunk, in milliseconds.
    pub lease_ms: u64,
    /// Who wants it.
    pub who: String,
    /// Why.
    pub reason: String,
}

impl Draft {
    /// All of `topic` between two bounds, in chunks of 50,000 offsets, at a hundredth of the stores' time.
    pub fn new(topic: impl Into<String>, from: Bound, to: Bound, who: impl Into<String>) -> Self {
        Self {
            topic: topic.into(),
            from,
            to,
            exactly: Vec::new(),
            partitions: BTreeSet::new(),
            chunk: Job::CHUNK,
            rate: None,
            share: Job::SHARE,
            workers: None,
            only_sinks: Vec::new(),
            runner: None,
            lease_ms: Job::LEASE_MS,
            who: who.into(),
            reason: String::new(),
        }
    }

    /// The ranges as the log stands now.
    ///
    /// # Errors
    /// What is wrong with them, and what is valid.
    pub(super) async fn ranges(&self, broker: &dyn Broker) -> Result<Vec<Range>, BackfillError> {
        let bounds = broker.bounds(&self.topic).await?;
        if !self.exactly.is_empty() {
            return self.exact(&bounds);
        }
        let from = self.offsets(broker, &self.from, &bounds).await?;
        let to = self.offsets(broker, &self.to, &bounds).await?;
        self.check_partitions(&bounds)?;
        let mut ranges = Vec::new();
        for Bounds { partition, earliest, latest } in bounds.iter().copied() {
            let is_wanted = self.partitions.is_empty() || self.partitions.contains(&partition);
            let (from, to) = match (from.get(&partition), to.get(&partition)) {
                _ if !is_wanted => continue,
                (Some(from), Some(to)) => (*from, *to),
                (None, None) => continue,
                (Some(_), None) => return Err(half(partition, "a beginning", "end")),
                (None, Some(_)) => return Err(half(partition, "an end", "beginning")),
            };
            let range = Range { partition, from, to };
            let named = matches!(self.from, Bound::Offsets(_)) && matches!(self.to, Bound::Offsets(_));
            let problem = match () {
                () if from > to => "ends before it begins",
                () if from == to && named => "is empty",
                () if from == to => continue,
                () if from < earliest || to > latest => "is not all there",
                () => {
                    ranges.push(range);
                    continue;
                }
            };
            let topic = self.topic.clone();
            return Err(BackfillError::BadRange { topic, range, problem, earliest, latest });
        }
        if ranges.is_empty() {
            let held = bounds.iter().map(|b| format!("[{}] {}..{}", b.partition, b.earliest, b.latest));
            let held = held.collect::<Vec<_>>().join(", ");
            return Err(BackfillError::Nothing { topic: self.topic.clone(), held });
        }
        Ok(ranges)
    }

    /// The ranges that are given one by one.
    fn exact(&self, bounds: &[Bounds]) -> Result<Vec<Range>, BackfillError> {
        let is_wanted = |range: &&Range| self.partitions.is_empty() || self.partitions.contains(&range.partition);
        let mut ranges: Vec<Range> = self.exactly.iter().filter(is_wanted).copied().collect();
        ranges.sort_unstable();
        if ranges.is_empty() {
            let has: BTreeSet<u32> = self.exactly.iter().map(|range| range.partition).collect();
            return Err(BackfillError::NoRange { asked: named(&self.partitions), has: named(&has) });
        }
        for range in &ranges {
            let Some(held) = bounds.iter().find(|held| held.partition == range.partition) else {
                let last = bounds.last().map_or(0, |held| held.partition);
                let (topic, partition) = (self.topic.clone(), range.partition);
                return Err(BackfillError::NoPartition { topic, partition, last });
            };
            let Bounds { earliest, latest, .. } = *held;
            let problem = match () {
                () if range.from > range.to => "ends before it begins",
                () if range.is_empty() => "is empty",
                () if range.from < earliest || range.to > latest => "is not all there",
                () => continue,
            };
            let topic = self.topic.clone();
            return Err(BackfillError::BadRange { topic, range: *range, problem, earliest, latest });
        }
        Ok(ranges)
    }

    /// The offset of a bound in each of its partitions. With offsets on the other side, only their partitions count.
    async fn offsets(
        &self,
        broker: &dyn Broker,
        bound: &Bound,
        bounds: &[Bounds],
    ) -> Result<BTreeMap<u32, u64>, BackfillError> {
        let mut offsets: BTreeMap<u32, u64> = match bound {
            Bound::Offsets(offsets) => return Ok(offsets.clone()),
            Bound::Earliest => bounds.iter().map(|bounds| (bounds.partition, bounds.earliest)).collect(),
            Bound::Latest => bounds.iter().map(|bounds| (bounds.partition, bounds.latest)).collect(),
            Bound::Time(ms) => {
                let found = broker.offsets_at(&self.topic, *ms).await?;
                let held = |bounds: &Bounds| {
                    let offset = found.get(bounds.partition as usize).copied().unwrap_or(bounds.latest);
                    (bounds.partition, offset.clamp(bounds.earliest, bounds.latest))
                };
                bounds.iter().map(held).collect()
            }
        };
        for other in [&self.from, &self.to] {
            if let Bound::Offsets(named) = other {
                offsets.retain(|partition, _| named.contains_key(partition));
            }
        }
        Ok(offsets)
    }

    /// Whether the topic has all partitions that are named.
    fn check_partitions(&self, bounds: &[Bounds]) -> Result<(), BackfillError> {
        let named = [&self.from, &self.to].into_iter().filter_map(|bound| match bound {
            Bound::Offsets(offsets) => Some(offsets.keys()),
            _ => None,
        });
        let mut named = named.flatten().chain(&self.partitions);
        let last = bounds.last().map_or(0, |bounds| bounds.partition);
        match named.find(|partition| **partition > last) {
            Some(partition) => {
                Err(BackfillError::NoPartition { topic: self.topic.clone(), partition: *partition, last })
            }
            None => Ok(()),
        }
    }
}

fn named(partitions: &BTreeSet<u32>) -> String {
    partitions.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

fn half(partition: u32, has: &'static str, misses: &'static str) -> BackfillError {
    BackfillError::Half { partition, has, misses }
}
