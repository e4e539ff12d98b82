//! Reading a range in blocks.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::{Range, Sample, VerifyError};
use crate::broker::{Bounds, Broker, BrokerError, Cursor, LogRecord, Scan};

/// Records of a sample that are further from each other are fetched one by one.
const FAR: u64 = 500;
/// Records of one fetch while they are near each other.
const FETCH: usize = 1_000;
/// How long the log may give nothing although there is more.
const PATIENCE: Duration = Duration::from_secs(30);

/// The records of a range, one block after the other.
pub(super) enum Blocks {
    All(Scan),
    Some(Box<Picked>),
}

/// The records of a sample.
pub(super) struct Picked {
    topic: String,
    range: Range,
    cursor: Box<dyn Cursor>,
    offsets: Box<dyn Iterator<Item = u64> + Send>,
    /// Fetched, and not asked for yet.
    ahead: VecDeque<LogRecord>,
    far: bool,
    /// The greatest offset that was given.
    last: Option<u64>,
}

/// Which part of a range that is one of several.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) range: Range,
    /// Offsets in the ranges before it.
    pub(super) before: u64,
    /// Offsets in all ranges.
    pub(super) total: u64,
}

impl Blocks {
    pub(super) fn new(
        broker: &dyn Broker,
        topic: &str,
        part: Part,
        sample: Option<Sample>,
    ) -> Result<Self, BrokerError> {
        let Part { range, before, total } = part;
        match sample {
            Some(sample) if sample.count < total => {
                let cursor = broker.cursor(topic, &[(range.partition, range.from)])?;
                Ok(Self::Some(Box::new(Picked {
                    topic: topic.to_owned(),
                    range,
                    cursor,
                    offsets: Box::new(sample.offsets(range, before, total)),
                    ahead: VecDeque::new(),
                    far: sample.stride(total) > FAR,
                    last: None,
                })))
            }
            _ => {
                let bounds = Bounds { partition: range.partition, earliest: range.from, latest: range.to };
                Ok(Self::All(Scan::new(broker, topic, &[bounds], |bounds| bounds.earliest)?))
            }
        }
    }

    /// The next records in order, at most about `records` and `bytes`; none at the end.
    pub(super) async fn next(&mut self, records: usize, bytes: usize) -> Result<Vec<LogRecord>, VerifyError> {
        let (mut block, mut size) = (Vec::new(), 0);
        let length = |record: &LogRecord| record.value.as_ref().map_or(0, bytes::Bytes::len);
        while block.len() < records && size < bytes {
            let more = match self {
                Self::All(scan) => scan.next().await?,
                Self::Some(picked) => picked.next().await?.map(|record| vec![record]),
            };
            let Some(more) = more else { break };
            size += more.iter().map(length).sum::<usize>();
            block.extend(more);
        }
        Ok(block)
    }
}

impl Picked {
    /// The first record at the next offset of the sample, or after it where the log has a hole.
    async fn next(&mut self) -> Result<Option<LogRecord>, BrokerError> {
        while let Some(offset) = self.offsets.next() {
            if self.last.is_some_and(|last| offset <= last) {
                continue;
            }
            let Some(record) = self.at(offset).await? else { return Ok(None) };
            self.last = Some(record.origin.offset);
            return Ok(Some(record));
        }
        Ok(None)
    }

    async fn at(&mut self, offset: u64) -> Result<Option<LogRecord>, BrokerError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            while self.ahead.front().is_some_and(|record| record.origin.offset < offset) {
                self.ahead.pop_front();
            }
            if let Some(record) = self.ahead.pop_front() {
                return Ok(Some(record).filter(|record| record.origin.offset < self.range.to));
            }
            let next = self.cursor.position(self.range.partition).unwrap_or(offset);
            if next >= self.range.to {
                return Ok(None);
            }
            if self.far && next < offset {
                self.cursor.seek(self.range.partition, offset)?;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.cursor.fetch(if self.far { 1 } else { FETCH }, left).await? {
                Some(fetched) => self.ahead.extend(fetched.records),
                None if left.is_zero() => {
                    let (what, after_ms) = (format!("reading {}", self.topic), PATIENCE.as_millis() as u64);
                    return Err(BrokerError::Timeout { what, after_ms });
                }
                None => {}
            }
        }
    }
}
