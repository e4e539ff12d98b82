//! The loop of a task that begins with a spout.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use tokio::time::Instant;

use super::control::Control;
use super::host::back_off;
use super::ledger::SpoutLedger;
use super::metrics::{PartitionSnapshot, SpoutMetrics, TaskMetrics};
use super::stage::instant_of;
use super::tracker::Tracker;
use crate::topology::plan::{Run, Signal, Source};
use crate::topology::{Bounds, Class, Error, Failure, Outcome, Shares, Ticket};

/// A failed run stays in the window until the spout pulls it again; this many times the pending bound, and the spout
/// evidently does not.
const FAILED_PER_PENDING: usize = 16;

/// A partition as the loop knows it.
#[derive(Default)]
struct Partition {
    epoch: u32,
    tracker: Tracker,
}

/// The loop's state.
pub(super) struct SpoutLoop {
    operator: String,
    source: Box<dyn Source>,
    bounds: Bounds,
    started: Instant,
    control: Arc<Control>,
    ledger: Arc<SpoutLedger>,
    partitions: BTreeMap<u32, Partition>,
    /// Runs under way over all partitions.
    open: usize,
    serial: u64,
    sizes: BTreeMap<u64, u64>,
    next_check: u64,
    pull_errors: u32,
    metrics: Arc<SpoutMetrics>,
    task: Arc<TaskMetrics>,
}

/// Why the loop goes round again.
enum Woken {
    Pulled(Result<Option<Run>, Error>),
    Settled,
    Timer,
    Draining,
}

impl SpoutLoop {
    pub(super) fn new(
        operator: &str,
        source: Box<dyn Source>,
        bounds: Bounds,
        started: Instant,
        control: Arc<Control>,
        metrics: Arc<SpoutMetrics>,
        task: Arc<TaskMetrics>,
    ) -> Self {
        Self {
            operator: operator.to_owned(),
            source,
            bounds,
            started,
            control,
            ledger: Arc::new(SpoutLedger::new(operator.to_owned())),
            partitions: BTreeMap::new(),
            open: 0,
            serial: 0,
            sizes: BTreeMap::new(),
            next_check: 0,
            pull_errors: 0,
            metrics,
            task,
        }
    }

    /// Pulls until the source is exhausted or the run is to stop, then settles what is in flight and closes.
    pub(super) async fn drive(mut self) {
        let result = match self.source.prepare().await {
            Ok(()) => self.pull_all().await,
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            self.control.fail(&self.operator, error);
        }
        self.source.signal(Signal::Close).await;
        self.source.hang_up();
        let result = self.settle_all().await;
        if let Err(error) = result.and(self.source.close().await) {
            self.control.fail(&self.operator, error);
        }
        self.publish_metrics();
    }

    async fn pull_all(&mut self) -> Result<(), Error> {
        loop {
            self.settle().await?;
            if self.control.is_draining() {
                return Ok(());
            }
            match self.next().await {
                Woken::Pulled(Ok(Some(run))) => {
                    self.pull_errors = 0;
                    if run.alone {
                        self.settle_all().await?;
                        self.publish(run).await;
                        self.settle_all().await?;
                    } else {
                        self.publish(run).await;
                    }
                    self.tell_timers().await;
                }
                Woken::Pulled(Ok(None)) => {
                    if self.settle_exhausted().await? {
                        return Ok(());
                    }
                }
                Woken::Pulled(Err(error)) => self.pull_failed(error).await?,
                Woken::Timer => self.source.signal(Signal::Timer).await,
                Woken::Settled | Woken::Draining => {}
            }
            tokio::task::coop::consume_budget().await;
        }
    }

