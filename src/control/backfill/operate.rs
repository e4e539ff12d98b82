//! The operator's side.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::follow::job_of;
use super::id::new_id;
use super::{BackfillError, Draft, Event, Job, Ledger, State, Status};
use crate::broker::{Append, Broker, BrokerError};
use crate::control::read::{Begin, read};
use crate::control::{AuditRecord, ControlError, Names, Operator};
use crate::guard::Clock;

/// How long a read may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Creates jobs and changes them, and shows how they stand. Holds nothing: every call reads the log.
///
/// Every change is in the audit before it is made. After an error of the log it is unknown whether it was made; look with
/// [`list`](Self::list).
#[derive(Clone)]
pub struct Backfills {
    broker: Arc<dyn Broker>,
    topology: String,
    names: Names,
    pub(super) operator: Operator,
    pub(super) clock: Clock,
}

impl Backfills {
    /// The jobs of `topology`.
    pub fn new(broker: Arc<dyn Broker>, topology: &str, clock: Clock) -> Self {
        let operator = Operator::new(broker.clone(), topology, clock);
        Self { broker, topology: topology.to_owned(), names: Names::of(topology), operator, clock }
    }

    /// The job that a draft makes as the log stands now: its ranges are frozen. Writes nothing.
    ///
    /// # Errors
    /// [`BackfillError::NoPartition`], [`Half`](BackfillError::Half), [`BadRange`](BackfillError::BadRange),
    /// [`Nothing`](BackfillError::Nothing) or [`NoRange`](BackfillError::NoRange) of its ranges, each with what is valid;
    /// [`Invalid`](BackfillError::Invalid) of its numbers; [`Overlaps`](BackfillError::Overlaps) with a job that is not over;
    /// what the log says.
    pub async fn plan(&self, draft: &Draft) -> Result<Job, BackfillError> {
        let when_ms = self.clock.unix_ms();
        let job = Job {
            id: new_id(when_ms),
            topic: draft.topic.clone(),
            ranges: draft.ranges(&*self.broker).await?,
            chunk: draft.chunk,
            rate: draft.rate,
            share: draft.share,
            workers: draft.workers,
            only_sinks: draft.only_sinks.clone(),
            runner: draft.runner.clone(),
            skip: None,
            sends: None,
            over: None,
            lease_ms: draft.lease_ms,
            who: draft.who.clone(),
            when_ms,
            reason: draft.reason.clone(),
        };
        job.check()?;
        overlap(&job, &self.read().await?, |_| true)?;
        Ok(job)
    }

    /// Creates the job that a draft makes.
    ///
    /// # Errors
    /// Those of [`plan`](Self::plan). When two jobs that overlap are created at once the later one is cancelled again and
    /// refused.
    pub async fn create(&self, draft: &Draft) -> Result<Job, BackfillError> {
        let job = self.plan(draft).await?;
        self.put(&job).await?;
        Ok(job)
    }

    /// Creates a job that was [planned](Self::plan).
    ///
    /// # Errors
    /// [`BackfillError::Overlaps`]; [`BackfillError::Invalid`] of a job that was planned as part of a skip: it is made with
    /// the cursor's move, or not at all; what the log says.
    pub async fn put(&self, job: &Job) -> Result<(), BackfillError> {
        if job.skip.is_some() != job.sends.is_some() {
            let valid = "it is made by `Backfills::skip`, which moves the cursor as well".to_owned();
            return Err(BackfillError::Invalid { what: "skip", valid });
        }
        let details = json!({
            "topic": job.topic, "ranges": shown(job), "chunk": job.chunk, "rate": job.rate, "share": job.share,
            "workers": job.workers, "only_sinks": job.only_sinks, "runner": job.runner, "skip": job.skip,
        });
        self.note(&job.id, "backfill create", &job.who, &job.reason, details).await?;
        self.append(&self.names.control, Some(job.key()), job.encode()).await?;
        if job.sends.is_some() {
            // The spout has been sent past its records: doing some of them twice is better than not at all.
            return Ok(());
        }
        let ledger = self.read().await?;
        let mut earlier = true;
        let lost = overlap(job, &ledger, |other| {
            earlier &= other.id != job.id;
            earlier
        });
        if let Err(error) = lost {
            self.say(&job.id, "cancel", &job.who, "another job over the same records was created first").await?;
            return Err(error);
        }
        Ok(())
    }

    /// All jobs and how they stand, oldest first.
    ///
    /// # Errors
    /// What the log says.
    pub async fn list(&self) -> Result<Vec<Status>, BackfillError> {
        let (ledger, now_ms) = (self.read().await?, self.clock.unix_ms());
        Ok(ledger.jobs().map(|entry| Status::of(entry, now_ms)).collect())
    }

    /// One job and how it stands.
    ///
    /// # Errors
    /// [`BackfillError::Unknown`]; what the log says.
    pub async fn show(&self, id: &str) -> Result<Status, BackfillError> {
        let ledger = self.read().await?;
        let entry = ledger.job(id).ok_or_else(|| BackfillError::Unknown { id: id.to_owned() })?;
        Ok(Status::of(entry, self.clock.unix_ms()))
    }

