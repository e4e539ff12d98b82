//! A dead letter.

use super::{LetterId, Mark};
use crate::broker::LogRecord;
use crate::broker::dead_letter::TRUNCATED_FROM;
use crate::delivery::{Parked, Unreadable};

/// A dead letter, with what was done with it.
#[derive(Debug, Clone)]
pub struct Letter {
    /// The record as the dead-letter topic holds it.
    pub stored: LogRecord,
    /// What its headers say.
    pub parked: Result<Parked, Unreadable>,
    /// What was done with it last; `None` for an open letter.
    pub mark: Option<Mark>,
}

impl Letter {
    pub(super) fn new(stored: LogRecord, mark: Option<Mark>) -> Self {
        Self { parked: Parked::read(&stored), stored, mark }
    }

    /// The same without its payload, for lists: however large the payloads are, a list is small.
    pub(super) fn without_payload(mut self) -> Self {
        self.stored.value = None;
        if let Ok(parked) = &mut self.parked {
            parked.record.value = None;
        }
        self
    }

    /// Where it stands.
    pub fn id(&self) -> LetterId {
        id_of(&self.stored)
    }

    /// The sink that did not store it.
    pub fn sink(&self) -> Option<&str> {
        self.parked.as_ref().ok()?.sink.as_deref()
    }

    /// The class of its failure, or `unreadable`.
    pub fn class(&self) -> &'static str {
        self.parked.as_ref().map_or("unreadable", |parked| parked.class.as_str())
    }

    /// Why it died; of a record that is no dead letter, why it is none.
    pub fn reason(&self) -> String {
        self.parked.as_ref().map_or_else(ToString::to_string, |parked| parked.reason.clone())
    }

    /// How often it was sent back before.
    pub fn redriven(&self) -> u32 {
        self.parked.as_ref().map_or(0, |parked| parked.redriven)
    }

    /// Whether the end of its value was cut off to fit the log.
    pub fn is_truncated(&self) -> bool {
        self.stored.headers.last(TRUNCATED_FROM).is_some()
    }
}

pub(super) fn id_of(stored: &LogRecord) -> LetterId {
    LetterId { partition: stored.origin.partition, offset: stored.origin.offset }
}