    /// The source has no more unless something in flight fails: it is exhausted once nothing is. What operators hold
    /// open (a window) settles only when they close: when nothing has settled for half a message timeout, the end is
    /// declared, early enough that what is held does not time out.
    async fn settle_exhausted(&mut self) -> Result<bool, Error> {
        if self.open == 0 {
            return Ok(true);
        }
        self.source.signal(Signal::Idle).await;
        let quiet = Instant::now() + self.bounds.message_timeout / 2;
        loop {
            let due = self.source.next_due().map_or(quiet, |due| instant_of(self.started, due)).min(quiet);
            match tokio::time::timeout_at(due, self.ledger.changed()).await {
                Ok(()) => return Ok(false),
                Err(_) if Instant::now() >= quiet => return Ok(true),
                Err(_) => self.source.signal(Signal::Timer).await,
            }
        }
    }

    /// Lets what is chained to the spout tick and send off what has lingered, also while the spout is never idle.
    async fn tell_timers(&mut self) {
        if self.source.next_due().is_some_and(|due| due <= self.now_ns()) {
            self.source.signal(Signal::Timer).await;
        }
    }

    /// Waits until nothing is in flight.
    async fn settle_all(&mut self) -> Result<(), Error> {
        while self.open > 0 {
            self.source.signal(Signal::Idle).await;
            self.tell_timers().await;
            self.wait_settled().await;
            self.settle().await?;
        }
        Ok(())
    }

    async fn wait_settled(&mut self) {
        let due = self.source.next_due().unwrap_or(u64::MAX).min(self.next_check);
        let due = instant_of(self.started, due);
        let _elapsed = tokio::time::timeout_at(due, self.ledger.changed()).await;
    }

    /// Waits for the next thing to do. Before it waits in earnest, what lies on the edges is sent off.
    async fn next(&mut self) -> Woken {
        let full = self.open >= self.bounds.max_pending;
        if !full && let Some(pulled) = poll_once(self.source.pull(self.bounds.batch)).await {
            return Woken::Pulled(pulled);
        }
        self.source.signal(Signal::Idle).await;
        let due = self.source.next_due().unwrap_or(u64::MAX).min(self.next_check);
        let due = instant_of(self.started, due);
        let (control, ledger) = (self.control.clone(), self.ledger.clone());
        let pull =
            async { if full { std::future::pending().await } else { self.source.pull(self.bounds.batch).await } };
        tokio::select! {
            biased;
            () = control.draining() => Woken::Draining,
            () = ledger.changed() => Woken::Settled,
            pulled = pull => Woken::Pulled(pulled),
            () = tokio::time::sleep_until(due) => Woken::Timer,
        }
    }

    async fn publish(&mut self, run: Run) {
        let now = self.now_ns();
        self.serial += 1;
        let partition = self.partitions.entry(run.partition).or_default();
        if partition.epoch != run.epoch {
            // What the old assignment has in flight is somebody else's now.
            self.open -= partition.tracker.open_runs();
            *partition = Partition { epoch: run.epoch, tracker: Tracker::default() };
        }
        partition.tracker.open(run.end, self.serial, now);
        self.open += 1;
        self.sizes.insert(self.serial, run.len as u64);
        self.task.emitted.fetch_add(run.len as u64, Ordering::Relaxed);
        let ticket = Ticket { partition: run.partition, epoch: run.epoch, end: run.end, serial: self.serial };
        self.source.publish(Shares::open(ticket, self.ledger.clone())).await;
        self.metrics.pending.store(self.open, Ordering::Relaxed);
    }

    /// Tells the spout what has settled since the last call, and what is overdue.
    async fn settle(&mut self) -> Result<(), Error> {
        let mut settled = Vec::new();
        self.ledger.take(&mut settled);
        let now = self.now_ns();
        if now >= self.next_check {
            self.expire(now, &mut settled);
        }
        if settled.is_empty() {
            return Ok(());
        }
        let outcomes: Vec<Outcome> =
            settled.into_iter().filter_map(|(ticket, failed)| self.outcome(ticket, failed, now)).collect();
        self.metrics.pending.store(self.open, Ordering::Relaxed);
        if outcomes.is_empty() {
            return Ok(());
        }
        self.source.settle(&outcomes).await?;
        self.forget_gone();
        self.check_failed()
    }

