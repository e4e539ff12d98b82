//! How a task reads its chunk.

use std::time::Duration;

use tokio::time::Instant;

use super::budget::LONGEST_REST;
use super::spout::BackfillSpout;
use super::{Leases, Turn};
use crate::broker::{BrokerError, Fetched, LogRecord};
use crate::topology::{Class, Classify, Pulled, Result};

/// One fetch of a cursor waits this long: the records are there, but what is a hole is only known by waiting.
const FETCH: Duration = Duration::from_millis(50);

impl BackfillSpout {
    /// The next run, as far as the budget and the live stream let; `None` when there is something else to look at.
    /// Cancel-safe.
    pub(super) async fn pull(&mut self, leases: Leases, max: usize) -> Result<Option<Pulled<LogRecord>>> {
        if let Some(rest) = self.rest_for_live() {
            self.desk().rests_until(&self.me, Instant::now());
            return self.wait(rest).await.map(|()| None);
        }
        let now = self.settings.clock.now();
        let turn = self.budget.as_ref().map_or(Turn::Pull(max), |(_, budget)| budget.turn(now, leases, max));
        let max = match turn {
            Turn::Pull(max) => max,
            Turn::Rest(wait) => {
                self.desk().rests_until(&self.me, Instant::now() + wait);
                return self.wait(wait).await.map(|()| None);
            }
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
            self.went = Some(Instant::now());
        }
        Ok(found)
    }

    /// How long nothing goes because the live stream is behind, unless it catches up before.
    fn rest_for_live(&self) -> Option<Duration> {
        let until = self.went.filter(|_| self.desk().is_live_behind())? + LONGEST_REST;
        Some(until.saturating_duration_since(Instant::now())).filter(|rest| !rest.is_zero())
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
            let (topic, start) = (&work.job.topic, [(partition, work.next)]);
            let opened = match self.budget.as_ref().and_then(|(_, budget)| budget.ahead()) {
                Some(ahead) => self.broker.slow_cursor(topic, &start, ahead),
                None => self.broker.cursor(topic, &start),
            };
            match opened {
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
            // The bounds were asked for afterwards: what lies within them was not there for a moment only.
            Err(error @ BrokerError::OutOfRange { earliest, latest, .. })
                if (earliest..=latest).contains(&work.next) =>
            {
                work.cursor = None;
                return self.log_failed(error).map(|()| None);
            }
            Err(BrokerError::OutOfRange { earliest, .. }) => {
                // A log that ends before the chunk does was begun anew: nothing of the rest will come.
                let gone = if earliest > work.next { earliest.min(to) } else { to };
                let deleted = earliest > work.next;
                return self.lose(gone, deleted).map(|()| None);
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
