//! Ranges that the topology was told to pass over, or could not read.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Range, Source, VerifyError};
use crate::broker::{LogRecord, Scan};
use crate::control::{AuditRecord, Names};

/// Key of a backfill job in the control topic begins with this.
const JOB: &str = "backfill/";
/// Kinds of events after which a job brings nothing any more.
const OVER: [&str; 2] = [FINISHED, "cancel"];
/// The kind of the event with which one has brought everything.
const FINISHED: &str = "finished";

/// A range that was passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skip {
    /// What was passed over.
    #[serde(flatten)]
    pub range: Range,
    /// Why.
    pub by: SkippedBy,
}

/// Why a range was passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SkippedBy {
    /// A backfill has yet to bring it.
    Backfill {
        /// The job.
        id: String,
    },
    /// Somebody had the cursor moved.
    Operator {
        /// Who.
        who: String,
        /// When, in milliseconds since the Unix epoch.
        when_ms: i64,
        /// Why.
        reason: String,
    },
    /// The log had deleted it before it was read.
    Lost {
        /// When that was noticed, in milliseconds since the Unix epoch.
        when_ms: i64,
    },
}

impl fmt::Display for SkippedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backfill { id } => write!(f, "backfill {id} has yet to bring it"),
            Self::Operator { who, reason, .. } if reason.is_empty() => write!(f, "by {who}"),
            Self::Operator { who, reason, .. } => write!(f, "by {who}: {reason}"),
            Self::Lost { .. } => write!(f, "lost: deleted before it was read"),
        }
    }
}

/// All ranges of a topic that were passed over.
#[derive(Debug, Default)]
pub(super) struct Skipped {
    /// Of jobs that have yet to bring them.
    pending: Vec<Skip>,
    /// Of jobs that are over, and of those that have brought everything over any range: what is not there now is missing.
    over: Vec<Range>,
    audited: Vec<Skip>,
}

/// What is read of the record of a job.
#[derive(Deserialize)]
struct Job {
    topic: String,
    ranges: Vec<JobRange>,
    /// The spout whose cursor passed over the ranges; none for a job over any others.
    skip: Option<String>,
    #[serde(default)]
    only_sinks: Vec<String>,
    /// How it ended, once that is in its record.
    over: Option<Over>,
}

#[derive(Deserialize)]
struct Over {
    finished: bool,
}

#[derive(Deserialize)]
struct JobRange {
    partition: u32,
    from: u64,
    to: u64,
}

/// What is read of the audit record of a seek: where a spout was to go on, and where it stood.
#[derive(Deserialize)]
struct Sought {
    topic: String,
    moves: Vec<JobRange>,
}

/// What is read of an event in the life of a job.
#[derive(Deserialize)]
struct Event {
    kind: String,
    job: String,
}

impl Skipped {
    /// Reads the jobs, what became of them, and the audit.
    pub(super) async fn read(source: &Source) -> Result<Self, VerifyError> {
        let names = Names::of(&source.topology);
        let mut jobs: BTreeMap<String, Job> = BTreeMap::new();
        each(source, &names.control, |record| {
            let Some(Ok(key)) = record.key.as_deref().map(std::str::from_utf8) else { return };
            let Some(id) = key.strip_prefix(JOB) else { return };
            match record.value.as_deref().map(serde_json::from_slice::<Job>) {
                Some(Ok(job)) => drop(jobs.insert(id.to_owned(), job)),
                None => drop(jobs.remove(id)),
                // What cannot be read is no range that anybody could be held to.
                Some(Err(_)) => {}
            }
        })
        .await?;
        let mut over: BTreeMap<String, bool> = BTreeMap::new();
        each(source, &names.backfill, |record| {
            let event = record.value.as_deref().and_then(|value| serde_json::from_slice::<Event>(value).ok());
            let event = event.filter(|event| OVER.contains(&&*event.kind));
            over.extend(event.map(|event| (event.job, event.kind == FINISHED)));
        })
        .await?;
        let mut skipped = Self::default();
        each(source, &names.audit, |record| {
            let audit = record.value.as_deref().and_then(|value| serde_json::from_slice(value).ok());
            audit.into_iter().for_each(|audit| skipped.note(&source.topic, audit));
        })
        .await?;
        jobs.retain(|_, job| job.topic == source.topic);
        for (id, job) in jobs {
            let finished = job.over.as_ref().map(|over| over.finished).or_else(|| over.get(&id).copied());
            let is_over = match (&job.skip, finished) {
                (Some(_), finished) => finished.is_some(),
                // It has brought all of it, whoever passed over it.
                (None, Some(true)) if job.only_sinks.is_empty() => true,
                (None, _) => continue,
            };
            for JobRange { partition, from, to } in job.ranges.into_iter().filter(|range| range.from < range.to) {
                let range = Range { partition, from, to };
                match is_over {
                    true => skipped.over.push(range),
                    false => skipped.pending.push(Skip { range, by: SkippedBy::Backfill { id: id.clone() } }),
                }
            }
        }
        Ok(skipped)
    }

