//! What becomes of runs that failed.

use super::LogSpout;
use super::assigned::InFlight;
use super::replay::{Replay, Replays};
use crate::broker::dead_letter::dead_letter;
use crate::topology::{Class, Error, Outcome, Pulled, Result};

impl LogSpout {
    /// Replays it, sets it aside, or ends the run.
    pub(super) async fn run_failed(&mut self, outcome: &Outcome, run: InFlight, class: Class) -> Result<()> {
        let Outcome { partition, epoch, end, .. } = *outcome;
        if self.revoking.as_ref().is_some_and(|wanted| wanted.contains(&partition)) {
            // The heir reads it again.
            return Ok(());
        }
        let attempt = run.attempt + 1;
        let single = run.single || end - run.start == 1;
        let poison = class == Class::Poison;
        if single && poison {
            return self.set_aside(outcome, run).await;
        }
        if single && attempt > self.settings.max_replays {
            let topic = &self.settings.topic;
            return Err(Error::fatal(format!(
                "{topic}[{partition}]@{} failed {attempt} times ({class}); nothing past it is committed",
                run.start
            )));
        }
        let singly = run.single || poison || attempt > 1;
        self.replays.push(Replay { partition, epoch, start: run.start, end, attempt, singly });
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
        let mut again = Replays::default();
        again.push(Replay { partition, epoch, start: run.start, end, attempt: run.attempt, singly: false });
        // The end is not reached at once where a hole follows the record.
        while !again.is_empty() {
            let read = again.next(&self.broker, topic, 2).await?;
            let reason = "failed as poison each time it was tried; the incidents of the run say where";
            let records = read.iter().flat_map(|(fetched, _)| &fetched.records);
            let letters: Vec<_> = records.map(|record| dead_letter(record, Class::Poison, reason)).collect();
            if !letters.is_empty() {
                tracing::warn!(topic, partition, offset = run.start, "record set aside as dead letter");
                self.broker.producer()?.append(dead_letters, letters).await?;
            }
        }
        self.passed.push_back((Pulled { partition, epoch, end, tuples: Vec::new() }, run));
        Ok(())
    }
}
