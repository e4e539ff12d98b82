//! From librdkafka's messages to records, by partition.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use compact_str::CompactString;
use rdkafka::error::RDKafkaErrorCode as Code;

use super::consume::Message;
use super::poller::Live;
use crate::broker::{Fetched, LogRecord};
use crate::topology::{Headers, Origin, Record};

/// Payloads are copied into buffers of this size, so this much a record that is kept can keep alive.
const ARENA: usize = 64 * 1024;

/// A batch, sorted by partition.
pub(super) struct Gathered<'a> {
    pub(super) topic: &'a Arc<str>,
    pub(super) live: &'a mut BTreeMap<u32, Live>,
    pub(super) arena: &'a mut BytesMut,
    /// Those of the last record.
    pub(super) headers: &'a mut Headers,
    pub(super) runs: Vec<Fetched>,
    pub(super) errors: Vec<(u32, u64, Code)>,
}

impl Gathered<'_> {
    pub(super) fn add(&mut self, message: &Message<'_>) {
        let partition = u32::try_from(message.partition()).unwrap_or_default();
        let offset = u64::try_from(message.offset()).unwrap_or_default();
        if let Some(Code::AutoOffsetReset | Code::OffsetOutOfRange) = message.error()
            && let Some(live) = self.live.get_mut(&partition)
        {
            // Also of one that is paused: the client has given it up, and it cannot be sought in.
            live.stuck = true;
        }
        let Some(live) = self.live.get_mut(&partition).filter(|live| !live.draining && !live.paused) else {
            return;
        };
        live.arrived = true;
        match message.error() {
            None => {
                live.next = offset + 1;
                let (epoch, next) = (live.epoch, live.next);
                let record = self.record(message, partition, offset);
                let run = self.run(partition, epoch);
                run.records.push(record);
                run.next = next;
            }
            // The end lies past what was read when the last offsets are holes.
            Some(Code::PartitionEOF) if offset > live.next => {
                live.next = offset;
                let epoch = live.epoch;
                self.run(partition, epoch).next = offset;
            }
            Some(Code::PartitionEOF) => {}
            Some(code) => {
                tracing::debug!(topic = &**self.topic, partition, offset, ?code, reason = message.reason());
                self.errors.push((partition, offset, code));
            }
        }
    }

    fn run(&mut self, partition: u32, epoch: u32) -> &mut Fetched {
        // Messages come in runs, so it is nearly always the last one.
        let at = self.runs.iter().rposition(|run| run.partition == partition).unwrap_or_else(|| {
            self.runs.push(Fetched { partition, epoch, records: Vec::new(), next: 0 });
            self.runs.len() - 1
        });
        &mut self.runs[at]
    }

    fn record(&mut self, message: &Message<'_>, partition: u32, offset: u64) -> LogRecord {
        Record {
            origin: Origin { topic: Arc::clone(self.topic), partition, offset, attempt: 0 },
            key: message.key().map(|key| self.copy(key)),
            headers: self.headers(message),
            timestamp_ms: message.timestamp_ms().unwrap_or_default(),
            value: message.payload().map(|payload| self.copy(payload)),
        }
    }

    /// Shared with the last record where they are the same, as mostly they are.
    fn headers(&mut self, message: &Message<'_>) -> Headers {
        let last = self.headers.clone();
        let (mut others, mut same) = (last.iter(), true);
        message.headers(|name, value| {
            same = same && others.next().is_some_and(|(n, v)| n.as_bytes() == name && **v == *value);
        });
        same = same && others.next().is_none();
        drop(others);
        if same {
            return last;
        }
        let mut headers = Headers::default();
        message.headers(|name, value| headers.push(CompactString::from_utf8_lossy(name), self.copy(value)));
        self.headers.clone_from(&headers);
        headers
    }

    fn copy(&mut self, data: &[u8]) -> Bytes {
        if data.is_empty() {
            return Bytes::new();
        }
        if self.arena.capacity() < data.len() {
            *self.arena = BytesMut::with_capacity(ARENA.max(data.len()));
        }
        self.arena.extend_from_slice(data);
        self.arena.split().freeze()
    }
}
