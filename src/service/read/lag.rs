//! How far a topology is behind, for answers that say so.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use crate::broker::{Bounds, Broker, BrokerError};

/// Looks that are remembered at most.
const LOOKS: usize = 600;
/// After so many intervals without a look nothing is known any more.
const STALE: u32 = 10;

/// How far a topology was behind at a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LagStanding {
    /// Records of the log that it has not committed.
    pub records: u64,
    /// Age of the oldest of them, at most, in milliseconds: 0 without any, `None` when it came before the first look.
    pub age_ms: Option<u64>,
}

/// Looks at the log in the background and remembers how far a group is behind: asking costs nothing, whatever the number of
/// requests. Clones are the same; with the last the looking ends.
///
/// The age comes from what was seen before, not from the records: a record arrived after the last look at which the log
/// ended before it.
#[derive(Clone)]
pub struct LagWatch(Arc<Watched>);

struct Watched {
    standing: watch::Receiver<Option<(Instant, LagStanding)>>,
    every: Duration,
    looking: AbortHandle,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

impl LagWatch {
    /// Looks every `every`, at least a millisecond, how far `group` is in `topic`.
    pub fn start(broker: Arc<dyn Broker>, topic: &str, group: &str, every: Duration) -> Self {
        let every = every.max(Duration::from_millis(1));
        let (told, standing) = watch::channel(None);
        let (topic, group) = (topic.to_owned(), group.to_owned());
        let looking = tokio::spawn(async move {
            let mut history = History::default();
            loop {
                let patience = every.saturating_mul(STALE);
                match timeout(patience, look(&*broker, &topic, &group)).await {
                    Ok(Ok((bounds, committed))) => {
                        let standing = history.standing(Instant::now(), &bounds, &committed);
                        told.send_replace(Some((Instant::now(), standing)));
                    }
                    Ok(Err(error)) => tracing::debug!(%error, "the lag is not known"),
                    Err(_) => tracing::debug!("the lag is not known: the log does not answer"),
                }
                tokio::time::sleep(every).await;
            }
        });
        Self(Arc::new(Watched { standing, every, looking: looking.abort_handle() }))
    }

    /// The last look; `None` before the first, and when the log has been away for ten intervals.
    pub fn standing(&self) -> Option<LagStanding> {
        let (at, standing) = (*self.0.standing.borrow())?;
        (at.elapsed() <= self.0.every.saturating_mul(STALE)).then_some(standing)
    }
}

async fn look(
    broker: &dyn Broker,
    topic: &str,
    group: &str,
) -> Result<(Vec<Bounds>, Vec<Option<u64>>), BrokerError> {
    // The commits first: they only grow, so nothing seems to be committed that is not in the log.
    let committed = broker.committed(group, topic).await?;
    Ok((broker.bounds(topic).await?, committed))
}

/// Where the log ended at earlier looks, by partition.
#[derive(Default)]
pub(super) struct History(VecDeque<(Instant, Vec<(u32, u64)>)>);

impl History {
    /// How the group stands, now that the log was looked at.
    pub(super) fn standing(&mut self, now: Instant, bounds: &[Bounds], committed: &[Option<u64>]) -> LagStanding {
        if self.0.len() == LOOKS {
            self.0.pop_front();
        }
        self.0.push_back((now, bounds.iter().map(|held| (held.partition, held.latest)).collect()));
        let mut standing = LagStanding { records: 0, age_ms: Some(0) };
        for held in bounds {
            let done = committed.get(held.partition as usize).copied().flatten();
            let next = done.unwrap_or(held.earliest).clamp(held.earliest, held.latest);
            if next < held.latest {
                standing.records += held.latest - next;
                let age = self.age(now, held.partition, next);
                standing.age_ms = standing.age_ms.zip(age).map(|(oldest, age)| oldest.max(age));
            }
        }
        standing
    }

    /// How old the record at `next` is at most.
    fn age(&self, now: Instant, partition: u32, next: u64) -> Option<u64> {
        let before = |looked: &&(Instant, Vec<(u32, u64)>)| {
            looked.1.iter().any(|(of, latest)| *of == partition && *latest <= next)
        };
        let (at, _) = self.0.iter().rev().find(before)?;
        Some(u64::try_from((now - *at).as_millis()).unwrap_or(u64::MAX))
    }
}