    /// Has no more of it given out until it is resumed. What is in flight settles.
    ///
    /// # Errors
    /// [`BackfillError::Unknown`], [`BackfillError::Over`]; what the log says.
    pub async fn pause(&self, id: &str, who: &str, reason: &str) -> Result<Status, BackfillError> {
        self.change(id, "pause", "paused", who, reason).await
    }

    /// Lets a paused job go on where it was.
    ///
    /// # Errors
    /// Those of [`pause`](Self::pause).
    pub async fn resume(&self, id: &str, who: &str, reason: &str) -> Result<Status, BackfillError> {
        self.change(id, "resume", "resumed", who, reason).await
    }

    /// Ends it as it is, for good.
    ///
    /// # Errors
    /// Those of [`pause`](Self::pause).
    pub async fn cancel(&self, id: &str, who: &str, reason: &str) -> Result<Status, BackfillError> {
        self.change(id, "cancel", "cancelled", who, reason).await
    }

    async fn change(
        &self,
        id: &str,
        action: &'static str,
        wanted: &'static str,
        who: &str,
        reason: &str,
    ) -> Result<Status, BackfillError> {
        let before = self.show(id).await?;
        let over = |state: State| BackfillError::Over { id: id.to_owned(), state: state.as_str(), wanted };
        match (action, before.state) {
            (_, state @ (State::Finished | State::Cancelled)) => return Err(over(state)),
            ("pause", State::Paused) | ("resume", State::Running) => return Ok(before),
            _ => {}
        }
        self.say(id, action, who, reason).await?;
        self.show(id).await
    }

    /// Writes it into the audit, then into the ledger.
    async fn say(&self, id: &str, action: &'static str, who: &str, reason: &str) -> Result<(), BackfillError> {
        self.note(id, &format!("backfill {action}"), who, reason, Value::Null).await?;
        let (job, who, reason, at_ms) = (id.to_owned(), who.to_owned(), reason.to_owned(), self.clock.unix_ms());
        let event = match action {
            "pause" => Event::Pause { job, who, reason, at_ms },
            "resume" => Event::Resume { job, who, reason, at_ms },
            _ => Event::Cancel { job, who, reason, at_ms },
        };
        self.append(&self.names.backfill, None, event.encode()).await
    }

    async fn note(
        &self,
        id: &str,
        action: &str,
        who: &str,
        reason: &str,
        details: Value,
    ) -> Result<(), BackfillError> {
        let record = AuditRecord {
            when_ms: self.clock.unix_ms(),
            who: who.to_owned(),
            action: action.to_owned(),
            target: format!("backfill/{id}"),
            reason: reason.to_owned(),
            details,
        };
        self.operator.record(&record).await?;
        Ok(())
    }

    async fn append(&self, topic: &str, key: Option<String>, value: bytes::Bytes) -> Result<(), BackfillError> {
        if self.broker.topic(topic).await?.is_none() {
            return Err(ControlError::NoTopics { topology: self.topology.clone() }.into());
        }
        let record = Append {
            partition: Some(0),
            key: key.map(Into::into),
            value: Some(value),
            timestamp_ms: Some(self.clock.unix_ms()),
            ..Append::default()
        };
        self.broker.producer()?.append(topic, vec![record]).await?;
        Ok(())
    }

    /// All jobs as the log has them now. The ledger is collected first: every job that it speaks of was created before.
    async fn read(&self) -> Result<Ledger, BrokerError> {
        let (mut ledger, mut events) = (Ledger::default(), Vec::new());
        read(&*self.broker, &self.names.backfill, Begin::Earliest, PATIENCE, |record| {
            events.push((record.origin.offset, record.value.as_deref().and_then(Event::decode)));
        })
        .await?;
        read(&*self.broker, &self.names.control, Begin::Earliest, PATIENCE, |record| {
            // Workers warn of what holds no job; here it is as if it were not there, as it is for them.
            if let Some(Ok(job)) = job_of(record) {
                ledger.add(job);
            }
        })
        .await?;
        events.iter().for_each(|(offset, event)| ledger.note(*offset, event.as_ref()));
        Ok(ledger)
    }
}

/// Refuses a job over records that another one has which is not over.
fn overlap(job: &Job, ledger: &Ledger, mut counts: impl FnMut(&Job) -> bool) -> Result<(), BackfillError> {
    for entry in ledger.jobs() {
        let other = entry.job();
        if !counts(other) || other.id == job.id || entry.is_over() {
            continue;
        }
        if let Some(range) = job.overlaps(other) {
            return Err(BackfillError::Overlaps { topic: job.topic.clone(), range, id: other.id.clone() });
        }
    }
    Ok(())
}

/// The ranges as people read them.
fn shown(job: &Job) -> String {
    job.ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
