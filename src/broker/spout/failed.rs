//! What becomes of runs that failed.

use std::time::Duration;

use tokio::time::Instant;

use super::assigned::InFlight;
use super::replay::Replay;
use super::{LogSpout, LogSpoutSettings};
use crate::broker::dead_letter::append_letters;
use crate::topology::{Class, Error, Outcome, Pulled, Result};

impl LogSpout {
    /// Replays it, sets it aside, or ends the run.
    pub(super) async fn run_failed(&mut self, outcome: &Outcome, run: InFlight, class: Class) -> Result<()> {
        let Outcome { partition, epoch, end, .. } = *outcome;
        if self.revoking.as_ref().is_some_and(|wanted| wanted.contains(&partition)) || self.moves.has(partition) {
            // The heir reads it again, or nobody is to.
            return Ok(());
        }
        let attempt = run.attempt + 1;
        let poison = class == Class::Poison;
        // Poison is not for time to heal.
        let due = Instant::now() + if poison { Duration::ZERO } else { self.back_off(attempt) };
        let singly = run.single || poison;
        let again = Replay { partition, epoch, start: run.start, end, attempt, singly, due, gated: false };
        if poison && outcome.isolated && (run.single || end - run.start == 1) {
            return match self.set_aside(outcome, run).await {
                Err(error) if error.class() == Class::Retryable => {
                    tracing::warn!(error = %error, "a dead letter could not be written, the record comes again");
                    let due = Instant::now() + self.back_off(attempt);
                    self.replays.push(Replay { attempt: run.attempt, due, ..again });
                    Ok(())
                }
                result => result,
            };
        }
        if attempt > self.settings.max_replays {
            let topic = &self.settings.topic;
            return Err(Error::fatal(format!(
                "{topic}[{partition}]@{} failed {attempt} times ({class}); nothing past it is committed",
                run.start
            )));
        }
        self.replays.push(again);
        Ok(())
    }

    /// Writes a poison record to the dead letters; the run is passed over once they are durable.
    async fn set_aside(&mut self, outcome: &Outcome, run: InFlight) -> Result<()> {
        let Outcome { partition, epoch, end, .. } = *outcome;
        let topic = &self.settings.topic;
        let Some(dead_letters) = &self.settings.dead_letters else {
            return Err(Error::fatal(format!(
                "{topic}[{partition}]@{} is poison and there is no dead-letter topic",
                run.start
            )));
        };
        let due = Instant::now();
        let (start, attempt) = (run.start, run.attempt);
        let range = Replay { partition, epoch, start, end, attempt, singly: false, due, gated: false };
        let records = self.replays.read_all(&self.broker, topic, range).await?;
        let reason = outcome.reason.as_deref().unwrap_or("failed as poison each time it was tried");
        let letters: Vec<_> = records.iter().map(|record| (self.letters)(record, reason)).collect();
        if !letters.is_empty() {
            tracing::warn!(topic, partition, offset = run.start, reason, "record set aside as dead letter");
            append_letters(&*self.broker.producer()?, dead_letters, letters).await?;
        }
        self.passed.push_back((Pulled { partition, epoch, end, tuples: Vec::new() }, run));
        Ok(())
    }

    /// The pause before a run is delivered for the `attempt`th time after the first.
    fn back_off(&self, attempt: u32) -> Duration {
        let LogSpoutSettings { replay_back_off, replay_back_off_max, .. } = self.settings;
        replay_back_off.saturating_mul(1 << attempt.saturating_sub(1).min(20)).min(replay_back_off_max)
    }
}
