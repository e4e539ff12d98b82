//! Having a spout go on elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use tokio::time::Instant;

use super::operator::LOOK;
use super::{AuditRecord, Operator};
use crate::broker::{Bounds, Gap, Seek};
use crate::control::{ControlError, CursorStanding, SeekRecord};

/// A spout of a topology.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SpoutSource {
    /// Its name.
    pub spout: String,
    /// The topic that it reads.
    pub topic: String,
    /// The group as which it reads.
    pub group: String,
}

impl SpoutSource {
    /// Whether the worker's cursor is one of it.
    fn is(&self, cursor: &CursorStanding) -> bool {
        (&cursor.spout, &cursor.topic, &cursor.group) == (&self.spout, &self.topic, &self.group)
    }
}

/// Where a spout is to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeekTo {
    /// At the oldest record of each partition.
    Earliest,
    /// With what arrives from now on.
    Latest,
    /// At these offsets, by partition; the others stay.
    Offsets(BTreeMap<u32, u64>),
    /// At the first record of each partition of this time or later, in milliseconds since the Unix epoch.
    Time(i64),
}

/// How a seek would move a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PlannedMove {
    /// Which one, counted from 0.
    pub partition: u32,
    /// Offset of the next record to read now: what is committed, or the oldest record of a group that never committed.
    pub from: u64,
    /// Offset of the next record afterwards.
    pub to: u64,
    /// Records that nobody will have processed: those between, as far as the log has them.
    pub skipped: u64,
    /// Records that are processed again.
    pub repeated: u64,
    /// What the log has deleted of those between.
    pub lost: Option<Gap>,
}

/// What a seek would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeekPlan {
    /// The spout.
    pub source: SpoutSource,
    /// The partitions that would move.
    pub moves: Vec<PlannedMove>,
}

/// A seek that was asked for.
#[derive(Debug, Clone)]
pub struct Seeking {
    /// What it is to do.
    pub plan: SeekPlan,
    /// What workers were told.
    pub record: SeekRecord,
    began: Instant,
}

impl Seeking {
    pub(in crate::control) fn begin(plan: SeekPlan, record: SeekRecord) -> Self {
        Self { plan, record, began: Instant::now() }
    }
}

/// Which partitions have gone where they were to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeekAnswers {
    /// Name of the worker that has the partition, and how long after the request it was known to have moved.
    pub moved: BTreeMap<u32, (String, Duration)>,
    /// Partitions that nobody has moved yet.
    pub missing: BTreeSet<u32>,
}

impl PlannedMove {
    /// The move of a partition that stands at `from` to `to`. One that stands there is moved too: it may have read on
    /// past its commit, and another seek may be on its way to it.
    fn of(bounds: Bounds, from: u64, to: u64) -> Self {
        let Bounds { partition, earliest, .. } = bounds;
        let lost = Some(Gap { from, to: earliest.min(to) }).filter(|gap| gap.from < gap.to);
        let (skipped, repeated) = (to.saturating_sub(from.max(earliest)), from.saturating_sub(to));
        Self { partition, from, to, skipped, repeated, lost }
    }
}

impl SeekPlan {
    /// Records that would be skipped, and records that would be processed again.
    pub fn totals(&self) -> (u64, u64) {
        self.moves.iter().fold((0, 0), |(skipped, repeated), m| (skipped + m.skipped, repeated + m.repeated))
    }
}

impl SeekAnswers {
    /// How long the last one took.
    pub fn took(&self) -> Option<Duration> {
        self.moved.values().map(|(_, after)| *after).max()
    }
}

impl Operator {
    /// The spouts that live workers can have go on elsewhere, ordered by name.
    ///
    /// # Errors
    /// What the log says.
    pub async fn spouts(&self) -> Result<Vec<SpoutSource>, ControlError> {
        let workers = self.workers().await?;
        let cursors = workers.iter().filter(|worker| worker.live).flat_map(|worker| &worker.heartbeat.cursors);
        let source = |cursor: &CursorStanding| SpoutSource {
            spout: cursor.spout.clone(),
            topic: cursor.topic.clone(),
            group: cursor.group.clone(),
        };
        Ok(cursors.map(source).collect::<BTreeSet<_>>().into_iter().collect())
    }

