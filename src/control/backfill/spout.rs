//! The spout itself.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::desk::Desk;
use super::lease::{Slip, Step};
use super::work::Work;
use super::{BackfillSettings, Budget, Job, Turn};
use crate::broker::addressed::{ONLY_SINKS, only_sinks};
use crate::broker::dead_letter::dead_letter;
use crate::broker::spout::{Gates, Letters};
use crate::broker::{Append, Broker, BrokerError, Fetched, Gate, LogRecord};
use crate::topology::{Class, Classify, Error, Outcome, Pulled, Result, Spout, TaskInfo};

/// One fetch of a cursor waits this long: the records are there, but what is a hole is only known by waiting.
const FETCH: Duration = Duration::from_millis(50);

/// Leases chunks of backfill jobs and emits their records, and none else; see the [module](super).
///
/// Each task has one lease at most. A run that fails comes again as with [`LogSpout`](crate::broker::LogSpout), poison
/// record by record, and goes to the dead letters. The records are those of the log, with their own origins; those of a
/// job that is meant for some sinks only carry [`ONLY_SINKS`].
pub struct BackfillSpout {
    pub(super) broker: Arc<dyn Broker>,
    pub(super) settings: Arc<BackfillSettings>,
    pub(super) letters: Letters,
    gates: Gates,
    /// Opened by the first task that is prepared.
    desk: Arc<OnceLock<Desk>>,
    /// Name of this task in the ledger.
    pub(super) me: String,
    pub(super) news: Option<watch::Receiver<u64>>,
    pub(super) work: Option<Work>,
    /// What is being written, whose outcome is waited for.
    pub(super) slip: Option<Slip>,
    /// Nothing is asked of the log before.
    pub(super) quiet_until: Instant,
    pub(super) epoch: u32,
    /// Of the job that was worked at last.
    pub(super) budget: Option<(Arc<Job>, Budget)>,
    /// What its records carry.
    pub(super) only_sinks: Option<Bytes>,
    alone: bool,
}

impl BackfillSpout {
    /// A spout over `broker`. Nothing is contacted before the run starts.
    pub fn new(broker: Arc<dyn Broker>, settings: BackfillSettings) -> Self {
        let letters = Arc::new(|record: &LogRecord, reason: &str| dead_letter(record, Class::Poison, reason));
        Self::with(broker, Arc::new(settings), letters, Gates::default(), Arc::default())
    }

    /// Lets records go on only when `gate` says so, such as that of a store under pressure; of several gates all must.
    #[must_use]
    pub fn gated(mut self, gate: Arc<dyn Gate>) -> Self {
        self.gates.add(gate);
        self
    }

    /// Has dead letters made by `letter`, of the record and the reason.
    #[must_use]
    pub fn lettered(mut self, letter: impl Fn(&LogRecord, &str) -> Append + Send + Sync + 'static) -> Self {
        self.letters = Arc::new(letter);
        self
    }

    fn with(
        broker: Arc<dyn Broker>,
        settings: Arc<BackfillSettings>,
        letters: Letters,
        gates: Gates,
        desk: Arc<OnceLock<Desk>>,
    ) -> Self {
        Self {
            me: settings.worker.clone(),
            broker,
            settings,
            letters,
            gates,
            desk,
            news: None,
            work: None,
            slip: None,
            quiet_until: Instant::now(),
            epoch: 0,
            budget: None,
            only_sinks: None,
            alone: false,
        }
    }

    pub(super) fn desk(&self) -> &Desk {
        self.desk.get().expect("the runtime calls prepare before anything else")
    }

    /// Begins a job whose records are to come next.
    pub(super) fn turn_to(&mut self, job: &Arc<Job>) {
        if self.budget.as_ref().is_none_or(|(known, _)| known.id != job.id) {
            self.budget = Some((job.clone(), Budget::new(job.rate, job.share)));
        }
        self.only_sinks = (!job.only_sinks.is_empty()).then(|| only_sinks(&job.only_sinks));
    }

    /// Says on the records for whom they are meant.
    pub(super) fn address(only: Option<&Bytes>, records: &mut [LogRecord]) {
        for record in records.iter_mut().filter(|_| only.is_some()) {
            record.headers.push(ONLY_SINKS, only.cloned().unwrap_or_default());
        }
    }

