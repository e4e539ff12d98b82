//! Reading a range of a topic, one fetch at a time.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::{Bounds, Broker, BrokerError, Cursor, LogRecord};

/// Records of one fetch.
const FETCH: usize = 1_000;
/// How long the log may give nothing although there is more.
const PATIENCE: Duration = Duration::from_secs(30);

/// The rest of a range of a topic: of each partition from an offset on, up to the end as it was.
pub(crate) struct Scan {
    topic: String,
    cursor: Option<Box<dyn Cursor>>,
    /// By partition: where it ends.
    ends: BTreeMap<u32, u64>,
}

impl Scan {
    /// The range between what `from` says of each partition's bounds, and their end.
    pub(crate) fn new(
        broker: &dyn Broker,
        topic: &str,
        bounds: &[Bounds],
        from: impl Fn(&Bounds) -> u64,
    ) -> Result<Self, BrokerError> {
        let starts =
            bounds.iter().map(|bounds| (bounds.partition, from(bounds).max(bounds.earliest), bounds.latest));
        let starts: Vec<_> = starts.filter(|(_, start, end)| start < end).collect();
        let cursor = match starts.is_empty() {
            true => None,
            false => {
                let starts: Vec<_> = starts.iter().map(|(partition, start, _)| (*partition, *start)).collect();
                Some(broker.cursor(topic, &starts)?)
            }
        };
        let ends = starts.into_iter().map(|(partition, _, end)| (partition, end)).collect();
        Ok(Self { topic: topic.to_owned(), cursor, ends })
    }

    /// The next records of some partition, in order; `None` at the end of all.
    ///
    /// # Errors
    /// What the log says; [`BrokerError::Timeout`] when nothing comes for half a minute.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<LogRecord>>, BrokerError> {
        let Some(cursor) = &mut self.cursor else { return Ok(None) };
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.ends.retain(|partition, end| cursor.position(*partition).is_some_and(|next| next < *end));
            if self.ends.is_empty() {
                return Ok(None);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match cursor.fetch(FETCH, left).await? {
                Some(fetched) => {
                    // Of a partition that is read to its end more may have come since.
                    let Some(end) = self.ends.get(&fetched.partition) else { continue };
                    let mut records = fetched.records;
                    records.retain(|record| record.origin.offset < *end);
                    return Ok(Some(records));
                }
                None if left.is_zero() => {
                    let (what, after_ms) = (format!("reading {}", self.topic), PATIENCE.as_millis() as u64);
                    return Err(BrokerError::Timeout { what, after_ms });
                }
                None => {}
            }
        }
    }
}