    /// What a seek would skip and repeat. Writes nothing.
    ///
    /// # Errors
    /// [`ControlError::BadSeek`] for a partition or an offset that is not there, with what is; what the log says.
    pub async fn plan_seek(&self, source: &SpoutSource, to: &SeekTo) -> Result<SeekPlan, ControlError> {
        // In this order: what is committed in between must not seem to be past the end.
        let committed = self.broker.committed(&source.group, &source.topic).await?;
        let bounds = self.broker.bounds(&source.topic).await?;
        let at = match to {
            SeekTo::Time(ms) => self.broker.offsets_at(&source.topic, *ms).await?,
            _ => Vec::new(),
        };
        if let SeekTo::Offsets(offsets) = to {
            check(source, &bounds, offsets)?;
        }
        let moves = bounds.iter().filter_map(|held| {
            let index = held.partition as usize;
            let target = match to {
                SeekTo::Earliest => Some(held.earliest),
                SeekTo::Latest => Some(held.latest),
                SeekTo::Offsets(offsets) => offsets.get(&held.partition).copied(),
                SeekTo::Time(_) => at.get(index).map(|offset| (*offset).clamp(held.earliest, held.latest)),
            };
            Some(PlannedMove::of(*held, committed.get(index).copied().flatten().unwrap_or(held.earliest), target?))
        });
        Ok(SeekPlan { source: source.clone(), moves: moves.collect() })
    }

    /// Asks the workers to make the moves of a plan. What is lost by it, and then the request, are in the audit first.
    /// Workers that start later make it too, so that it needs none at work.
    ///
    /// # Errors
    /// What the log says; it is unknown then whether the seek was asked for. Asking again does no harm.
    pub async fn seek(&self, plan: SeekPlan, who: &str, reason: &str) -> Result<Seeking, ControlError> {
        let began = Instant::now();
        let mut seeking = Seeking::begin(plan.clone(), self.seek_record(&plan, who, reason).await?);
        let SeekRecord { number, when_ms, .. } = seeking.record;
        let SpoutSource { spout, topic, .. } = &plan.source;
        for lost in plan.moves.iter().filter_map(|m| Some((m.partition, m.lost?))) {
            self.record(&AuditRecord::lost(topic, lost.0, lost.1, who, when_ms)).await?;
        }
        self.record(&AuditRecord {
            when_ms,
            who: who.to_owned(),
            action: "seek".to_owned(),
            target: format!("spout/{spout}"),
            reason: reason.to_owned(),
            details: json!({ "number": number, "topic": topic, "moves": plan.moves }),
        })
        .await?;
        self.append(&self.names.control, Some(key_of(number)), Some(seeking.record.encode())).await?;
        seeking.began = began;
        Ok(seeking)
    }

    /// The record that makes the moves of a plan. Its number is the time in units of a 1024th of a millisecond, the last
    /// of them by chance, and greater than that of any seek that is known or that a partition stands by.
    ///
    /// # Errors
    /// What the log says.
    pub(in crate::control) async fn seek_record(
        &self,
        plan: &SeekPlan,
        who: &str,
        reason: &str,
    ) -> Result<SeekRecord, ControlError> {
        let when_ms = self.clock.unix_ms();
        let known = self.read_state().await?.sought.last_number();
        let workers = self.workers().await?;
        let standing = workers.iter().flat_map(|w| &w.heartbeat.cursors).flat_map(|cursor| &cursor.partitions);
        let last = standing.map(|standing| standing.seek).max().unwrap_or_default().max(known);
        let chance = RandomState::new().build_hasher().finish() % 1024;
        let number = (when_ms.max(1).unsigned_abs() * 1024 + chance).max(last.saturating_add(1));
        let SpoutSource { spout, topic, group } = plan.source.clone();
        let offsets = plan.moves.iter().map(|m| (m.partition, m.to)).collect();
        let (who, reason) = (who.to_owned(), reason.to_owned());
        Ok(SeekRecord { spout, topic, group, number, offsets, who, when_ms, reason })
    }

    /// The seeks that are wanted, by partition, and not known to be made by a live worker: where the partition stands is
    /// not where it will.
    ///
    /// # Errors
    /// What the log says.
    pub(in crate::control) async fn unmade(
        &self,
        source: &SpoutSource,
    ) -> Result<BTreeMap<u32, Seek>, ControlError> {
        let mut wanted = self.read_state().await?.sought.of(&source.spout, &source.topic, &source.group);
        let stands = self.stands(source).await?;
        wanted.retain(|partition, seek| stands.get(partition).is_none_or(|number| seek.number > *number));
        Ok(wanted)
    }

