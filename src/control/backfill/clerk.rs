//! The task that writes into the ledger.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::Event;
use super::desk::{Order, Post, Shared};
use crate::broker::{Append, BrokerError};
use crate::control::AuditRecord;

/// A lease whose floor stands still, or has moved by little, is renewed this often in its length.
const RENEWALS: u64 = 5;
/// What part of a chunk is worth a record of the ledger, which keeps them for long and is read as a whole: the progress of a
/// slow job is said when its lease is renewed.
const WORTH: u64 = 100;

/// Writes what the tasks order, in order, and between that their progress. Through every outage of the log: what cannot
/// be written is said to who ordered it, and progress is written anew.
pub(super) async fn clerk(shared: Arc<Shared>, mut orders: mpsc::Receiver<Order>) {
    let mut ticks = interval(shared.settings.report);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut clerk = Clerk { shared, said: BTreeMap::new(), away: false };
    loop {
        tokio::select! {
            biased;
            order = orders.recv() => {
                let Some(Order { event, audit, reply }) = order else { return };
                let audited = match audit {
                    Some(record) => clerk.audit(&record).await,
                    None => true,
                };
                let offset = if audited { clerk.write(vec![event]).await } else { None };
                // Who ordered may be gone.
                let _gone = reply.send(offset);
            }
            _ = ticks.tick() => clerk.report().await,
        }
    }
}

struct Clerk {
    shared: Arc<Shared>,
    /// By worker, the token and floor that were written last, and when.
    said: BTreeMap<String, (u64, u64, Instant)>,
    /// Whether the last write failed.
    away: bool,
}

impl Clerk {
    /// Writes the progress of those whose floor moved by something, or whose lease wants to be renewed.
    async fn report(&mut self) {
        let posts: Vec<(String, Post)> =
            self.shared.posts().iter().map(|(worker, post)| (worker.clone(), post.clone())).collect();
        self.said.retain(|worker, _| posts.iter().any(|(known, _)| known == worker));
        let (now, at_ms) = (Instant::now(), self.shared.settings.clock.unix_ms());
        let (mut events, mut said) = (Vec::new(), Vec::new());
        for (worker, Post { job, chunk, floor, .. }) in posts {
            let lease = self.shared.look(|ledger| {
                let entry = ledger.job(&job)?;
                let lease = entry.lease(chunk).filter(|lease| lease.worker == worker)?;
                let job = entry.job();
                Some((lease.token, Duration::from_millis(job.lease_ms / RENEWALS), job.chunk / WORTH))
            });
            let Some((token, renewal, worth)) = lease else { continue };
            let is_known = |(t, f, when): &(u64, u64, Instant)| {
                *t == token && floor <= f.saturating_add(worth) && now.duration_since(*when) < renewal
            };
            if self.said.get(&worker).is_some_and(is_known) {
                continue;
            }
            events.push(Event::Progress { job, chunk, token, next: floor, at_ms });
            said.push((worker, (token, floor, now)));
        }
        if !events.is_empty() && self.write(events).await.is_some() {
            self.said.extend(said);
        }
    }

    /// `false` when it may not be there.
    async fn audit(&mut self, record: &AuditRecord) -> bool {
        let topic = self.shared.names.audit.clone();
        self.append(&topic, vec![record.encode()]).await.is_some()
    }

    /// The offset of the first event; `None` when it is unknown whether they were written.
    async fn write(&mut self, events: Vec<Event>) -> Option<u64> {
        let topic = self.shared.names.backfill.clone();
        self.append(&topic, events.iter().map(Event::encode).collect()).await
    }

    async fn append(&mut self, topic: &str, values: Vec<Bytes>) -> Option<u64> {
        let records = values.into_iter().map(|value| Append {
            partition: Some(0),
            value: Some(value),
            timestamp_ms: Some(self.shared.settings.clock.unix_ms()),
            ..Append::default()
        });
        let after = self.shared.settings.patience;
        let append = async { self.shared.broker.producer()?.append(topic, records.collect()).await };
        let late =
            || BrokerError::Timeout { what: format!("writing to {topic}"), after_ms: after.as_millis() as u64 };
        match timeout(after, append).await.unwrap_or_else(|_| Err(late())) {
            Ok(positions) => {
                if std::mem::take(&mut self.away) {
                    tracing::warn!("the progress of backfills can be written again");
                }
                positions.first().map(|position| position.offset)
            }
            Err(error) => {
                if !std::mem::replace(&mut self.away, true) {
                    tracing::warn!(%error, "the progress of backfills cannot be written, trying again until it can");
                }
                None
            }
        }
    }
}
