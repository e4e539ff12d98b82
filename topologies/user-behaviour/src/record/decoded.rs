//! A record that may be stored.

use bytes::Bytes;

use super::behaviour::check_attributes_length;
use super::{Behaviour, Invalid};

/// A [`Behaviour`] that breaks no rule, beside its canonical JSON.
///
/// The JSON is made once: the timeline stores all of it, the table its last part. Neither the record nor the
/// JSON can be changed, so they always agree.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    record: Behaviour,
    body: String,
    attributes_at: usize,
}

impl Decoded {
    /// Checks `record` at the time `now_ms` and encodes it. A record without `event_id` gets the derived one.
    ///
    /// # Errors
    /// The first broken rule, in the order of the fields.
    pub fn new(mut record: Behaviour, now_ms: i64) -> Result<Self, Invalid> {
        if record.event_id.is_empty() {
            record.event_id = record.derive_event_id();
        }
        record.check_fields(now_ms)?;
        let (body, attributes_at) = record.json();
        check_attributes_length(body.len() - 1 - attributes_at)?;
        Ok(Self { record, body, attributes_at })
    }

    /// The record.
    pub fn record(&self) -> &Behaviour {
        &self.record
    }

    /// The whole record as canonical JSON.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// The attributes as canonical JSON; `{}` when there are none.
    pub fn attributes_json(&self) -> &str {
        &self.body[self.attributes_at..self.body.len() - 1]
    }

    /// The record alone.
    pub fn into_record(self) -> Behaviour {
        self.record
    }

    /// The canonical JSON alone, without copying it.
    pub fn into_body(self) -> Bytes {
        Bytes::from(self.body)
    }
}