    /// Says of each seek of a spout by which all its partitions stand, in live workers, that it is made: a group that has
    /// lost what its commits said would be sent there again, however long ago that was. How many were.
    ///
    /// # Errors
    /// What the log says.
    pub async fn retire_seeks(&self, source: &SpoutSource) -> Result<usize, ControlError> {
        let SpoutSource { spout, topic, group } = source;
        let sought = self.read_state().await?.sought;
        if sought.of(spout, topic, group).is_empty() {
            return Ok(0);
        }
        let (stands, mut retired) = (self.stands(source).await?, 0);
        for record in sought.wanted(spout, topic, group) {
            let mut partitions = record.offsets.keys();
            if partitions.all(|partition| stands.get(partition).is_some_and(|number| *number >= record.number)) {
                self.retire(record).await?;
                retired += 1;
            }
        }
        Ok(retired)
    }

    async fn retire(&self, record: &SeekRecord) -> Result<(), ControlError> {
        let (key, over) = (key_of(record.number), record.applied().encode());
        self.append(&self.names.control, Some(key), Some(over)).await.map(drop)
    }

    /// By which seek the partitions of a spout stand in live workers.
    async fn stands(&self, source: &SpoutSource) -> Result<BTreeMap<u32, u64>, ControlError> {
        let workers = self.workers().await?;
        let cursors = workers.iter().filter(|worker| worker.live).flat_map(|worker| &worker.heartbeat.cursors);
        let standings = cursors.filter(|cursor| source.is(cursor)).flat_map(|cursor| &cursor.partitions);
        Ok(standings.map(|standing| (standing.partition, standing.seek)).collect())
    }

    /// Waits until every partition of the seek stands by it, or by a later one, in some live worker; at most `timeout`.
    /// Of one that was applied everywhere the control topic says so then.
    ///
    /// The seek is made, whatever is known of it: while the log does not answer, its partitions are missing.
    pub async fn await_sought(&self, seeking: &Seeking, timeout: Duration) -> SeekAnswers {
        let deadline = seeking.began + timeout;
        let partitions = seeking.plan.moves.iter().map(|m| m.partition);
        let mut answers = SeekAnswers { missing: partitions.collect(), ..SeekAnswers::default() };
        let mut away = false;
        loop {
            let workers = self.workers().await;
            if let Err(error) = &workers
                && !std::mem::replace(&mut away, true)
            {
                tracing::warn!(%error, "whether the seek has been applied cannot be read, trying again");
            }
            for worker in workers.iter().flatten().filter(|worker| worker.live) {
                let source = &seeking.plan.source;
                let ours = worker.heartbeat.cursors.iter().filter(|cursor| source.is(cursor));
                for standing in ours.flat_map(|cursor| &cursor.partitions) {
                    if standing.seek >= seeking.record.number && answers.missing.remove(&standing.partition) {
                        let answer = (worker.worker.clone(), seeking.began.elapsed());
                        answers.moved.insert(standing.partition, answer);
                    }
                }
            }
            if answers.missing.is_empty() {
                if let Err(error) = self.retire(&seeking.record).await {
                    tracing::debug!(%error, "a worker will say that the seek was applied");
                }
                return answers;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return answers;
            }
            tokio::time::sleep(left.min(LOOK)).await;
        }
    }
}

fn key_of(number: u64) -> String {
    format!("{}/{number}", crate::control::seeks::SEEK)
}

/// Refuses partitions and offsets that are not there.
fn check(source: &SpoutSource, bounds: &[Bounds], offsets: &BTreeMap<u32, u64>) -> Result<(), ControlError> {
    let topic = &source.topic;
    for (partition, offset) in offsets {
        let Some(held) = bounds.iter().find(|held| held.partition == *partition) else {
            let last = bounds.len().saturating_sub(1);
            return Err(ControlError::BadSeek(format!(
                "{topic} has no partition {partition}; it has 0 to {last}"
            )));
        };
        if !(held.earliest..=held.latest).contains(offset) {
            return Err(ControlError::BadSeek(format!(
                "{topic}[{partition}] has no offset {offset}; it holds {} to {}, which is the end",
                held.earliest, held.latest
            )));
        }
    }
    Ok(())
}