    /// Takes an audit record in, in their order.
    fn note(&mut self, topic: &str, audit: AuditRecord) {
        if audit.action != "seek" {
            self.audited.extend(skip_of(topic, audit));
            return;
        }
        let Ok(Sought { topic: of, moves }) = serde_json::from_value(audit.details) else { return };
        for JobRange { partition, from, to } in moves.into_iter().filter(|_| of == topic) {
            // Whatever comes after is read (again), also where the seek before was never made: what was passed over of
            // it no longer is.
            self.audited.retain_mut(|skip| {
                let moved = skip.range.partition == partition && matches!(skip.by, SkippedBy::Operator { .. });
                skip.range.to = if moved { skip.range.to.min(to) } else { skip.range.to };
                skip.range.from < skip.range.to
            });
            if from < to {
                let (who, when_ms, reason) = (audit.who.clone(), audit.when_ms, audit.reason.clone());
                let range = Range { partition, from, to };
                self.audited.push(Skip { range, by: SkippedBy::Operator { who, when_ms, reason } });
            }
        }
    }

    /// Why a record that is nowhere is not missing. What is lost stays so; what a job is to bring, or has brought, goes by the
    /// job alone.
    pub(super) fn of(&self, partition: u32, offset: u64) -> Option<&Skip> {
        let within = |skip: &&Skip| skip.range.has(partition, offset);
        let is_lost = |skip: &&Skip| within(skip) && matches!(skip.by, SkippedBy::Lost { .. });
        if let Some(lost) = self.audited.iter().rev().find(is_lost) {
            return Some(lost);
        }
        if let Some(pending) = self.pending.iter().find(within) {
            return Some(pending);
        }
        if self.over.iter().any(|range| range.has(partition, offset)) {
            return None;
        }
        self.audited.iter().rev().find(within)
    }
}

/// Shows every record of a topic of one partition, up to its end of now; nothing of one that is not there.
async fn each(source: &Source, topic: &str, mut show: impl FnMut(&LogRecord)) -> Result<(), VerifyError> {
    let broker = &*source.broker;
    if broker.topic(topic).await?.is_none() {
        return Ok(());
    }
    let bounds = broker.bounds(topic).await?;
    let mut scan = Scan::new(broker, topic, &bounds, |bounds| bounds.earliest)?;
    while let Some(records) = scan.next().await? {
        records.iter().for_each(&mut show);
    }
    Ok(())
}

/// The range that an audit record `skip` or `lost` of `topic[partition]` is about.
fn skip_of(topic: &str, audit: AuditRecord) -> Option<Skip> {
    let (of, partition) = audit.target.strip_suffix(']')?.rsplit_once('[')?;
    if of != topic {
        return None;
    }
    let offset = |name: &str| audit.details.get(name)?.as_u64();
    let range = Range { partition: partition.parse().ok()?, from: offset("from")?, to: offset("to")? };
    let by = match audit.action.as_str() {
        "skip" => SkippedBy::Operator { who: audit.who, when_ms: audit.when_ms, reason: audit.reason },
        "lost" => SkippedBy::Lost { when_ms: audit.when_ms },
        _ => return None,
    };
    (range.from < range.to).then_some(Skip { range, by })
}
