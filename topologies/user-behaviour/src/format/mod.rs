//! The formats in which records arrive.
//!
//! A [`Format`] turns bytes into a [`Behaviour`]; [`decode`] chooses the version
//! that the record's header [`VERSION_HEADER`] names, checks the rules and encodes the record for the stores.
//! Every error is [poison](squall::Class::Poison): the same bytes will never decode.
//!
//! | format | versions | value |
//! | --- | --- | --- |
//! | `behaviour-json` | 1 | a JSON object with the fields of a record |
//! | `taobao-csv` | 1 | `user,item,category,behaviour,unix seconds` |
//!
//! To add a format, write a file with a type that implements [`Format`], and name it in [`FORMATS`].

mod behaviour_json;
mod error;
mod registry;
mod taobao_csv;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;

pub use behaviour_json::BehaviourJson;
pub use error::DecodeError;
pub use registry::{FORMATS, VERSION_HEADER, decode, decode_record, find};
pub use taobao_csv::TaobaoCsv;

use crate::record::{Behaviour, Invalid};

/// A way to write a record as bytes. Pure: the same bytes always give the same record.
pub trait Format: Send + Sync + 'static {
    /// The name in configuration and on the command line.
    fn name(&self) -> &'static str;

    /// The versions that can be decoded. The first is that of a record without a header, the last the one
    /// that [`encode`](Self::encode) writes.
    fn versions(&self) -> RangeInclusive<u32>;

    /// The record that `value` holds. `version` is one of [`versions`](Self::versions). The result need not
    /// keep the rules, which [`decode`] checks, and has an empty `event_id` where the format has none.
    /// Called for every record: never panics, and holds at most a small multiple of `value` in memory.
    ///
    /// # Errors
    /// What does not fit the format, with the field of the record where it is known.
    fn decode(&self, version: u32, value: &[u8]) -> Result<Behaviour, DecodeError>;

    /// Appends `record` to `out` in the newest version.
    ///
    /// # Errors
    /// [`Reason::Inexpressible`](crate::record::Reason::Inexpressible) with the field that has no place in
    /// the format; `out` is as it was.
    fn encode(&self, record: &Behaviour, out: &mut Vec<u8>) -> Result<(), Invalid>;
}
