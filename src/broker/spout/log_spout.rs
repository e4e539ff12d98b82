//! The spout itself.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::LogSpoutSettings;
use super::assigned::{Assignment, InFlight};
use super::replay::Replays;
use crate::broker::{Broker, BrokerError, Consumer, ConsumerEvent, Fetched, LogRecord, StartFrom};
use crate::topology::{Class, Classify, Error, Outcome, Pulled, Result, Spout, TaskInfo};

/// How often the ends of the partitions are asked for, for the lag.
const LAG_INTERVAL: Duration = Duration::from_secs(1);

/// Reads a topic as a member of a consumer group; see the [module](super).
pub struct LogSpout {
    pub(super) broker: Arc<dyn Broker>,
    pub(super) settings: LogSpoutSettings,
    consumer: Option<Box<dyn Consumer>>,
    ours: Assignment,
    pub(super) replays: Replays,
    /// Runs that need nothing done any more: records that went to the dead letters.
    pub(super) passed: VecDeque<(Pulled<LogRecord>, InFlight)>,
    pub(super) revoking: Option<Vec<u32>>,
    /// Whether the run last pulled is a suspect, to be the only one in flight.
    alone: bool,
    /// The last commits of partitions that are being given back; kept until that is done, since the future that does
    /// it may be dropped.
    releasing: Option<Vec<(u32, u64)>>,
    next_commit: Instant,
    /// Where a bounded run ends, by partition.
    ends: Option<BTreeMap<u32, u64>>,
    latest: Arc<Mutex<BTreeMap<u32, u64>>>,
    watcher: Option<JoinHandle<()>>,
}

impl LogSpout {
    /// A spout over `broker`. Nothing is contacted before the run starts.
    pub fn new(broker: Arc<dyn Broker>, settings: LogSpoutSettings) -> Self {
        Self {
            broker,
            settings,
            consumer: None,
            ours: Assignment::default(),
            replays: Replays::default(),
            passed: VecDeque::new(),
            revoking: None,
            alone: false,
            releasing: None,
            next_commit: Instant::now(),
            ends: None,
            latest: Arc::default(),
            watcher: None,
        }
    }

    fn consumer(&mut self) -> &mut Box<dyn Consumer> {
        self.consumer.as_mut().expect("the runtime calls prepare before anything else")
    }

    /// Whether a bounded run has pulled everything up to its end. Without a partition of its own the task asks what
    /// the group has committed. Cancel-safe.
    async fn is_at_end(&mut self) -> Result<bool> {
        let Some(ends) = &self.ends else { return Ok(false) };
        if !self.ours.is_empty() {
            let is_past = |(partition, next)| ends.get(&partition).is_none_or(|end| next >= *end);
            return Ok(self.ours.positions().all(is_past));
        }
        let (topic, group) = (&self.settings.topic, &self.settings.group.group);
        let committed = self.broker.committed(group, topic).await?;
        Ok(ends.iter().all(|(partition, end)| {
            *end == 0 || committed.get(*partition as usize).copied().flatten() >= Some(*end)
        }))
    }

    async fn on_event(&mut self, event: ConsumerEvent) -> Result<Option<Pulled<LogRecord>>> {
        match event {
            ConsumerEvent::Records(fetched) => return Ok(self.fresh(fetched)),
            ConsumerEvent::Assigned(partitions) => {
                for (partition, epoch, next) in partitions {
                    tracing::info!(topic = self.settings.topic, partition, epoch, next, "partition assigned");
                    self.forget(&[partition]);
                    // What was wanted back of it before belongs to an assignment that is over.
                    self.no_longer_wanted(&[partition]);
                    self.ours.assign(partition, epoch, next);
                }
            }
            ConsumerEvent::Revoking(partitions) => {
                tracing::info!(topic = self.settings.topic, ?partitions, "partitions are wanted back");
                self.replays.remove(&partitions);
                self.revoking.get_or_insert_default().extend(partitions);
            }
            ConsumerEvent::Lost(partitions) => {
                tracing::warn!(topic = self.settings.topic, ?partitions, "partitions were lost");
                self.forget(&partitions);
                self.no_longer_wanted(&partitions);
            }
        }
        Ok(None)
    }

    /// The run that these records make; `None` when they are not ours, or past the end of a bounded run.
    fn fresh(&mut self, mut fetched: Fetched) -> Option<Pulled<LogRecord>> {
        if self.ours.epoch(fetched.partition) != Some(fetched.epoch) {
            return None;
        }
        if let Some(end) = self.ends.as_ref().and_then(|ends| ends.get(&fetched.partition)) {
            if self.ours.next(fetched.partition) >= Some(*end) {
                return None;
            }
            fetched.records.retain(|record| record.origin.offset < *end);
            fetched.next = fetched.next.min(*end);
        }
        Some(self.sent(fetched, None))
    }

    fn sent(&mut self, fetched: Fetched, replayed: Option<InFlight>) -> Pulled<LogRecord> {
        let Fetched { partition, epoch, records, next } = fetched;
        self.ours.send(partition, next, replayed);
        Pulled { partition, epoch, end: next, tuples: records }
    }

    fn no_longer_wanted(&mut self, partitions: &[u32]) {
        let mut wanted = self.revoking.take().unwrap_or_default();
        wanted.retain(|partition| !partitions.contains(partition));
        self.revoking = Some(wanted).filter(|wanted| !wanted.is_empty());
    }

    fn forget(&mut self, partitions: &[u32]) {
        self.replays.remove(partitions);
        self.passed.retain(|(run, _)| !partitions.contains(&run.partition));
        self.ours.remove(partitions);
    }

