//! What the group says, and what it is told.

use tokio::time::Instant;

use super::LogSpout;
use super::assigned::InFlight;
use super::careful::TURN;
use super::holds::Cause;
use crate::broker::addressed::mean_for_all;
use crate::broker::{ConsumerEvent, Fetched, LogRecord};
use crate::topology::{Class, Classify, Error, Pulled, Result};

impl LogSpout {
    /// What becomes of an event; a run when records may go on.
    pub(super) fn on_event(&mut self, event: ConsumerEvent, max: usize) -> Result<Option<Pulled<LogRecord>>> {
        match event {
            ConsumerEvent::Records(fetched) => return self.fresh(fetched, max),
            ConsumerEvent::Assigned(granted) => self.care.arriving.extend(granted),
            ConsumerEvent::Revoking(partitions) => {
                tracing::info!(topic = self.settings.topic, ?partitions, "partitions are wanted back");
                self.replays.remove(&partitions);
                self.holds.forget(&partitions);
                self.moves.forget(&partitions);
                self.clear_wanted(&partitions);
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

    /// The run that these records make; `None` when they are not ours, past the end of a bounded run, or not let on.
    fn fresh(&mut self, mut fetched: Fetched, max: usize) -> Result<Option<Pulled<LogRecord>>> {
        let partition = fetched.partition;
        let Some(epoch) = self.ours.epoch_of(partition, fetched.epoch) else { return Ok(None) };
        fetched.epoch = epoch;
        if let Some(end) = self.ends.as_ref().and_then(|ends| ends.get(&partition)) {
            if self.ours.next(partition) >= Some(*end) {
                return Ok(None);
            }
            fetched.records.retain(|record| record.origin.offset < *end);
            fetched.next = fetched.next.min(*end);
        }
        // Before the gates are asked, which count what they let on.
        if !fetched.records.is_empty() && self.waits_for_turn(partition) {
            self.hold_back(partition, Instant::now() + TURN, Cause::Turn)?;
            return Ok(None);
        }
        let admission = self.gates.ask(&fetched.records);
        if let Some(first) = fetched.records.get(admission.now) {
            let at = first.origin.offset;
            self.holds.wait(partition, Instant::now() + admission.wait, Cause::Gate);
            self.pause_at(partition, at)?;
            fetched.records.truncate(admission.now);
            fetched.next = at;
            if admission.now == 0 {
                self.give_up_turn();
                return Ok(None);
            }
        }
        let sent = self.take_suspect(fetched, max)?;
        Ok(sent.map(|fetched| self.sent(fetched, None)))
    }

    pub(super) fn sent(&mut self, fetched: Fetched, replayed: Option<InFlight>) -> Pulled<LogRecord> {
        let Fetched { partition, epoch, mut records, next } = fetched;
        if !self.settings.addressed {
            records.iter_mut().for_each(mean_for_all);
        }
        self.ours.send(partition, next, replayed);
        Pulled { partition, epoch, end: next, tuples: records }
    }

    pub(super) fn no_longer_wanted(&mut self, partitions: &[u32]) {
        let mut wanted = self.revoking.take().unwrap_or_default();
        wanted.retain(|partition| !partitions.contains(partition));
        self.revoking = Some(wanted).filter(|wanted| !wanted.is_empty());
    }

    pub(super) fn forget(&mut self, partitions: &[u32]) {
        self.replays.remove(partitions);
        self.passed.retain(|(run, _)| !partitions.contains(&run.partition));
        self.holds.forget(partitions);
        self.moves.forget(partitions);
        self.moves.say_gone(partitions.iter().copied().filter(|partition| self.ours.of(*partition).is_some()));
        self.ours.remove(partitions);
        self.forget_suspects(partitions);
    }

    /// Gives partitions back that are wanted and have nothing in flight. Cancel-safe, and may be called again after
    /// an error.
    pub(super) async fn release(&mut self) -> Result<()> {
        let (ours, passed) = (&self.ours, &self.passed);
        let is_drained = |partitions: &mut Vec<u32>| {
            ours.is_drained(partitions) && !passed.iter().any(|(run, _)| partitions.contains(&run.partition))
        };
        if let Some(partitions) = self.revoking.take_if(is_drained) {
            self.releasing = Some(self.ours.farewells(Some(&partitions)));
            self.forget(&partitions);
        }
        if let Some(commits) = self.releasing.clone() {
            self.consumer().release(&commits).await?;
            self.releasing = None;
        }
        Ok(())
    }

    pub(super) fn commit(&mut self) -> Result<()> {
        let now = Instant::now();
        if now < self.next_commit {
            return Ok(());
        }
        self.next_commit = now + self.settings.commit_interval;
        let commits = self.ours.take_commits();
        // Also without anything to commit: only the next call tells that the last one failed.
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
}
