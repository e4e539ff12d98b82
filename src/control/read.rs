//! Reading a topic to its end.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::broker::{Bounds, Broker, BrokerError, LogRecord};
use crate::topology::{Class, Classify};

/// Records of one fetch.
const FETCH: usize = 1000;
/// How long a log that has just started, and has not chosen yet who leads a topic, is waited for.
const STARTS: Duration = Duration::from_secs(10);
/// Between two looks at it.
const AGAIN: Duration = Duration::from_millis(100);

/// Where a read begins.
#[derive(Debug, Clone, Copy)]
pub(super) enum Begin {
    /// At the oldest record.
    Earliest,
    /// At the first record of this time or later, in milliseconds since the Unix epoch.
    Time(i64),
    /// With this many records before the end.
    Last(u64),
}

/// Hands all records of partition 0 to `each`, up to the end as it was at the call. Returns the offset after them; 0
/// for a topic that does not exist.
///
/// # Errors
/// What the log says; [`BrokerError::Timeout`] when it takes longer than `patience`.
pub(super) async fn read(
    broker: &dyn Broker,
    topic: &str,
    from: Begin,
    patience: Duration,
    mut each: impl FnMut(&LogRecord),
) -> Result<u64, BrokerError> {
    if broker.topic(topic).await?.is_none() {
        return Ok(0);
    }
    let Some(bounds) = bounds(broker, topic).await?.into_iter().next() else { return Ok(0) };
    let start = match from {
        Begin::Earliest => bounds.earliest,
        Begin::Last(records) => bounds.latest.saturating_sub(records).max(bounds.earliest),
        Begin::Time(ms) => {
            let found = broker.offsets_at(topic, ms).await?.first().copied();
            found.unwrap_or(bounds.latest).max(bounds.earliest)
        }
    };
    let deadline = Instant::now() + patience;
    let mut cursor = broker.cursor(topic, &[(0, start)])?;
    while cursor.position(0).unwrap_or(start) < bounds.latest {
        let left = deadline.saturating_duration_since(Instant::now());
        match cursor.fetch(FETCH, left).await? {
            Some(fetched) => fetched.records.iter().for_each(&mut each),
            None if Instant::now() >= deadline => {
                let after_ms = patience.as_millis() as u64;
                return Err(BrokerError::Timeout { what: format!("reading {topic}"), after_ms });
            }
            None => {}
        }
    }
    Ok(bounds.latest)
}

/// The bounds, from a log that has just started too. What takes as long as that to fail is not tried again.
async fn bounds(broker: &dyn Broker, topic: &str) -> Result<Vec<Bounds>, BrokerError> {
    let until = Instant::now() + STARTS;
    loop {
        match broker.bounds(topic).await {
            Err(error) if error.class() == Class::Retryable && Instant::now() < until => sleep(AGAIN).await,
            result => return result,
        }
    }
}
