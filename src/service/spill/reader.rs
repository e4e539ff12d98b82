//! The end at which records go out.

use std::sync::Arc;
use std::time::Duration;

use super::SpillError;
use super::envelope::{counted, size, unwrap};
use super::segment::{Segment, TOPIC};
use super::shared::Shared;
use crate::broker::embedded::EmbeddedBroker;
use crate::broker::{Append, Broker, BrokerError, Cursor, LogRecord};

/// Takes records out of a spill in their order. There is one for each spill.
pub struct Reader {
    shared: Arc<Shared>,
    at: Option<Place>,
}

/// Records of one topic that follow one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The topic that they are for.
    pub topic: String,
    /// The records, with the time at which they were made.
    pub records: Vec<Append>,
    bytes: u64,
    segment: u64,
    next: u64,
    newest_ms: i64,
}

/// A segment that is being read.
struct Place {
    segment: Arc<Segment>,
    log: EmbeddedBroker,
    cursor: Box<dyn Cursor>,
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, at: None }
    }

    /// The oldest records, at most `max`; the same again until [`done`](Self::done) was called with them. `None` when
    /// there are none; [`changed`](Self::changed) waits for some.
    ///
    /// # Errors
    /// What the disk says. It may be tried again.
    pub async fn next(&mut self, max: usize) -> Result<Option<Run>, SpillError> {
        loop {
            let Some(segment) = self.shared.first() else {
                self.shared.oldest(None);
                return Ok(None);
            };
            let number = segment.number;
            let place = self.place(segment).await?;
            let fetched = match place.cursor.fetch(max.max(1), Duration::ZERO).await {
                Ok(fetched) => fetched,
                Err(error) => {
                    self.leave().await;
                    return Err(error.into());
                }
            };
            if let Some(fetched) = fetched {
                return self.run(number, fetched.records).map(Some);
            }
            if !self.pass().await? {
                return Ok(None);
            }
        }
    }

    /// Lets go of records that the log has acknowledged. When the disk refuses to note it, they count as drained for
    /// this process; the next one would drain them again.
    pub async fn done(&mut self, run: Run) {
        let count = run.records.len() as u64;
        self.shared.drained(count);
        // A lower bound, until the next ones are read.
        self.shared.oldest(Some(run.newest_ms));
        let Some(place) = self.at.as_ref().filter(|place| place.segment.number == run.segment) else { return };
        place.segment.drained_to(run.next);
        self.shared.free(place.segment.take(run.bytes, count));
        let log = place.log.clone();
        match log.delete_before(TOPIC, 0, run.next).await {
            Ok(()) => self.shared.note(None),
            Err(error) => {
                tracing::warn!(%error, "the spill cannot note what was drained; it is opened again");
                drop(log);
                self.leave().await;
            }
        }
    }

    /// Waits until there may be more records, or the spill is closed. Cancel-safe.
    pub async fn changed(&mut self) {
        self.shared.changed.notified().await;
    }

    /// Closes what is open.
    pub(super) async fn leave(&mut self) {
        if let Some(place) = self.at.take() {
            let segment = place.segment.clone();
            drop(place);
            // The writer may be at it.
            if segment.is_sealed() {
                segment.close().await;
            }
        }
    }

    /// The records up to the first that is for another topic.
    fn run(&self, segment: u64, records: Vec<LogRecord>) -> Result<Run, SpillError> {
        let mut run: Option<Run> = None;
        for record in records {
            let (offset, at_ms) = (record.origin.offset, record.timestamp_ms);
            let Some((topic, append)) = unwrap(record) else {
                let context = format!("record {offset} of the spill is none that it wrote");
                return Err(BrokerError::Corrupt { context }.into());
            };
            let run = run.get_or_insert_with(|| {
                self.shared.oldest(Some(at_ms));
                Run {
                    topic: topic.clone(),
                    records: Vec::new(),
                    bytes: 0,
                    segment,
                    next: offset,
                    newest_ms: at_ms,
                }
            });
            if run.topic != topic {
                break;
            }
            run.bytes += counted(size(&append));
            run.records.push(append);
            (run.next, run.newest_ms) = (offset + 1, at_ms);
        }
        Ok(run.expect("a fetch has at least one record"))
    }

    /// Where to read in the first segment: behind what is drained.
    async fn place(&mut self, segment: Arc<Segment>) -> Result<&mut Place, SpillError> {
        let here = self.at.as_ref().is_some_and(|place| place.segment.number == segment.number);
        if !here {
            self.at = None;
            let log = segment.log().await?;
            let bounds = log.bounds(TOPIC).await?;
            segment.drained_to(bounds.first().map_or(0, |bounds| bounds.earliest));
            let cursor = log.cursor(TOPIC, &[(0, segment.position())])?;
            self.at = Some(Place { segment, log, cursor });
        }
        let place = self.at.as_mut().expect("it was set above");
        place.cursor.seek(0, place.segment.position())?;
        Ok(place)
    }

    /// Goes on behind the end of a segment that has nothing more, and removes it; `false` when more may come in it.
    async fn pass(&mut self) -> Result<bool, SpillError> {
        let place = self.at.as_ref().expect("it was read to its end");
        let (segment, log) = (place.segment.clone(), place.log.clone());
        let (sealed, used) = (segment.is_sealed(), segment.written() >= self.shared.settings.segment_bytes() / 4);
        if !sealed {
            if used && segment.seal() {
                // Something may have come in before that.
                return Ok(true);
            }
            if segment.records() == 0 {
                self.shared.oldest(None);
            }
            return Ok(false);
        }
        // Sealed, it holds all that it ever will; what came in before that and after it was read counts.
        let latest = log.bounds(TOPIC).await?.first().map_or(0, |bounds| bounds.latest);
        drop(log);
        if latest > segment.position() {
            return Ok(true);
        }
        self.leave().await;
        self.shared.pop();
        let (shared, number) = (self.shared.clone(), segment.number);
        let removed = tokio::task::spawn_blocking(move || shared.folder.remove(number)).await;
        if let Err(error) = removed.unwrap_or(Err(SpillError::Closed)) {
            tracing::warn!(%error, "a drained part of the spill could not be removed");
        }
        Ok(true)
    }
}
