//! The spout itself.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::desk::Desk;
use super::lease::{Slip, Step};
use super::silence::Silence;
use super::work::Work;
use super::{BackfillMetrics, BackfillSettings, Budget, Job};
use crate::broker::addressed::{ONLY_SINKS, mean_for_all, only_sinks};
use crate::broker::dead_letter::dead_letter;
use crate::broker::spout::{Gates, Letters};
use crate::broker::{Append, Broker, Gate, LogRecord};
use crate::topology::{Class, Error, Outcome, Pulled, Result, Spout, TaskInfo};

/// Leases chunks of backfill jobs and emits their records, and none else; see the [module](super).
///
/// Each task has one lease at most. A run that fails comes again as with [`LogSpout`](crate::broker::LogSpout), poison
/// record by record, and goes to the dead letters. The records are those of the log, with their own origins; those of a
/// job that is meant for some sinks only carry [`ONLY_SINKS`].
pub struct BackfillSpout {
    pub(super) broker: Arc<dyn Broker>,
    pub(super) settings: Arc<BackfillSettings>,
    pub(super) letters: Letters,
    pub(super) gates: Gates,
    /// Opened by the first task that is prepared.
    desk: Arc<OnceLock<Desk>>,
    /// Name of this task in the ledger.
    pub(super) me: String,
    pub(super) news: Option<watch::Receiver<u64>>,
    pub(super) work: Option<Work>,
    /// Of the leases of others, while this task has none.
    pub(super) silence: Silence,
    /// What is being written, whose outcome is waited for.
    pub(super) slip: Option<Slip>,
    /// Nothing is asked of the log before.
    pub(super) quiet_until: Instant,
    pub(super) epoch: u32,
    /// When the last run went.
    pub(super) went: Option<Instant>,
    /// Of the job that was worked at last.
    pub(super) budget: Option<(Arc<Job>, Budget)>,
    /// What its records carry.
    pub(super) only_sinks: Option<Bytes>,
    pub(super) alone: bool,
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

    /// How the jobs stand, once it runs.
    pub fn metrics(&self) -> BackfillMetrics {
        BackfillMetrics::of(&self.desk)
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
            silence: Silence::default(),
            slip: None,
            quiet_until: Instant::now(),
            epoch: 0,
            went: None,
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
        for record in records {
            // Whoever produced it has no say in this.
            mean_for_all(record);
            if let Some(only) = only {
                record.headers.push(ONLY_SINKS, only.clone());
            }
        }
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
                Step::Refuse(reason) => return Err(Error::fatal(reason)),
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
            let Some(class) = outcome.failed else { continue };
            let taken = self.run_failed(outcome, run, class).await;
            if taken.is_err()
                && let Some(work) = &mut self.work
            {
                // Nobody has it now: what is given back at the end begins with it.
                work.give_up_run();
            }
            taken?;
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
    asked && mismatch(settings, job).is_none()
}

/// Why no worker with these settings ever takes the job, and what to start in its place; `None` when it may.
pub(super) fn mismatch(settings: &BackfillSettings, job: &Job) -> Option<String> {
    let Job { id, topic, runner, .. } = job;
    if *topic != settings.topic {
        let own = &settings.topic;
        return Some(format!(
            "backfill `{id}` is over topic `{topic}`, and this process reads `{own}`; start it with the configuration \
             that has `{topic}`"
        ));
    }
    let start = format!("run --role backup --job {id}");
    match (runner, &settings.runner) {
        (of, own) if of == own => None,
        (Some(runner), None) => Some(format!(
            "backfill `{id}` is for runner `{runner}`, and this process is for none; start `{start} --runner {runner}`"
        )),
        (Some(runner), Some(own)) => Some(format!(
            "backfill `{id}` is for runner `{runner}`, and this process is for runner `{own}`; start \
             `{start} --runner {runner}`"
        )),
        (None, own) => Some(format!(
            "backfill `{id}` is for no runner, and this process is for runner `{}`; start `{start}`",
            own.as_deref().unwrap_or_default()
        )),
    }
}
