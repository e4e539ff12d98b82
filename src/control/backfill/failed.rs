//! What becomes of runs that failed: as with the spout of the live stream, but that a run which fails for good pauses its
//! job. The process goes on with other jobs, and no other one meets the same end.

use std::time::Duration;

use tokio::time::Instant;

use super::spout::BackfillSpout;
use super::work::Work;
use crate::broker::BrokerError;
use crate::broker::dead_letter::append_letters;
use crate::broker::spout::{InFlight, Replay};
use crate::topology::{Class, Classify, Error, Outcome, Pulled, Result};

impl BackfillSpout {
    /// Has it come again, sets it aside, or has the job paused.
    pub(super) async fn run_failed(&mut self, outcome: &Outcome, run: InFlight, class: Class) -> Result<()> {
        let Some(work) = &mut self.work else { return Ok(()) };
        if work.leaving {
            // Whoever has the chunk next reads it again.
            work.give_up_run();
            return Ok(());
        }
        let (partition, epoch, end, attempt) = (outcome.partition, outcome.epoch, outcome.end, run.attempt + 1);
        let poison = class == Class::Poison;
        // Poison is not for time to heal.
        let due = Instant::now() + if poison { Duration::ZERO } else { self.pause_before(attempt) };
        let singly = run.single || poison;
        let again = Replay { partition, epoch, start: run.start, end, attempt, singly, due, gated: false };
        if poison && outcome.isolated && (run.single || end - run.start == 1) {
            return self.set_aside(outcome, run, again).await;
        }
        let Some(work) = &mut self.work else { return Ok(()) };
        if attempt > self.settings.max_replays {
            let why = outcome.reason.as_deref().map_or_else(|| class.to_string(), |why| format!("{class}: {why}"));
            let place = format!("{}[{partition}]@{}", work.job.topic, run.start);
            work.stick(format!("{place} failed {attempt} times ({why}); mend it and resume"));
            return Ok(());
        }
        work.replays.push(again);
        Ok(())
    }

    /// Writes a poison record to the dead letters; the run is passed over once they are durable.
    async fn set_aside(&mut self, outcome: &Outcome, run: InFlight, again: Replay) -> Result<()> {
        let pause = self.pause_before(again.attempt);
        let Some(work) = &mut self.work else { return Ok(()) };
        let topic = work.job.topic.clone();
        let Some(dead_letters) = self.settings.dead_letters.clone() else {
            let at = run.start;
            return Err(Error::fatal(format!(
                "{topic}[{}]@{at} is poison and there is no dead-letter topic",
                again.partition
            )));
        };
        let range = Replay { singly: false, attempt: run.attempt, ..again };
        let mut records = match work.replays.read_all(&self.broker, &topic, range).await {
            Ok(records) => records,
            Err(error) => return Self::not_read(work, error, Replay { attempt: run.attempt, ..again }, pause),
        };
        let reason = outcome.reason.as_deref().unwrap_or("failed as poison each time it was tried");
        Self::address(self.only_sinks.as_ref(), &mut records);
        let letters: Vec<_> = records.iter().map(|record| (self.letters)(record, reason)).collect();
        if !letters.is_empty() {
            tracing::warn!(topic, range.partition, offset = run.start, reason, "record set aside as dead letter");
            let written = append_letters(&*self.broker.producer()?, &dead_letters, letters).await;
            if let Err(error) = written {
                return Self::not_read(work, error, Replay { attempt: run.attempt, ..again }, pause);
            }
        }
        let Outcome { partition, epoch, end, .. } = *outcome;
        work.passed.push_back((Pulled { partition, epoch, end, tuples: Vec::new() }, run));
        Ok(())
    }

    /// The log failed, or does not have it any more, which whoever begins at the floor again finds out in order.
    fn not_read(work: &mut Work, error: BrokerError, again: Replay, pause: Duration) -> Result<()> {
        match error {
            BrokerError::OutOfRange { .. } => {
                work.leave();
                work.give_up_run();
            }
            error if error.class() == Class::Retryable => {
                tracing::warn!(%error, "a dead letter could not be written, the record comes again");
                work.replays.push(Replay { due: Instant::now() + pause, ..again });
            }
            error => return Err(error.into()),
        }
        Ok(())
    }

    /// The pause before a run is delivered for the `attempt`th time after the first.
    fn pause_before(&self, attempt: u32) -> Duration {
        let (first, most) = (self.settings.replay_back_off, self.settings.replay_back_off_max);
        first.saturating_mul(1 << attempt.saturating_sub(1).min(20)).min(most)
    }
}
