//! How a task comes to a chunk, keeps it and gives it back.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};
use xxhash_rust::xxh3::xxh3_64;

use super::silence::Silence;
use super::spout::{BackfillSpout, mismatch, takes};
use super::work::Work;
use super::{Chunk, Entry, Event, Job, Leases, Ledger, State};
use crate::broker::Gap;
use crate::control::AuditRecord;
use crate::topology::Result;

/// What is to be done next, as the ledger stands.
pub(super) enum Step {
    /// The one job is over.
    End,
    /// The one job is not there, or never for this worker: why.
    Refuse(String),
    /// This is to be said.
    Write(Event),
    /// This chunk is ours.
    Begin(Arc<Job>, u32, Chunk),
    /// Our chunk is somebody else's.
    Drop,
    Wait,
    Pull {
        leases: Leases,
    },
}

/// How many leases there are, as the ledger stands, for a task that has one of this job.
fn leases(ledger: &Ledger, entry: &Entry) -> Leases {
    let running = ledger.jobs().filter(|entry| entry.state() == State::Running);
    Leases { of_job: entry.counts().1, of_all: running.map(|entry| entry.counts().1).sum() }
}

/// An event that is being written.
pub(super) struct Slip {
    event: Event,
    answer: oneshot::Receiver<Option<u64>>,
    offset: Option<u64>,
    until: Instant,
}

impl BackfillSpout {
    pub(super) fn step(&mut self) -> Step {
        if let Some(news) = &mut self.news
            && *news.borrow_and_update() == 0
        {
            return Step::Wait;
        }
        if self.work.is_some() {
            self.step_at_work()
        } else {
            let mut silence = std::mem::take(&mut self.silence);
            let step = self.desk().look(|ledger| self.step_without(ledger, &mut silence));
            self.silence = silence;
            step
        }
    }

    /// Without a chunk: one that is ours by the ledger, or one to be claimed.
    fn step_without(&self, ledger: &Ledger, silence: &mut Silence) -> Step {
        if let Some(only) = &self.settings.only {
            match ledger.job(only) {
                None => return Step::Refuse(format!("there is no backfill `{only}`")),
                Some(entry) if entry.is_over() => return Step::End,
                Some(entry) => {
                    if let Some(reason) = mismatch(&self.settings, entry.job()) {
                        return Step::Refuse(reason);
                    }
                }
            }
        }
        let open = || ledger.jobs().filter(|entry| takes(&self.settings, entry.job()) && !entry.is_over());
        let ours = |entry: &Entry| {
            let chunk = entry.held_by(&self.me)?;
            Some(Step::Begin(entry.job().clone(), chunk, entry.chunk(chunk)?))
        };
        let (now, at_ms) = (Instant::now(), self.settings.clock.unix_ms());
        silence.listen(open(), now);
        let wanted = |entry: &Entry| {
            let (job, worker) = (entry.job().id.clone(), self.me.clone());
            if entry.is_done() {
                return Some(Step::Write(Event::Finished { job, worker, at_ms }));
            }
            let silent = || silence.offer(entry, now).map(|(chunk, last)| (chunk, Some(last)));
            let offer = entry.offer(at_ms).map(|chunk| (chunk, None)).or_else(silent);
            offer.map(|(chunk, after)| Step::Write(Event::Claim { job, chunk, worker, at_ms, after }))
        };
        open().find_map(ours).or_else(|| open().find_map(wanted)).unwrap_or(Step::Wait)
    }

    fn step_at_work(&mut self) -> Step {
        let Some(work) = &self.work else { return Step::Wait };
        let (job, chunk) = (work.job.id.clone(), work.chunk);
        let standing = self.desk().look(|ledger| {
            let entry = ledger.job(&job)?;
            let lease = entry.lease(chunk).filter(|lease| lease.worker == self.me)?;
            Some((lease.token, entry.state(), leases(ledger, entry)))
        });
        let Some((token, state, leases)) = standing else { return Step::Drop };
        let at_ms = self.settings.clock.unix_ms();
        let Some(work) = &mut self.work else { return Step::Wait };
        if state != State::Running {
            work.leave();
        }
        // Whoever paused or cancelled it meanwhile has said enough.
        if let (State::Running, Some(reason)) = (state, work.stuck.clone()) {
            return Step::Write(Event::Pause { job, who: self.me.clone(), reason, at_ms });
        }
        let (next, is_idle) = (work.floor(), work.is_idle());
        match (work.is_complete(), work.leaving) {
            (true, _) if is_idle => Step::Write(Event::Done { job, chunk, token, next: work.range.to, at_ms }),
            (_, true) if is_idle => Step::Write(Event::Release { job, chunk, token, next, at_ms }),
            (_, true) => Step::Wait,
            _ => Step::Pull { leases },
        }
    }

    pub(super) fn begin(&mut self, job: Arc<Job>, chunk: u32, known: Chunk) {
        tracing::debug!(job = job.id, chunk, range = %known.range, next = known.next, "a chunk is begun");
        self.epoch += 1;
        self.turn_to(&job);
        let leases =
            self.desk().look(|ledger| Some(leases(ledger, ledger.job(&job.id)?))).unwrap_or(Leases::alone(1));
        if let Some((_, budget)) = &mut self.budget {
            // Of the 64 bits of the digest 53 fit a double.
            let phase = (xxh3_64(self.me.as_bytes()) >> 11) as f64 / (1_u64 << 53) as f64;
            budget.begin(self.settings.clock.now(), phase, leases);
        }
        self.work = Some(Work::new(job, chunk, known, self.epoch));
        self.tell_floor();
    }

