//! The spout itself.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::assigned::{Assignment, InFlight};
use super::care::Care;
use super::gate::Gates;
use super::holds::Holds;
use super::replay::Replays;
use super::seek::Moves;
use super::{Gate, LogSpoutSettings, Seeks};
use crate::broker::dead_letter::dead_letter;
use crate::broker::{Append, Broker, Commit, Consumer, ConsumerEvent, LogRecord, StartFrom};
use crate::topology::{Class, Error, Outcome, Pulled, Result, Spout, TaskInfo};

/// How often the ends of the partitions are asked for, for the lag.
const LAG_INTERVAL: Duration = Duration::from_secs(1);

/// Makes the dead letter of a record that is poison for a reason.
pub(crate) type Letters = Arc<dyn Fn(&LogRecord, &str) -> Append + Send + Sync>;

const PREPARED: &str = "the runtime calls prepare before anything else";

/// Reads a topic as a member of a consumer group; see the [module](super).
pub struct LogSpout {
    pub(super) broker: Arc<dyn Broker>,
    pub(super) settings: LogSpoutSettings,
    pub(super) letters: Letters,
    consumer: Option<Box<dyn Consumer>>,
    pub(super) ours: Assignment,
    pub(super) gates: Gates,
    pub(super) holds: Holds,
    pub(super) care: Care,
    pub(super) replays: Replays,
    pub(super) moves: Moves,
    /// Runs that need nothing done any more: records that went to the dead letters.
    pub(super) passed: VecDeque<(Pulled<LogRecord>, InFlight)>,
    pub(super) revoking: Option<Vec<u32>>,
    /// Whether the run last pulled is a suspect, to be the only one in flight.
    pub(super) alone: bool,
    /// The last commits of partitions that are being given back; kept until that is done, since the future that does
    /// it may be dropped.
    pub(super) releasing: Option<Vec<Commit>>,
    pub(super) next_commit: Instant,
    /// Where a bounded run ends, by partition.
    pub(super) ends: Option<BTreeMap<u32, u64>>,
    latest: Arc<Mutex<BTreeMap<u32, u64>>>,
    watcher: Option<JoinHandle<()>>,
}

impl LogSpout {
    /// A spout over `broker`. Nothing is contacted before the run starts.
    pub fn new(broker: Arc<dyn Broker>, settings: LogSpoutSettings) -> Self {
        let letters = Arc::new(|record: &LogRecord, reason: &str| dead_letter(record, Class::Poison, reason));
        Self::with(broker, settings, letters, Gates::default(), Arc::new(Semaphore::new(1)))
    }

    /// Lets records go on only when `gate` says so; of several gates all must. The tasks of the spout share it.
    #[must_use]
    pub fn gated(mut self, gate: Arc<dyn Gate>) -> Self {
        self.gates.add(gate);
        self
    }

    /// Has dead letters made by `letter`, of the record and the reason, instead of by [`dead_letter`].
    #[must_use]
    pub fn lettered(mut self, letter: impl Fn(&LogRecord, &str) -> Append + Send + Sync + 'static) -> Self {
        self.letters = Arc::new(letter);
        self
    }

    /// Has partitions go on where `seeks` says. The tasks of the spout share it.
    #[must_use]
    pub fn steered(mut self, seeks: Arc<dyn Seeks>) -> Self {
        self.moves = Moves::new(Some(seeks));
        self
    }

    fn with(
        broker: Arc<dyn Broker>,
        settings: LogSpoutSettings,
        letters: Letters,
        gates: Gates,
        turns: Arc<Semaphore>,
    ) -> Self {
        Self {
            broker,
            settings,
            letters,
            consumer: None,
            ours: Assignment::default(),
            gates,
            holds: Holds::default(),
            care: Care::new(turns),
            replays: Replays::default(),
            moves: Moves::new(None),
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

    pub(super) fn consumer(&mut self) -> &mut Box<dyn Consumer> {
        self.consumer.as_mut().expect(PREPARED)
    }

    /// Whether a bounded run has pulled everything up to its end. Without a partition of its own the task asks what
    /// the group has committed. Cancel-safe.
    async fn is_at_end(&mut self) -> Result<bool> {
        let Some(ends) = &self.ends else { return Ok(false) };
        if !self.replays.is_empty() {
            return Ok(false);
        }
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

    /// The next run to replay, if one is due. Cancel-safe.
    async fn next_replay(&mut self, max: usize) -> Result<Option<Pulled<LogRecord>>> {
        let topic = &self.settings.topic;
        let next = match self.replays.next(&self.broker, topic, max, &mut self.gates).await {
            Ok(next) => next,
            Err(error) => return self.replay_failed(error).map(|()| None),
        };
        Ok(next.map(|(fetched, run)| {
            let is_suspect = self.ours.of(fetched.partition).is_some_and(|assigned| assigned.suspect.is_some());
            self.alone = run.single || is_suspect;
            self.sent(fetched, Some(run))
        }))
    }

    /// Waits for the next event; `None` when there is something else to look at. Cancel-safe.
    async fn next_event(&mut self, max: usize) -> Result<Option<ConsumerEvent>> {
        let dues = [self.holds.due(), self.replays.due(), self.care.due(), self.moves.due()];
        let due = dues.into_iter().flatten().fold(self.next_commit, Instant::min);
        // What goes out record by record comes like that, so that nothing has to be read twice.
        let singly = self.ours.singly().any(|partition| !self.holds.is_paused(partition));
        let max = if singly { 1 } else { max };
        let consumer = self.consumer.as_mut().expect(PREPARED);
        tokio::select! {
            biased;
            () = self.gates.changed() => {
                self.holds.gates_changed();
                self.replays.gates_changed(Instant::now());
                Ok(None)
            }
            () = self.moves.changed() => Ok(None),
            event = consumer.poll(max) => match event {
                Ok(event) => Ok(Some(event)),
                Err(error) => self.poll_failed(error).map(|()| None),
            },
            () = tokio::time::sleep_until(due) => Ok(None),
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
        let (letters, gates) = (self.letters.clone(), self.gates.clone());
        let mut copy = Self::with(self.broker.clone(), self.settings.clone(), letters, gates, self.care.turns());
        copy.moves = Moves::new(self.moves.seeks().cloned());
        copy
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
            self.holds.expire(Instant::now());
            self.take_up().await?;
            self.move_partitions().await?;
            self.write_notes().await?;
            if self.care.is_pending() {
                match self.next_suspect().await? {
                    Some(run) => return Ok(Some(run)),
                    None => continue,
                }
            }
            if let Some(run) = self.next_replay(max).await? {
                return Ok(Some(run));
            }
            self.release().await?;
            self.commit()?;
            if self.is_at_end().await? {
                return Ok(None);
            }
            self.settle_holds()?;
            if let Some(event) = self.next_event(max).await?
                && let Some(run) = self.on_event(event, max)?
            {
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
        self.clear_suspects();
        self.write_notes().await?;
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
        let mut commits = self.ours.farewells(None);
        commits.extend(self.releasing.take().into_iter().flatten());
        self.gone();
        match self.consumer.take() {
            Some(mut consumer) => Ok(consumer.close(&commits).await?),
            None => Ok(()),
        }
    }
}
