//! Changes, and looks at what is.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::answers::Gathering;
use super::{Answers, AuditRecord, Changed, KeyState, Planned, WorkerStanding};
use crate::broker::{Append, Broker, BrokerError};
use crate::control::read::{Begin, read};
use crate::control::state::State;
use crate::control::workers::Roster;
use crate::control::{Change, ControlError, Key, Names, Worker};
use crate::guard::Clock;

/// How far back heartbeats are read: a worker that was silent for longer is forgotten.
const HORIZON_MS: i64 = 300_000;
/// How long a read may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether a silent worker still counts as live.
pub(super) const LOOK: Duration = Duration::from_millis(250);

/// Changes what workers follow, waits for them, and shows how things stand. Holds nothing: every call reads the log.
#[derive(Clone)]
pub struct Operator {
    pub(super) broker: Arc<dyn Broker>,
    topology: String,
    pub(super) names: Names,
    pub(super) clock: Clock,
}

impl Operator {
    /// The operator of `topology`.
    pub fn new(broker: Arc<dyn Broker>, topology: &str, clock: Clock) -> Self {
        Self { broker, topology: topology.to_owned(), names: Names::of(topology), clock }
    }

    /// What the change would be. Writes nothing.
    ///
    /// One that expires goes back to what the key was to be for good before it, and without that to what each worker
    /// has for its default.
    ///
    /// # Errors
    /// [`ControlError::BadValue`]; what the log says.
    pub async fn plan(
        &self,
        key: &Key,
        value: &str,
        who: &str,
        reason: &str,
        expiry: Option<Duration>,
    ) -> Result<Planned, ControlError> {
        key.check(value)?;
        let (roster, _) = self.read_roster().await?;
        self.plan_with(&roster, key, value, who, reason, expiry).await
    }

    async fn plan_with(
        &self,
        roster: &Roster,
        key: &Key,
        value: &str,
        who: &str,
        reason: &str,
        expiry: Option<Duration>,
    ) -> Result<Planned, ControlError> {
        let (state, when_ms) = (self.read_state().await?, self.clock.unix_ms());
        let lasting = state.entries.get(key).and_then(|entry| entry.change.lasting()).map(ToOwned::to_owned);
        let change = Change {
            value: value.to_owned(),
            who: who.to_owned(),
            when_ms,
            reason: reason.to_owned(),
            expires_ms: expiry.map(|lasts| when_ms.saturating_add(lasts.as_millis() as i64)),
            then: expiry.and(lasting),
        };
        let default = roster.default_of(key, when_ms);
        Ok(Planned { change, before: state.standing(key, &default, when_ms).value, default })
    }

    /// Appends a change, after the audit record of it: a change without a trace cannot be.
    ///
    /// # Errors
    /// [`ControlError::BadValue`]; [`ControlError::NoTopics`]; what the log says. After an error of the log it is
    /// unknown whether the change was made; making it again does no harm.
    pub async fn change(
        &self,
        key: &Key,
        value: &str,
        who: &str,
        reason: &str,
        expiry: Option<Duration>,
    ) -> Result<Changed, ControlError> {
        key.check(value)?;
        let (roster, next) = self.read_roster().await?;
        let Planned { change, before, default } = self.plan_with(&roster, key, value, who, reason, expiry).await?;
        let began = Instant::now();
        let details = serde_json::json!({
            "value": change.value, "before": before, "expires_ms": change.expires_ms, "then": change.then,
        });
        self.record(&AuditRecord {
            when_ms: change.when_ms,
            who: who.to_owned(),
            action: "set".to_owned(),
            target: key.to_string(),
            reason: reason.to_owned(),
            details,
        })
        .await?;
        let offset = self.append(&self.names.control, Some(key.to_string()), Some(change.encode())).await?;
        Ok(Changed { key: key.clone(), change, before, default, offset, began, roster, next })
    }

    /// Waits until every live worker that has to do with the key has applied the change, or a later one, at most
    /// `timeout`. Workers that come meanwhile count, those that leave do not. One that has read the change and has
    /// another value by it, as its clock says that its time is over, has not applied it.
    ///
    /// # Errors
    /// What the log says.
    pub async fn await_applied(&self, changed: &Changed, timeout: Duration) -> Result<Answers, ControlError> {
        let deadline = Instant::now() + timeout;
        let mut cursor = self.broker.cursor(&self.names.workers, &[(0, changed.next)])?;
        let mut gathering = Gathering::of(changed);
        loop {
            let answers = gathering.look(self.clock.unix_ms());
            let left = deadline.saturating_duration_since(Instant::now());
            if answers.all_applied() || left.is_zero() {
                return Ok(answers);
            }
            if let Some(fetched) = cursor.fetch(1000, left.min(LOOK)).await? {
                fetched.records.iter().for_each(|record| gathering.note(record));
            }
        }
    }

