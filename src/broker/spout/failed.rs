//! What becomes of runs that failed.

use super::LogSpout;
use super::assigned::InFlight;
use super::replay::{Replay, Replays};
use crate::broker::dead_letter::{TRUNCATED_HEADER, dead_letter, truncate};
use crate::broker::{Append, Broker, BrokerError};
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
        let poison = class == Class::Poison;
        let again = Replay { partition, epoch, start: run.start, end, attempt, singly: run.single || poison };
        if poison && outcome.isolated && (run.single || end - run.start == 1) {
            return match self.set_aside(outcome, run).await {
                Err(error) if error.class() == Class::Retryable => {
                    tracing::warn!(error = %error, "a dead letter could not be written, the record comes again");
                    self.replays.push(Replay { attempt: run.attempt, ..again });
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
                Self::write_letters(&*self.broker, dead_letters, letters).await?;
            }
        }
        self.passed.push_back((Pulled { partition, epoch, end, tuples: Vec::new() }, run));
        Ok(())
    }

    /// Appends dead letters; one that its headers make too large for the log loses the end of its value.
    async fn write_letters(broker: &dyn Broker, topic: &str, letters: Vec<Append>) -> Result<()> {
        let producer = broker.producer()?;
        match producer.append(topic, letters.clone()).await {
            Err(BrokerError::TooLarge { size, limit }) => {
                let excess = size.saturating_sub(limit) + TRUNCATED_HEADER;
                let letters = letters.into_iter().map(|letter| truncate(letter, excess)).collect();
                producer.append(topic, letters).await?;
            }
            result => drop(result?),
        }
        Ok(())
    }
}
