//! `behaviour-json`: an object with the fields of a record.
//!
//! Strict where leniency would lose something in silence:
//!
//! - a name that is given twice is refused, in the record, in `attributes`, and between both;
//! - `null` is no value: leave the field out instead;
//! - an empty `event_id` is refused, a missing one is derived;
//! - unknown fields are kept as attributes, so they must be texts, numbers or truth values;
//! - a number of a magnitude of 2^63 or more is refused, because it may have been rounded;
//! - `occurred_at` is a whole number of milliseconds or an RFC 3339 text (other spellings of ISO 8601 with an
//!   offset are understood as well), of which anything below a millisecond is cut off.
//!
//! Reading stops as soon as a limit is passed, so that memory stays within a small multiple of the input.

mod draft;
mod parse;
mod scalar;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;

use super::{DecodeError, Format};
use crate::record::{Behaviour, Invalid};

/// A JSON object with the fields of a record; `item_id` and `attributes` may be missing, `event_id` too.
#[derive(Debug, Clone, Copy)]
pub struct BehaviourJson;

impl Format for BehaviourJson {
    fn name(&self) -> &'static str {
        "behaviour-json"
    }

    fn versions(&self) -> RangeInclusive<u32> {
        1..=1
    }

    fn decode(&self, _version: u32, value: &[u8]) -> Result<Behaviour, DecodeError> {
        parse::parse(value)
    }

    fn encode(&self, record: &Behaviour, out: &mut Vec<u8>) -> Result<(), Invalid> {
        record.to_json(out);
        Ok(())
    }
}
