//! The spill itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::envelope::{counted, size, wrap};
use super::folder::Folder;
use super::reader::Reader;
use super::segment::{Segment, TOPIC};
use super::settings::SpillSettings;
use super::shared::Shared;
use super::status::SpillStatus;
use super::writer::{Request, Writer};
use super::{SpillError, envelope};
use crate::broker::{Append, Broker, BrokerError};
use crate::guard::Clock;

/// Records of one read while what is there is counted.
const COUNT: usize = 1000;

/// Records that are durable on the local disk, up to a bound; see the [module](super).
///
/// ```
/// use squall::broker::Append;
/// use squall::guard::Clock;
/// use squall::service::spill::{Spill, SpillSettings};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), squall::service::spill::SpillError> {
/// # let dir = tempfile::tempdir().expect("a directory");
/// let (spill, mut reader) = Spill::open(SpillSettings::new(dir.path()), Clock::new()).await?;
/// let word = Append { value: Some("hello".into()), ..Append::default() };
/// spill.append("words", vec![word]).await?; // it is on the disk now
/// let run = reader.next(100).await?.expect("it is there");
/// assert_eq!((run.topic.as_str(), run.records.len()), ("words", 1));
/// // ... append the run to the log ...
/// reader.done(run).await;
/// assert_eq!(reader.next(100).await?, None);
/// # Ok(())
/// # }
/// ```
pub struct Spill {
    shared: Arc<Shared>,
    queue: Mutex<Option<mpsc::UnboundedSender<Request>>>,
    /// Bytes that may still wait in it.
    room: Arc<Semaphore>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Spill {
    /// Opens the spill, which is created when it is missing, and reads what is in it to know how much that is.
    ///
    /// A full disk is no reason not to: draining is what frees it. Nothing is taken until then, and what cannot be opened
    /// yet does not count.
    ///
    /// # Errors
    /// [`SpillError::Locked`] while another process has it open; what the disk says.
    pub async fn open(settings: SpillSettings, clock: Clock) -> Result<(Self, Reader), SpillError> {
        let dir = settings.dir.clone();
        let opened = tokio::task::spawn_blocking(move || {
            let folder = Folder::open(&dir)?;
            let numbers = folder.segments()?;
            Ok((folder, numbers))
        });
        let (folder, numbers) = opened.await.unwrap_or(Err(SpillError::Closed))?;
        let shared = Arc::new(Shared::new(settings, clock, folder));
        let next = numbers.last().map_or(1, |last| last + 1);
        let mut oldest_ms = None;
        for number in numbers {
            let segment = Arc::new(Segment::new(number, shared.folder.segment(number), &shared.settings));
            match count(&shared, &segment).await {
                Ok(first) => oldest_ms = oldest_ms.or(first),
                Err(error) if is_full(&error) => shared.trouble(&error),
                Err(error) => return Err(error),
            }
            segment.seal();
            segment.close().await;
            shared.push(segment);
        }
        shared.oldest(oldest_ms);
        let (queue, requests) = mpsc::unbounded_channel();
        let mut writer = Writer { shared: shared.clone(), queue: requests, next, tail: None };
        // Now, so that a folder in which nothing can be made is known at the start.
        match writer.begin_segment().await {
            Ok(tail) => writer.tail = Some(tail),
            Err(error) if is_full(&error) => shared.trouble(&error),
            Err(error) => return Err(error),
        }
        let writer = tokio::spawn(writer.run());
        let reader = Reader::new(shared.clone());
        let room = Arc::new(Semaphore::new(shared.settings.queue_bytes.max(1) as usize));
        let spill = Self { shared, queue: Mutex::new(Some(queue)), room, writer: Mutex::new(Some(writer)) };
        Ok((spill, reader))
    }

    /// Appends records for `topic`, all or none, and returns when all of them are on the disk. Those of one call keep
    /// their order. A record without a time gets that of the call. Waits for room while `queue_bytes` wait for the disk.
    ///
    /// Dropped, it leaves it unknown whether they were appended.
    ///
    /// # Errors
    /// [`SpillError::Full`], [`SpillError::TooLarge`], or what the disk says; nothing is acknowledged then.
    pub async fn append(&self, topic: &str, records: Vec<Append>) -> Result<(), SpillError> {
        if records.is_empty() {
            return Ok(());
        }
        let limit = self.shared.settings.max_record_bytes;
        let mut bytes = 0;
        for record in &records {
            let size = size(record);
            if size > limit {
                return Err(SpillError::TooLarge { size, limit });
            }
            bytes += counted(size);
        }
        // One that is larger than all of it goes alone.
        let most = self.shared.settings.queue_bytes.max(1);
        let room = u32::try_from(bytes).unwrap_or(u32::MAX).min(most);
        let room = self.room.clone().acquire_many_owned(room).await.expect("the semaphore is never closed");
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let queue = queue.ok_or(SpillError::Closed)?;
        self.shared.reserve(bytes, records.len() as u64)?;
        let now_ms = self.shared.clock.unix_ms();
        let oldest_ms = records.iter().filter_map(|record| record.timestamp_ms).fold(now_ms, i64::min);
        let records = records.into_iter().map(|record| wrap(topic, record, now_ms)).collect();
        let (reply, answer) = oneshot::channel();
        if queue.send(Request { records, bytes, oldest_ms, reply, _room: room }).is_err() {
            self.shared.free(bytes);
            return Err(SpillError::Closed);
        }
        drop(queue);
        answer.await.unwrap_or(Err(SpillError::Closed))
    }

    /// How it stands.
    pub fn status(&self) -> SpillStatus {
        self.shared.status()
    }

    /// Takes no more records, and waits until those on their way are on the disk. What is there stays.
    pub async fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // A panic in it has been reported by the panic hook.
            let _ended = writer.await;
        }
        self.shared.changed.notify_one();
    }

    /// Closes the logs of all segments, after both ends are done.
    pub(super) async fn close_segments(&self) {
        for segment in self.shared.all() {
            segment.close().await;
        }
    }

    pub(super) fn note(&self, failure: Option<String>) {
        self.shared.note(failure);
    }
}

/// Whether it is the disk that is full.
fn is_full(error: &SpillError) -> bool {
    matches!(error, SpillError::Disk(error) if matches!(**error, BrokerError::DiskFull { .. }))
}

/// Counts what a process before this one left in a segment; returns the time of its first record.
async fn count(shared: &Shared, segment: &Segment) -> Result<Option<i64>, SpillError> {
    let log = segment.log().await?;
    let bounds = log.bounds(TOPIC).await?;
    let Some(bounds) = bounds.first() else { return Ok(None) };
    segment.drained_to(bounds.earliest);
    let mut cursor = log.cursor(TOPIC, &[(0, bounds.earliest)])?;
    let mut first_ms = None;
    while cursor.position(0).is_some_and(|at| at < bounds.latest) {
        let Some(fetched) = cursor.fetch(COUNT, Duration::ZERO).await? else { break };
        let records = fetched.records.len() as u64;
        first_ms = first_ms.or(fetched.records.first().map(|record| record.timestamp_ms));
        let sizes =
            fetched.records.into_iter().filter_map(envelope::unwrap).map(|(_, record)| counted(size(&record)));
        let bytes = sizes.sum();
        segment.add(bytes, records);
        shared.found(bytes);
        tokio::task::yield_now().await;
    }
    Ok(first_ms)
}