    /// The next run, as far as the budget lets; `None` when there is something else to look at. Cancel-safe.
    async fn pull(&mut self, leases: usize, max: usize) -> Result<Option<Pulled<LogRecord>>> {
        let now = self.settings.clock.now();
        let turn = self.budget.as_ref().map_or(Turn::Pull(max), |(_, budget)| budget.turn(now, leases, max));
        let max = match turn {
            Turn::Pull(max) => max,
            Turn::Rest(wait) => return self.wait(wait).await.map(|()| None),
            Turn::Settle => return self.wait(Duration::MAX).await.map(|()| None),
        };
        let Some(work) = &mut self.work else { return Ok(None) };
        let found = if work.replays.is_empty() {
            self.fresh(max).await?
        } else {
            match work.replays.next(&self.broker, &work.job.topic, max, &mut self.gates).await {
                Ok(Some((mut fetched, run))) => {
                    Self::address(self.only_sinks.as_ref(), &mut fetched.records);
                    self.alone = run.single;
                    Some(work.send(fetched, Some(run)))
                }
                Ok(None) => {
                    let wait = work
                        .replays
                        .due()
                        .map_or(Duration::ZERO, |due| due.saturating_duration_since(Instant::now()));
                    self.wait(wait).await?;
                    None
                }
                Err(error) => self.log_failed(error).map(|()| None)?,
            }
        };
        if let (Some(run), Some((_, budget))) = (&found, &mut self.budget) {
            budget.pulled(self.settings.clock.now(), run.tuples.len());
        }
        Ok(found)
    }

    /// The next fresh run. Cancel-safe.
    async fn fresh(&mut self, max: usize) -> Result<Option<Pulled<LogRecord>>> {
        let Some(work) = &mut self.work else { return Ok(None) };
        let (partition, to) = (work.range.partition, work.range.to);
        let gated = work.gated.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()));
        if work.next >= to || !gated.is_zero() {
            let wait = if gated.is_zero() { Duration::MAX } else { gated };
            return self.wait(wait).await.map(|()| None);
        }
        if work.cursor.is_none() {
            match self.broker.cursor(&work.job.topic, &[(partition, work.next)]) {
                Ok(cursor) => work.cursor = Some(cursor),
                Err(error) => return self.log_failed(error).map(|()| None),
            }
        }
        let cursor = work.cursor.as_mut().expect("it was opened if it was not there");
        let mut fetched = match cursor.fetch(max, FETCH).await {
            Ok(Some(fetched)) => fetched,
            Ok(None) => {
                if cursor.position(partition).is_some_and(|position| position >= to) {
                    work.next = to;
                }
                return Ok(None);
            }
            Err(BrokerError::OutOfRange { earliest, .. }) => {
                // A log that ends before the chunk does was begun anew: nothing of the rest will come.
                let gone = if earliest > work.next { earliest.min(to) } else { to };
                return self.lose(gone).map(|()| None);
            }
            Err(error) => return self.log_failed(error).map(|()| None),
        };
        fetched.records.retain(|record| record.origin.offset < to);
        fetched.next = fetched.next.min(to);
        let admission = self.gates.ask(&fetched.records);
        if let Some(first) = fetched.records.get(admission.now) {
            let at = first.origin.offset;
            work.gated = Some(Instant::now() + admission.wait);
            cursor.seek(partition, at)?;
            fetched.records.truncate(admission.now);
            fetched.next = at;
        }
        if fetched.records.is_empty() {
            work.next = work.next.max(fetched.next);
            return Ok(None);
        }
        Self::address(self.only_sinks.as_ref(), &mut fetched.records);
        Ok(Some(work.send(Fetched { epoch: work.epoch, ..fetched }, None)))
    }

    /// Waits for so long, for news of the ledger or for a gate, at most as long as it goes without a look. What settles
    /// ends the wait from outside. Cancel-safe.
    pub(super) async fn wait(&mut self, wait: Duration) -> Result<()> {
        let wait = wait.min(self.settings.look);
        let Some(news) = &mut self.news else { return Ok(()) };
        tokio::select! {
            biased;
            () = self.gates.changed() => if let Some(work) = &mut self.work {
                work.gated = None;
                work.replays.gates_changed(Instant::now());
            },
            _changed = news.changed() => {}
            () = tokio::time::sleep(wait) => {}
        }
        Ok(())
    }

    /// The log is waited for; what waiting cannot mend ends the run.
    fn log_failed(&mut self, error: BrokerError) -> Result<()> {
        let Some(work) = &mut self.work else { return Ok(()) };
        work.cursor = None;
        match error {
            // A record that is to come again is gone: whoever begins at the floor finds out which.
            BrokerError::OutOfRange { .. } => work.leave(),
            error if error.class() == Class::Retryable => {
                tracing::warn!(%error, "the log cannot be read, trying again");
                self.quiet_until = Instant::now() + self.settings.back_off;
            }
            error => return Err(error.into()),
        }
        Ok(())
    }
}