    /// Every switch, spout and limit that was ever changed or that a worker has, ordered by kind and name.
    ///
    /// # Errors
    /// What the log says.
    pub async fn state(&self) -> Result<Vec<KeyState>, ControlError> {
        let (state, (roster, _), now_ms) =
            (self.read_state().await?, self.read_roster().await?, self.clock.unix_ms());
        let mut workers: BTreeMap<Key, Vec<WorkerStanding>> = BTreeMap::new();
        for key in state.entries.keys() {
            workers.insert(key.clone(), Vec::new());
        }
        for (worker, heartbeat) in roster.iter() {
            for (key, applied) in heartbeat.everything() {
                let (live, value) = (heartbeat.is_live(now_ms), applied.value.clone());
                let standing = WorkerStanding { worker: worker.clone(), live, value, offset: applied.offset };
                workers.entry(key).or_default().push(standing);
            }
        }
        let of = |(key, workers): (Key, Vec<WorkerStanding>)| {
            let default = roster.default_of(&key, now_ms);
            let value = state.standing(&key, &default, now_ms).value;
            let entry = state.entries.get(&key);
            let (change, offset) = (entry.map(|entry| entry.change.clone()), entry.and_then(|entry| entry.offset));
            KeyState { key, value, default, change, offset, workers }
        };
        Ok(workers.into_iter().map(of).collect())
    }

    /// The workers that were heard of in the last five minutes and did not take their leave, ordered by name.
    ///
    /// # Errors
    /// What the log says.
    pub async fn workers(&self) -> Result<Vec<Worker>, ControlError> {
        Ok(self.read_roster().await?.0.workers(self.clock.unix_ms()))
    }

    /// The last `limit` audit records, oldest first.
    ///
    /// # Errors
    /// What the log says.
    pub async fn audit(&self, limit: usize) -> Result<Vec<AuditRecord>, ControlError> {
        self.audited(Begin::Last(limit as u64), limit, |_| true).await
    }

    /// The last `limit` audit records of one action, such as `lost`, oldest first. Reads all that are kept.
    ///
    /// # Errors
    /// What the log says.
    pub async fn audit_of(&self, action: &str, limit: usize) -> Result<Vec<AuditRecord>, ControlError> {
        self.audited(Begin::Earliest, limit, |record| record.action == action).await
    }

    async fn audited(
        &self,
        from: Begin,
        limit: usize,
        takes: impl Fn(&AuditRecord) -> bool,
    ) -> Result<Vec<AuditRecord>, ControlError> {
        let mut records = VecDeque::new();
        read(&*self.broker, &self.names.audit, from, PATIENCE, |record| {
            if let Some(Ok(record)) = record.value.as_deref().map(serde_json::from_slice)
                && takes(&record)
            {
                records.push_back(record);
                if records.len() > limit {
                    records.pop_front();
                }
            }
        })
        .await?;
        Ok(records.into())
    }

    /// Keeps what was done. For every action of an operator, also those that are no control records.
    ///
    /// # Errors
    /// [`ControlError::NoTopics`]; what the log says.
    pub async fn record(&self, record: &AuditRecord) -> Result<u64, ControlError> {
        self.append(&self.names.audit, None, Some(record.encode())).await
    }

    pub(super) async fn append(
        &self,
        topic: &str,
        key: Option<String>,
        value: Option<bytes::Bytes>,
    ) -> Result<u64, ControlError> {
        let record = Append {
            partition: Some(0),
            key: key.map(Into::into),
            value,
            timestamp_ms: Some(self.clock.unix_ms()),
            ..Append::default()
        };
        if self.broker.topic(topic).await?.is_none() {
            return Err(ControlError::NoTopics { topology: self.topology.clone() });
        }
        let positions = self.broker.producer()?.append(topic, vec![record]).await?;
        let position = positions.first().ok_or(BrokerError::Closed { what: "the producer" })?;
        Ok(position.offset)
    }

    pub(super) async fn read_state(&self) -> Result<State, ControlError> {
        let mut state = State::default();
        read(&*self.broker, &self.names.control, Begin::Earliest, PATIENCE, |record| {
            // Workers warn of what cannot be taken; here it is as if it were not there, as it is for them.
            let _ignored = state.note(record);
        })
        .await?;
        Ok(state)
    }

    async fn read_roster(&self) -> Result<(Roster, u64), ControlError> {
        let mut roster = Roster::default();
        let from = Begin::Time(self.clock.unix_ms().saturating_sub(HORIZON_MS));
        let next = read(&*self.broker, &self.names.workers, from, PATIENCE, |record| roster.note(record)).await?;
        Ok((roster, next))
    }
}
