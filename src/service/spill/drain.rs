//! Brings the records of the spill into the log.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::durable::Inner;
use super::reader::{Reader, Run};
use crate::broker::BrokerError;
use crate::guard::{Rate, Verdict};
use crate::topology::{Class, Classify};

/// The longest wait between two looks at the breaker and the rate.
const LOOK: Duration = Duration::from_secs(1);

/// Drains until it is stopped: one append at a time, so that records keep their order; a single record after a failure,
/// then twice as many each time, so that neither a log that just came back nor a record that it refuses holds up more
/// than need be.
pub(super) async fn drain(inner: Arc<Inner>, mut reader: Reader, mut stop: watch::Receiver<bool>) {
    let settings = &inner.settings;
    let most = settings.drain_records.max(1);
    let mut rate = Rate::new(settings.drain_per_second, settings.drain_per_second.max(most as u64));
    let mut size = 1;
    while !*stop.borrow() {
        let run = match reader.next(size).await {
            Ok(Some(run)) => run,
            Ok(None) => {
                tokio::select! {
                    () = reader.changed() => {}
                    _ = stop.changed() => {}
                }
                continue;
            }
            Err(error) => {
                tracing::error!(%error, "the spill cannot be read; it is tried again");
                inner.spill.note(Some(error.to_string()));
                pause(LOOK, &mut stop).await;
                continue;
            }
        };
        if let Err(wait) = rate.take(inner.clock.now(), run.records.len() as u64) {
            pause(wait, &mut stop).await;
            continue;
        }
        match inner.bring_back(&run, &mut stop).await {
            Brought::Back => {
                reader.done(run).await;
                size = (size * 2).min(most);
            }
            Brought::Not(wait) => {
                size = 1;
                pause(wait, &mut stop).await;
            }
        }
    }
    reader.leave().await;
}

/// What became of a run.
enum Brought {
    /// The log has it.
    Back,
    /// It stays; when to try again.
    Not(Duration),
}

impl Inner {
    async fn bring_back(&self, run: &Run, stop: &mut watch::Receiver<bool>) -> Brought {
        let began = self.clock.now();
        let permit = match self.breaker.acquire(began) {
            Ok(permit) => permit,
            Err(refusal) => return Brought::Not(refusal.retry_after.min(LOOK)),
        };
        let append = timeout(self.settings.drain_wait, self.log.append(&run.topic, run.records.clone()));
        let mut append = pin!(append);
        let outcome = tokio::select! {
            outcome = &mut append => outcome,
            _ = stop.changed() => match timeout(self.settings.ack_wait, append).await {
                Ok(outcome) => outcome,
                // What is under way may come into the log all the same, and again after the next start.
                Err(_) => return Brought::Not(Duration::ZERO),
            },
        };
        let now = self.clock.now();
        let took = now.saturating_sub(began);
        let error = match outcome {
            Ok(Ok(_)) => {
                permit.record(Verdict::Success, took, now);
                return Brought::Back;
            }
            Ok(Err(error)) => error,
            Err(_) => BrokerError::Timeout {
                what: "an append of spilled records".into(),
                after_ms: u64::try_from(self.settings.drain_wait.as_millis()).unwrap_or(u64::MAX),
            },
        };
        let poison = error.class() == Class::Poison;
        permit.record(if poison { Verdict::Ignored } else { Verdict::Failure }, took, now);
        if poison && run.records.len() == 1 {
            // Never dropped: it was promised. An operator raises the log's limit.
            let why = format!("the log refuses a record of the spill, which holds up those behind it: {error}");
            tracing::error!("{why}");
            self.spill.note(Some(why));
        } else {
            tracing::debug!(%error, records = run.records.len(), "the log did not take records of the spill");
        }
        Brought::Not(self.settings.drain_retry)
    }
}

async fn pause(wait: Duration, stop: &mut watch::Receiver<bool>) {
    tokio::select! {
        () = sleep(wait) => {}
        _ = stop.changed() => {}
    }
}