    fn outcome(&mut self, ticket: Ticket, failed: Option<Failure>, now: u64) -> Option<Outcome> {
        let tuples = self.sizes.remove(&ticket.serial);
        let partition = self.partitions.get_mut(&ticket.partition).filter(|p| p.epoch == ticket.epoch)?;
        let since = partition.tracker.opened_at(ticket.end, ticket.serial)?;
        if !partition.tracker.settle(ticket.end, ticket.serial, failed.is_none()) {
            return None;
        }
        self.open -= 1;
        let counter = if failed.is_none() { &self.metrics.acked } else { &self.metrics.failed };
        counter.fetch_add(1, Ordering::Relaxed);
        if failed.is_none() {
            self.metrics.record_complete(now.saturating_sub(since), tuples.unwrap_or(1));
        }
        Some(Outcome {
            partition: ticket.partition,
            epoch: ticket.epoch,
            end: ticket.end,
            failed: failed.as_ref().map(|failure| failure.class),
            isolated: failed.as_ref().is_some_and(|failure| failure.isolated),
            reason: failed.and_then(|failure| failure.reason),
            watermark: partition.tracker.watermark(),
        })
    }

    /// Fails runs that are older than the message timeout: the backstop for a share that leaked.
    fn expire(&mut self, now: u64, settled: &mut Vec<(Ticket, Option<Failure>)>) {
        let timeout = self.bounds.message_timeout.as_nanos() as u64;
        self.next_check = now + (timeout / 4).clamp(1_000_000, 1_000_000_000);
        self.forget_gone();
        for (&number, partition) in &self.partitions {
            for (end, serial) in partition.tracker.overdue(now.saturating_sub(timeout)) {
                let spout = &self.operator;
                tracing::warn!(spout, partition = number, end, ?self.bounds.message_timeout, "a run timed out");
                let ticket = Ticket { partition: number, epoch: partition.epoch, end, serial };
                let failure = Failure { class: Class::Retryable, isolated: false, reason: None };
                settled.push((ticket, Some(failure)));
            }
        }
        self.publish_metrics();
    }

    /// Forgets partitions that are somebody else's now, with what is in flight or failed of them.
    fn forget_gone(&mut self) {
        let (source, mut gone) = (&self.source, 0);
        self.partitions.retain(|&number, partition| {
            let owned = source.owns(number, partition.epoch);
            gone += if owned { 0 } else { partition.tracker.open_runs() };
            owned
        });
        self.open -= gone;
    }

    fn check_failed(&self) -> Result<(), Error> {
        let failed: usize = self.partitions.values().map(|partition| partition.tracker.failed()).sum();
        let bound = self.bounds.max_pending * FAILED_PER_PENDING;
        if failed > bound {
            return Err(Error::fatal(format!(
                "{failed} runs failed and were not pulled again; the bound is {bound}"
            )));
        }
        Ok(())
    }

    async fn pull_failed(&mut self, error: Error) -> Result<(), Error> {
        self.pull_errors += 1;
        if error.class() != Class::Retryable || self.pull_errors > self.bounds.retries {
            return Err(error);
        }
        let pause = back_off(&self.bounds, self.pull_errors);
        tracing::warn!(spout = self.operator, error = %error, ?pause, "a pull failed, will try again");
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.control.draining() => {}
        }
        Ok(())
    }

    fn publish_metrics(&self) {
        let failed: usize = self.partitions.values().map(|partition| partition.tracker.failed()).sum();
        self.metrics.outstanding.store(self.open + failed, Ordering::Relaxed);
        let lag: BTreeMap<u32, u64> = self.source.lag().into_iter().collect();
        let partitions = self.partitions.iter().map(|(&partition, known)| PartitionSnapshot {
            partition,
            watermark: known.tracker.watermark(),
            lag: lag.get(&partition).copied(),
        });
        self.metrics.set_partitions(partitions.collect());
    }

    fn now_ns(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }
}

/// Polls a cancel-safe future once.
async fn poll_once<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
    std::future::poll_fn(|context| match std::pin::Pin::new(&mut future).poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