    /// What is in flight is forgotten: whoever has the chunk now reads it again.
    pub(super) fn drop_work(&mut self) {
        self.desk().leave(&self.me);
        self.work = None;
        if let Some((_, budget)) = &mut self.budget {
            budget.idle(self.settings.clock.now());
        }
    }

    /// What the renewals of the lease are to say.
    pub(super) fn tell_floor(&self) {
        if let Some(work) = &self.work {
            self.desk().post(&self.me, &work.job.id, work.chunk, work.floor());
        }
    }

    /// Everything of the chunk below `to` that was not read is gone: said before anything after it goes on. What the log has
    /// `deleted` is in the list of lost ranges first; of a log that was begun anew there may be others at these places.
    pub(super) fn lose(&mut self, to: u64, deleted: bool) -> Result<()> {
        let Some(work) = &mut self.work else { return Ok(()) };
        work.cursor = None;
        let (job, chunk, from) = (work.job.id.clone(), work.chunk, work.next);
        let (topic, partition) = (work.job.topic.clone(), work.range.partition);
        tracing::error!(job, range = %work.range, from, to, "records were deleted before they were read");
        let lease = |ledger: &Ledger| Some(ledger.job(&job)?.lease(chunk)?.token);
        let Some(token) = self.desk().look(lease) else { return Ok(()) };
        let at_ms = self.settings.clock.unix_ms();
        let who = format!("backfill {job}");
        let audit = deleted.then(|| AuditRecord::lost(&topic, partition, Gap { from, to }, &who, at_ms));
        self.write_audited(Event::Lost { job, chunk, token, from, to, at_ms }, audit);
        Ok(())
    }

    pub(super) fn write(&mut self, event: Event) {
        self.write_audited(event, None);
    }

    fn write_audited(&mut self, event: Event, audit: Option<AuditRecord>) {
        let answer = self.desk().write_audited(event.clone(), audit);
        let until = Instant::now() + self.settings.patience;
        self.slip = Some(Slip { event, answer, offset: None, until });
    }

    /// Waits until the ledger was read up to what was written. Cancel-safe: the slip stays until then.
    pub(super) async fn read_answer(&mut self) {
        let Some(slip) = &mut self.slip else { return };
        if slip.offset.is_none() {
            match (&mut slip.answer).await {
                Ok(Some(offset)) => slip.offset = Some(offset),
                // It may have been written or not: the ledger will tell.
                Ok(None) | Err(_) => {
                    self.slip = None;
                    self.quiet_until = Instant::now() + self.settings.back_off;
                    return;
                }
            }
        }
        let (offset, until) = (slip.offset, slip.until);
        while self.desk().look(|ledger| Some(ledger.next()) <= offset) && Instant::now() < until {
            let Some(news) = &mut self.news else { break };
            tokio::select! {
                _changed = news.changed() => {}
                () = sleep_until(until) => {}
            }
        }
        if let Some(slip) = self.slip.take() {
            self.answered(&slip.event);
        }
    }

    /// What was written counts now, or does not.
    fn answered(&mut self, event: &Event) {
        let is_heeded = self.desk().look(|ledger| {
            let Some(entry) = ledger.job(event.job()) else { return false };
            match event {
                Event::Done { chunk, .. } | Event::Release { chunk, .. } => {
                    entry.lease(*chunk).is_none_or(|lease| lease.worker != self.me)
                }
                Event::Finished { .. } => entry.is_over(),
                _ => true,
            }
        });
        if !is_heeded {
            self.quiet_until = Instant::now() + self.settings.back_off;
        }
        match event {
            Event::Lost { job, chunk, to, .. } => {
                if let Some(work) = self.work.as_mut().filter(|work| (&work.job.id, &work.chunk) == (job, chunk)) {
                    work.next = work.next.max(*to);
                }
            }
            Event::Pause { job, reason, .. } => {
                tracing::error!(job, reason, "a backfill cannot go on and is paused");
                if let Some(work) = &mut self.work {
                    work.stuck = None;
                }
            }
            Event::Finished { job, .. } if is_heeded => tracing::info!(job, "a backfill is finished"),
            _ => {}
        }
    }

    /// At the end of the run: says how far the chunk is, and gives it back.
    pub(super) async fn give_back(&mut self) {
        if self.news.is_none() {
            return;
        }
        if self.slip.is_some() {
            self.read_answer().await;
        }
        if let Some(work) = &mut self.work {
            work.leave();
        }
        let held = |ledger: &Ledger| {
            let (entry, chunk) =
                ledger.jobs().filter(|entry| !entry.is_over()).find_map(|e| Some((e, e.held_by(&self.me)?)))?;
            let (lease, known) = (entry.lease(chunk)?, entry.chunk(chunk)?);
            Some((entry.job().id.clone(), chunk, lease.token, known))
        };
        let Some((job, chunk, token, known)) = self.desk().look(held) else { return };
        let at_ms = self.settings.clock.unix_ms();
        let work = self.work.as_ref().filter(|work| work.job.id == job && work.chunk == chunk);
        let next = work.map_or(known.next, Work::floor);
        self.desk().leave(&self.me);
        let event = match next >= known.range.to {
            true => Event::Done { job, chunk, token, next, at_ms },
            false => Event::Release { job, chunk, token, next, at_ms },
        };
        // Without an answer it may have been written or not; the lease runs out.
        let _unknown = self.desk().write(event).await;
    }
}
