//! How far a spout is behind.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::{Operator, SpoutSource};
use crate::broker::{Bounds, BrokerError, Gap};
use crate::control::{ControlError, PartitionStanding};

/// How long the records at which partitions stand are waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// Records of one fetch: one is enough, others may come from partitions whose record is known.
const FETCH: usize = 100;

/// How a partition stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PartitionLag {
    /// Which one, counted from 0.
    pub partition: u32,
    /// The live worker that has it.
    pub worker: Option<String>,
    /// What the group has committed; `None` when it never has.
    pub committed: Option<u64>,
    /// Offset of the oldest record that the log holds.
    pub earliest: u64,
    /// Offset that the next record will get.
    pub latest: u64,
    /// Records that are not processed for certain: from the commit, or from the oldest record, to the end.
    pub lag: u64,
    /// Age of the first of them, in milliseconds by the clock of the one who asks; `None` without one.
    pub behind_ms: Option<i64>,
    /// Records a second that were committed meanwhile.
    pub rate: f64,
    /// Records a second that arrived meanwhile.
    pub arriving: f64,
    /// Seconds until the lag is worked off, if both go on like that; `None` when it does not shrink.
    pub catch_up_s: Option<f64>,
    /// What is to be read next is not in the log: it was deleted before it was read, or with `to` below `from` the log was
    /// cut, also when it has grown again since its worker found that. The partition cannot go on by itself.
    pub gap: Option<Gap>,
}

/// One look at the log.
struct Look {
    at: Instant,
    bounds: Vec<Bounds>,
    committed: Vec<Option<u64>>,
}

impl Look {
    fn committed(&self, partition: u32) -> Option<u64> {
        self.committed.get(partition as usize).copied().flatten()
    }

    fn of(&self, partition: u32) -> Option<&Bounds> {
        self.bounds.iter().find(|held| held.partition == partition)
    }
}

impl Operator {
    /// How each partition of a spout stands, ordered by number, with its rates over the time `over`; 0 takes no rates and
    /// does not wait.
    ///
    /// # Errors
    /// What the log says.
    pub async fn lag(&self, source: &SpoutSource, over: Duration) -> Result<Vec<PartitionLag>, ControlError> {
        let first = self.look(source).await?;
        tokio::time::sleep(over).await;
        let last = if over.is_zero() { None } else { Some(self.look(source).await?) };
        let last = last.as_ref().unwrap_or(&first);
        let stands = |held: &Bounds| {
            let next = last.committed(held.partition).unwrap_or(held.earliest);
            (held.partition, next.clamp(held.earliest, held.latest))
        };
        let behind: Vec<(u32, u64)> =
            last.bounds.iter().filter(|held| stands(held).1 < held.latest).map(stands).collect();
        let times = self.times_at(&source.topic, &behind, &last.bounds).await?;
        let owners = self.owners(source).await?;
        let now_ms = self.clock.unix_ms();
        let seconds = (last.at - first.at).as_secs_f64();
        let per_second = |records: u64| if seconds > 0.0 { records as f64 / seconds } else { 0.0 };
        let partition = |held: &Bounds| {
            let Bounds { partition, earliest, latest } = *held;
            let committed = last.committed(partition);
            let (_, next) = stands(held);
            let before = first.committed(partition).unwrap_or(earliest);
            let rate = per_second(committed.unwrap_or(earliest).saturating_sub(before));
            let arriving = per_second(latest - first.of(partition).map_or(latest, |held| held.latest.min(latest)));
            let lag = latest - next;
            // What it has committed may not be in the log, on either side.
            let outside = committed.filter(|next| !(earliest..=latest).contains(next));
            let owner = owners.get(&partition);
            let gap = outside.map(|from| Gap { from, to: earliest }).or_else(|| owner.and_then(|owner| owner.1));
            let catch_up_s = match lag {
                _ if gap.is_some() => None,
                0 => Some(0.0),
                lag => Some(lag as f64 / (rate - arriving)).filter(|_| rate > arriving),
            };
            PartitionLag {
                partition,
                worker: owner.map(|(worker, _)| worker.clone()),
                committed,
                earliest,
                latest,
                lag,
                behind_ms: times.get(&partition).map(|ms| now_ms.saturating_sub(*ms).max(0)),
                rate,
                arriving,
                catch_up_s,
                gap,
            }
        };
        Ok(last.bounds.iter().map(partition).collect())
    }

    async fn look(&self, source: &SpoutSource) -> Result<Look, BrokerError> {
        // In this order: what is committed in between must not seem to be past the end.
        let committed = self.broker.committed(&source.group, &source.topic).await?;
        let bounds = self.broker.bounds(&source.topic).await?;
        Ok(Look { at: Instant::now(), bounds, committed })
    }

    /// The times of the records at or after these places, as far as they come in time. All are asked for at once: a
    /// partition that gives nothing takes no time from the others.
    async fn times_at(
        &self,
        topic: &str,
        places: &[(u32, u64)],
        bounds: &[Bounds],
    ) -> Result<BTreeMap<u32, i64>, BrokerError> {
        let mut times = BTreeMap::new();
        if places.is_empty() {
            return Ok(times);
        }
        let of = |held: &&Bounds| places.iter().any(|(partition, _)| *partition == held.partition);
        let mut ends: BTreeMap<u32, u64> =
            bounds.iter().filter(of).map(|held| (held.partition, held.latest)).collect();
        let deadline = Instant::now() + PATIENCE;
        let mut cursor = self.broker.cursor(topic, places)?;
        while !ends.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            match cursor.fetch(FETCH, left).await {
                Ok(Some(fetched)) => {
                    let Some(first) = fetched.records.first() else { continue };
                    // What follows it must not come in the place of what others have.
                    if let Some(end) = ends.remove(&fetched.partition) {
                        times.insert(fetched.partition, first.timestamp_ms);
                        cursor.seek(fetched.partition, end)?;
                    }
                }
                Ok(None) => break,
                // Retention was faster.
                Err(BrokerError::OutOfRange { partition, latest, .. }) => {
                    ends.remove(&partition);
                    cursor.seek(partition, latest)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(times)
    }

    /// Which live worker has which partition, and at which gap it waits there.
    async fn owners(&self, source: &SpoutSource) -> Result<BTreeMap<u32, (String, Option<Gap>)>, ControlError> {
        let mut owners = BTreeMap::new();
        for worker in self.workers().await?.into_iter().filter(|worker| worker.live) {
            let cursors = worker.heartbeat.cursors.iter().filter(|cursor| cursor.spout == source.spout);
            let partitions = cursors.flat_map(|cursor| &cursor.partitions);
            let owned = |standing: &PartitionStanding| (standing.partition, (worker.worker.clone(), standing.gap));
            owners.extend(partitions.map(owned));
        }
        Ok(owners)
    }
}