    /// Gives partitions back that are wanted and have nothing in flight. Cancel-safe, and may be called again after
    /// an error.
    async fn release(&mut self) -> Result<()> {
        let (ours, passed) = (&self.ours, &self.passed);
        let is_drained = |partitions: &mut Vec<u32>| {
            ours.is_drained(partitions) && !passed.iter().any(|(run, _)| partitions.contains(&run.partition))
        };
        if let Some(partitions) = self.revoking.take_if(is_drained) {
            self.releasing = Some(self.ours.watermarks(Some(&partitions)));
            self.forget(&partitions);
        }
        if let Some(commits) = self.releasing.clone() {
            self.consumer().release(&commits).await?;
            self.releasing = None;
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        let now = Instant::now();
        if now < self.next_commit {
            return Ok(());
        }
        self.next_commit = now + self.settings.commit_interval;
        let commits = self.ours.take_commits();
        if commits.is_empty() {
            return Ok(());
        }
        match self.consumer().commit(&commits) {
            Err(error) if error.class() == Class::Retryable => {
                // Which commit failed is unknown, and a partition at rest has no later one that would make it good.
                self.ours.commit_again();
                tracing::warn!(topic = self.settings.topic, error = %Error::from(error), "a commit failed");
                Ok(())
            }
            result => Ok(result?),
        }
    }

    fn watch_ends(&mut self) {
        let (broker, topic, latest) = (self.broker.clone(), self.settings.topic.clone(), self.latest.clone());
        self.watcher = Some(tokio::spawn(async move {
            loop {
                if let Ok(bounds) = broker.bounds(&topic).await {
                    let ends = bounds.into_iter().map(|bounds| (bounds.partition, bounds.latest)).collect();
                    *latest.lock().unwrap_or_else(PoisonError::into_inner) = ends;
                }
                tokio::time::sleep(LAG_INTERVAL).await;
            }
        }));
    }
}

impl Clone for LogSpout {
    fn clone(&self) -> Self {
        Self::new(self.broker.clone(), self.settings.clone())
    }
}

impl Drop for LogSpout {
    fn drop(&mut self) {
        if let Some(watcher) = &self.watcher {
            watcher.abort();
        }
    }
}

impl Spout for LogSpout {
    type Out = LogRecord;

    async fn prepare(&mut self, task: &TaskInfo) -> Result<()> {
        let topic = self.settings.topic.clone();
        if self.settings.bounded {
            if self.settings.group.start_from == StartFrom::Latest {
                return Err(Error::fatal("a bounded run that starts from the latest record has nothing to do"));
            }
            let bounds = self.broker.bounds(&topic).await?;
            self.ends = Some(bounds.into_iter().map(|bounds| (bounds.partition, bounds.latest)).collect());
        }
        let mut group = self.settings.group.clone();
        if let Some(instance) = &mut group.instance_id {
            *instance = format!("{instance}-{}-{}", task.operator, task.task);
        }
        self.consumer = Some(self.broker.subscribe(&topic, &group)?);
        self.next_commit = Instant::now() + self.settings.commit_interval;
        self.watch_ends();
        Ok(())
    }

    fn alone(&self) -> bool {
        self.alone
    }

    fn owns(&self, partition: u32, epoch: u32) -> bool {
        self.ours.epoch(partition) == Some(epoch)
    }

    async fn next_batch(&mut self, max: usize) -> Result<Option<Pulled<LogRecord>>> {
        self.alone = false;
        loop {
            if let Some((run, over)) = self.passed.pop_front() {
                self.ours.send(run.partition, run.end, Some(over));
                return Ok(Some(run));
            }
            if !self.replays.is_empty() {
                let next = self.replays.next(&self.broker, &self.settings.topic, max).await?;
                if let Some((fetched, run)) = next {
                    self.alone = run.single;
                    return Ok(Some(self.sent(fetched, Some(run))));
                }
            }
            self.release().await?;
            self.commit()?;
            if self.is_at_end().await? {
                return Ok(None);
            }
            let due = self.next_commit;
            let event = tokio::select! {
                biased;
                event = self.consumer().poll(max) => event.map_err(explain)?,
                () = tokio::time::sleep_until(due) => continue,
            };
            if let Some(run) = self.on_event(event).await? {
                return Ok(Some(run));
            }
        }
    }

    async fn settle(&mut self, outcomes: &[Outcome]) -> Result<()> {
        for outcome in outcomes {
            let Some(run) = self.ours.settle(outcome) else { continue };
            if let Some(class) = outcome.failed {
                self.run_failed(outcome, run, class).await?;
            }
        }
        match self.release().await {
            // The next pull tries again; after the drain timeout the partitions go regardless.
            Err(error) if error.class() == Class::Retryable => {
                tracing::warn!(topic = self.settings.topic, error = %error, "partitions could not be given back");
            }
            result => result?,
        }
        self.commit()
    }

    fn lag(&self) -> Vec<(u32, u64)> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let lag = |(partition, next)| Some((partition, latest.get(&partition)?.saturating_sub(next)));
        self.ours.positions().filter_map(lag).collect()
    }

    async fn close(&mut self) -> Result<()> {
        let mut commits = self.ours.watermarks(None);
        commits.extend(self.releasing.take().into_iter().flatten());
        match self.consumer.take() {
            Some(mut consumer) => Ok(consumer.close(&commits).await?),
            None => Ok(()),
        }
    }
}

/// Adds the remedy where an operator has to decide.
fn explain(error: BrokerError) -> Error {
    match error {
        BrokerError::OutOfRange { .. } => Error::fatal(format!(
            "{error}; the records between are gone: decide where to go on and set the group's offset explicitly"
        )),
        other => Error::new(other.class(), other),
    }
}
