//! A value that can be parked, and how it comes back.

use std::fmt;
use std::sync::Arc;

use super::parked::redriven;
use crate::broker::LogRecord;
use crate::topology::Result;

/// A value with the record that it was decoded from: what a guarded sink takes, and can park.
///
/// The bytes are those of the log (a reference, not a copy), so that what is parked or set aside is exactly what
/// arrived.
#[derive(Debug, Clone)]
pub struct Parcel<T> {
    /// The record as it was first read: its own origin, headers and time, also when it comes back from a retry level.
    pub record: LogRecord,
    /// What it says.
    pub value: T,
    /// What happened to it before.
    pub past: Past,
}

/// What happened to a record before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Past {
    /// Writes that failed; 0 for a record that comes from the source.
    pub attempts: u32,
    /// When the first of them failed, in milliseconds since the Unix epoch.
    pub first_failure_ms: Option<i64>,
    /// How often an operator sent it back from the dead letters.
    pub redriven: u32,
}

impl<T> Parcel<T> {
    /// A record that comes from the source: for the first time, or again from the dead letters, as its header says.
    pub fn fresh(record: LogRecord, value: T) -> Self {
        let past = Past { redriven: redriven(&record), ..Past::default() };
        Self { record, value, past }
    }
}

type Decode<T> = dyn Fn(&LogRecord) -> Result<T> + Send + Sync;
type Version<T> = dyn Fn(&T) -> String + Send + Sync;

/// How a record that comes back becomes a value again: the topology's own decoding.
pub struct Codec<T> {
    decode: Arc<Decode<T>>,
    version: Arc<Version<T>>,
}

impl<T> Codec<T> {
    /// Decodes with `decode`. What it cannot decode goes to the dead letters.
    pub fn new(decode: impl Fn(&LogRecord) -> Result<T> + Send + Sync + 'static) -> Self {
        Self { decode: Arc::new(decode), version: Arc::new(|_| String::new()) }
    }

    /// Says what a value's version is, for the header that tells people.
    #[must_use]
    pub fn version(mut self, version: impl Fn(&T) -> String + Send + Sync + 'static) -> Self {
        self.version = Arc::new(version);
        self
    }

    pub(super) fn decode(&self, record: &LogRecord) -> Result<T> {
        (self.decode)(record)
    }

    pub(super) fn version_of(&self, value: &T) -> String {
        (self.version)(value)
    }
}

impl<T> Clone for Codec<T> {
    fn clone(&self) -> Self {
        Self { decode: self.decode.clone(), version: self.version.clone() }
    }
}

impl<T> fmt::Debug for Codec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Codec")
    }
}
