//! Whether letters that are sent back die again while others are being sent.

use std::time::Duration;

use super::{Letter, Letters, LettersError};
use crate::broker::{BrokerError, Cursor, Position};
use crate::delivery::Parked;
use crate::guard::{LoopGuard, LoopGuardSettings, Looped};

/// Letters of one fetch.
const FETCH: usize = 1_000;
/// Fetches of one look, so that a flood of other letters does not stop the redrive.
const FETCHES: usize = 20;

/// A record that was sent back: the sink, none when all of them get it again, and where it comes from.
type Sent = (Option<String>, String, u32, u64);

/// Follows the dead letters that come from now on.
pub(super) struct Returns {
    cursor: Box<dyn Cursor>,
    guard: LoopGuard<Sent>,
}

impl Returns {
    pub(super) async fn from_now(letters: &Letters, settings: LoopGuardSettings) -> Result<Self, LettersError> {
        let bounds = letters.bounds().await?;
        let ends: Vec<_> = bounds.iter().map(|bounds| (bounds.partition, bounds.latest)).collect();
        let cursor = letters.broker.cursor(&letters.topic, &ends)?;
        Ok(Self { cursor, guard: LoopGuard::new(settings) })
    }

    /// A record went to its sink.
    pub(super) fn sent_to_sink(&mut self, parked: &Parked) {
        let origin = &parked.record.origin;
        self.guard.sent((parked.sink.clone(), origin.topic.to_string(), origin.partition, origin.offset));
    }

    /// A record went to its topic again, and has a new origin now.
    pub(super) fn sent_to_source(&mut self, topic: &str, at: Position) {
        self.guard.sent((None, topic.to_owned(), at.partition, at.offset));
    }

    /// Looks what came meanwhile.
    pub(super) async fn look(&mut self, wait: Duration) -> Result<Option<Looped>, BrokerError> {
        for _ in 0..FETCHES {
            let Some(fetched) = self.cursor.fetch(FETCH, wait).await? else { break };
            for stored in fetched.records {
                let Ok(parked) = Letter::new(stored, None).parked else { continue };
                let origin = parked.record.origin;
                let key = |sink| (sink, origin.topic.to_string(), origin.partition, origin.offset);
                // A record of the source is dead once, by whichever sink comes first.
                if parked.redriven > 0 && !self.guard.died(&key(parked.sink)) {
                    self.guard.died(&key(None));
                }
            }
        }
        Ok(self.guard.looped())
    }

    pub(super) fn count(&self) -> u64 {
        self.guard.returned()
    }
}
