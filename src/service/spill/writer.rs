//! The end at which records come in.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::SpillError;
use super::segment::{Segment, TOPIC};
use super::shared::Shared;
use crate::broker::{Append, Broker};

/// Bytes of appends that are written as one.
const WRITE_BYTES: u64 = 4 * 1024 * 1024;

/// Records that wait for the disk, and who waits for them.
pub(super) struct Request {
    pub(super) records: Vec<Append>,
    /// What they count for. Their room is reserved.
    pub(super) bytes: u64,
    /// When the oldest of them was made.
    pub(super) oldest_ms: i64,
    pub(super) reply: oneshot::Sender<Result<(), SpillError>>,
    /// Given back with the answer.
    pub(super) _room: OwnedSemaphorePermit,
}

/// A task of its own: what waits while one write is synced is written together with the next. Records whose caller has
/// gone are written all the same.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    /// Bounded by the room that each request holds.
    pub(super) queue: mpsc::UnboundedReceiver<Request>,
    pub(super) next: u64,
    pub(super) tail: Option<Arc<Segment>>,
}

impl Writer {
    /// Writes until the spill is closed and nothing waits.
    pub(super) async fn run(mut self) {
        while let Some(first) = self.queue.recv().await {
            let mut bytes = first.bytes;
            let mut requests = vec![first];
            while bytes < WRITE_BYTES
                && let Ok(request) = self.queue.try_recv()
            {
                bytes += request.bytes;
                requests.push(request);
            }
            self.write(requests, bytes).await;
        }
    }

    async fn write(&mut self, mut requests: Vec<Request>, bytes: u64) {
        let records: Vec<Append> =
            requests.iter_mut().flat_map(|request| std::mem::take(&mut request.records)).collect();
        let (count, oldest_ms) = (records.len() as u64, requests.iter().map(|request| request.oldest_ms).min());
        let outcome = self.append(records, bytes).await;
        match &outcome {
            Ok(()) => self.shared.appended(count, oldest_ms.unwrap_or(i64::MAX)),
            Err(error) => {
                tracing::error!(%error, records = count, "the spill did not take records; they were not acknowledged");
                self.shared.note(Some(error.to_string()));
            }
        }
        for request in requests {
            // Whoever asked may have gone.
            let _gone = request.reply.send(outcome.clone());
        }
    }

    async fn append(&mut self, records: Vec<Append>, bytes: u64) -> Result<(), SpillError> {
        let segment = match self.tail().await {
            Ok(segment) => segment,
            Err(error) => {
                self.shared.free(bytes);
                return Err(error);
            }
        };
        // Counted before it is there: the reader may drain it before this goes on.
        segment.add(bytes, records.len() as u64);
        let written = async { Ok(segment.log().await?.producer()?.append(TOPIC, records).await.map(drop)?) }.await;
        segment.end();
        if written.is_err() {
            // A log takes nothing more after a failure. Whether these records are in it is unknown: they count until
            // it is drained and gone.
            self.retire(&segment).await;
        }
        written
    }

    /// The segment to append to, with an append begun.
    async fn tail(&mut self) -> Result<Arc<Segment>, SpillError> {
        if let Some(tail) = self.tail.clone() {
            let room = tail.written() < self.shared.settings.segment_bytes();
            if room && tail.begin() {
                return Ok(tail);
            }
            self.retire(&tail).await;
        }
        let tail = self.begin_segment().await?;
        tail.begin();
        self.tail = Some(tail.clone());
        Ok(tail)
    }

    /// Makes a new segment the last one.
    pub(super) async fn begin_segment(&mut self) -> Result<Arc<Segment>, SpillError> {
        let (number, folder) = (self.next, &self.shared.folder);
        let segment = Arc::new(Segment::new(number, folder.segment(number), &self.shared.settings));
        segment.log().await?;
        let shared = self.shared.clone();
        let synced = tokio::task::spawn_blocking(move || shared.folder.sync(number)).await;
        synced.unwrap_or(Err(SpillError::Closed))?;
        self.next += 1;
        self.shared.push(segment.clone());
        Ok(segment)
    }

    /// Appends no more to a segment. Unless the reader is at it, its log is closed until then.
    async fn retire(&mut self, segment: &Arc<Segment>) {
        self.tail = None;
        segment.seal();
        if !self.shared.is_first(segment) {
            segment.close().await;
        }
        // The reader may remove it now if it is drained.
        self.shared.changed.notify_one();
    }
}