impl Clone for BackfillSpout {
    fn clone(&self) -> Self {
        let (letters, gates) = (self.letters.clone(), self.gates.clone());
        Self::with(self.broker.clone(), self.settings.clone(), letters, gates, self.desk.clone())
    }
}

impl Spout for BackfillSpout {
    type Out = LogRecord;

    async fn prepare(&mut self, task: &TaskInfo) -> Result<()> {
        self.me = format!("{}/{}", self.settings.worker, task.task);
        let open = || Desk::start(self.broker.clone(), (*self.settings).clone());
        self.news = Some(self.desk.get_or_init(open).watch());
        Ok(())
    }

    fn alone(&self) -> bool {
        self.alone
    }

    fn owns(&self, partition: u32, epoch: u32) -> bool {
        self.work.as_ref().is_some_and(|work| (work.range.partition, work.epoch) == (partition, epoch))
    }

    async fn next_batch(&mut self, max: usize) -> Result<Option<Pulled<LogRecord>>> {
        self.alone = false;
        loop {
            if self.slip.is_some() {
                self.read_answer().await;
                continue;
            }
            if Instant::now() < self.quiet_until {
                tokio::time::sleep_until(self.quiet_until).await;
            }
            match self.step() {
                Step::End => return Ok(None),
                Step::Unknown(job) => return Err(Error::fatal(format!("there is no backfill `{job}`"))),
                Step::Write(event) => self.write(event),
                Step::Begin(job, chunk, known) => self.begin(job, chunk, known),
                Step::Drop => self.drop_work(),
                Step::Wait => self.wait(Duration::MAX).await?,
                Step::Pull { leases } => {
                    if let Some(run) = self.work.as_mut().and_then(Work::pass) {
                        return Ok(Some(run));
                    }
                    if let Some(run) = self.pull(leases, max).await? {
                        return Ok(Some(run));
                    }
                }
            }
        }
    }

    async fn settle(&mut self, outcomes: &[Outcome]) -> Result<()> {
        for outcome in outcomes {
            let Some(run) = self.work.as_mut().and_then(|work| work.settle(outcome)) else { continue };
            if let Some(class) = outcome.failed {
                self.run_failed(outcome, run, class).await?;
            }
        }
        let idle = self.work.as_ref().is_none_or(Work::is_idle);
        if let (true, Some((_, budget))) = (idle, &mut self.budget) {
            budget.idle(self.settings.clock.now());
        }
        self.tell_floor();
        Ok(())
    }

    fn lag(&self) -> Vec<(u32, u64)> {
        self.work.iter().map(|work| (work.range.partition, work.range.to - work.floor())).collect()
    }

    async fn close(&mut self) -> Result<()> {
        if timeout(self.settings.patience, self.give_back()).await.is_err() {
            tracing::warn!(worker = self.me, "the chunk could not be given back; its lease runs out");
        }
        Ok(())
    }
}

/// Whether the job is for a worker with these settings.
pub(super) fn takes(settings: &BackfillSettings, job: &Job) -> bool {
    let asked = settings.only.as_ref().is_none_or(|only| *only == job.id);
    asked && job.topic == settings.topic && job.runner == settings.runner
}
