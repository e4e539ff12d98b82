//! Appends through the socket.

use std::sync::Arc;

use super::super::super::producer::size;
use super::super::wire::{Reply, Request};
use super::line::strange;
use super::lines::Lines;
use crate::broker::{Append, BrokerError, Position, Producer};
use crate::topology::BoxFuture;

/// Bytes that a request has beside its records: a topic's name, and lengths.
const BESIDE: usize = 1024;

/// The producer of a remote log. A call that does not fit into a frame goes as several appends, one after the other.
pub(super) struct RemoteProducer {
    pub(super) lines: Arc<Lines>,
}

impl RemoteProducer {
    async fn send(&self, topic: &str, records: Vec<Append>) -> Result<Vec<Position>, BrokerError> {
        let limit = self.lines.max_record_bytes();
        // Looked at first, so that nothing of the call is appended when one is too large.
        if let Some(size) = records.iter().map(size).find(|size| *size > limit) {
            return Err(BrokerError::TooLarge { size, limit });
        }
        let mut positions = Vec::with_capacity(records.len());
        for part in parts(records, self.lines.frame_bytes().saturating_sub(BESIDE)) {
            let count = part.len();
            match self.lines.ask(&Request::Append(topic.to_owned(), part)).await? {
                Reply::Positions(told) if told.len() == count => positions.extend(told),
                other => return Err(strange(&self.lines.socket, &other)),
            }
        }
        Ok(positions)
    }
}

impl Producer for RemoteProducer {
    fn append<'a>(
        &'a self,
        topic: &'a str,
        records: Vec<Append>,
    ) -> BoxFuture<'a, Result<Vec<Position>, BrokerError>> {
        let limit = self.lines.settings.delivery_timeout;
        Box::pin(self.lines.within("append", limit, self.send(topic, records)))
    }
}

/// The records in parts that fit into `room` bytes each, in order; at least one part, so that the topic is asked for.
fn parts(records: Vec<Append>, room: usize) -> Vec<Vec<Append>> {
    let (mut parts, mut bytes) = (vec![Vec::new()], 0);
    for record in records {
        let record_bytes = bytes_of(&record);
        let part = parts.last_mut().expect("there is always one");
        if !part.is_empty() && bytes + record_bytes > room {
            bytes = 0;
            parts.push(vec![record]);
        } else {
            part.push(record);
        }
        bytes += record_bytes;
    }
    parts
}

/// Bytes that a record takes in a frame at most: its own, and a length beside each part.
fn bytes_of(record: &Append) -> usize {
    size(record) + 20 * record.headers.len() + 64
}
