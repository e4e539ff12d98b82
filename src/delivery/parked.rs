//! What a record looks like that waits.

use std::sync::Arc;

use bytes::Bytes;

use super::Past;
use super::headers::{FIRST_FAILURE, LAST_FAILURE, NOT_BEFORE, REDRIVEN, SINK, VERSION};
use crate::broker::addressed::ONLY_SINKS;
use crate::broker::dead_letter::{
    ATTEMPTS, ERROR_CLASS, ERROR_REASON, ORIGIN_OFFSET, ORIGIN_PARTITION, ORIGIN_TIME, ORIGIN_TOPIC, OWN,
    dead_letter, letter,
};
use crate::broker::{Append, LogRecord};
use crate::topology::{Class, Headers, Origin};

/// A record that waits for its sink, or was given up: everything that its headers say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// The record as it was first read: origin, own headers, time. `origin.attempt` is the number of failed writes.
    pub record: LogRecord,
    /// The sink that has yet to store it; none for a record that did not come to a sink.
    pub sink: Option<String>,
    /// Class of the last failure.
    pub class: Class,
    /// Its text.
    pub reason: String,
    /// The version of the record, in the topology's notation; may be empty.
    pub version: String,
    /// When it may be tried again, in milliseconds since the Unix epoch; 0 = as soon as the sink takes rows.
    pub not_before_ms: i64,
    /// When it failed first, in milliseconds since the Unix epoch.
    pub first_failure_ms: i64,
    /// When it failed last, in milliseconds since the Unix epoch.
    pub last_failure_ms: i64,
    /// How often an operator sent it back from the dead letters.
    pub redriven: u32,
}

/// A record in a retry or dead-letter topic that does not say where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at} is no parked record: its header {header} {problem}")]
pub struct Unreadable {
    /// Where it stands.
    pub at: String,
    /// The header that is wrong.
    pub header: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl Parked {
    /// The record as it is appended to a retry, parked or dead-letter topic. It has the time of the append: retention
    /// counts from there, however old the record is.
    pub fn to_append(&self) -> Append {
        let mut append = letter(&self.record, self.record.origin.attempt, self.class, &self.reason);
        let headers = &mut append.headers;
        if let Some(sink) = &self.sink {
            headers.push(SINK, Bytes::copy_from_slice(sink.as_bytes()));
        }
        if !self.version.is_empty() {
            headers.push(VERSION, Bytes::copy_from_slice(self.version.as_bytes()));
        }
        let times = [
            (NOT_BEFORE, self.not_before_ms),
            (FIRST_FAILURE, self.first_failure_ms),
            (LAST_FAILURE, self.last_failure_ms),
        ];
        for (name, ms) in times.into_iter().filter(|(_, ms)| *ms > 0) {
            headers.push(name, Bytes::from(ms.to_string()));
        }
        // A record that came from the source again has the header already.
        if self.redriven != redriven(&self.record) {
            headers.push(REDRIVEN, Bytes::from(self.redriven.to_string()));
        }
        append
    }

    /// Reads what [`to_append`](Self::to_append) wrote, or a dead letter of a record that came to no sink.
    ///
    /// # Errors
    /// The first header that is missing or cannot be read.
    pub fn read(stored: &LogRecord) -> Result<Self, Unreadable> {
        let fields = Fields { stored };
        let attempts = fields.number::<u32>(ATTEMPTS)?;
        let origin = Origin {
            topic: Arc::from(fields.text(ORIGIN_TOPIC)?),
            partition: fields.number(ORIGIN_PARTITION)?,
            offset: fields.number(ORIGIN_OFFSET)?,
            attempt: attempts,
        };
        let mut headers = Headers::default();
        // For whom the record is meant is said of the record, not of its failure.
        let is_its_own = |name: &str| !name.starts_with(OWN) || name == ONLY_SINKS;
        for (name, value) in stored.headers.iter().filter(|(name, _)| is_its_own(name)) {
            headers.push(name, value.clone());
        }
        let class = match fields.text(ERROR_CLASS)?.as_str() {
            "refused" => Class::Refused,
            "retryable" => Class::Retryable,
            "poison" => Class::Poison,
            "fatal" => Class::Fatal,
            _ => return Err(fields.wrong(ERROR_CLASS, "names no class")),
        };
        Ok(Self {
            record: LogRecord {
                origin,
                key: stored.key.clone(),
                headers,
                timestamp_ms: fields.optional(ORIGIN_TIME)?.unwrap_or(stored.timestamp_ms),
                value: stored.value.clone(),
            },
            sink: fields.text(SINK).ok(),
            class,
            reason: fields.text(ERROR_REASON)?,
            version: fields.text(VERSION).unwrap_or_default(),
            not_before_ms: fields.optional(NOT_BEFORE)?.unwrap_or_default(),
            first_failure_ms: fields.optional(FIRST_FAILURE)?.unwrap_or(stored.timestamp_ms),
            last_failure_ms: fields.optional(LAST_FAILURE)?.unwrap_or(stored.timestamp_ms),
            redriven: redriven(stored),
        })
    }

    /// The dead letter of a record that stood in a retry topic and was poison for this reason: it says where the record
    /// came from first. One that cannot be read is a dead letter as it stands.
    pub fn letter(stored: &LogRecord, reason: &str, now_ms: i64) -> Append {
        let Ok(mut parked) = Self::read(stored) else { return dead_letter(stored, Class::Poison, reason) };
        parked.record.origin.attempt += stored.origin.attempt + 1;
        parked.class = Class::Poison;
        parked.reason = reason.to_owned();
        parked.not_before_ms = 0;
        parked.last_failure_ms = now_ms;
        parked.to_append()
    }

    /// What happened to it, for the tuple that is made of it.
    pub fn past(&self) -> Past {
        Past {
            attempts: self.record.origin.attempt,
            first_failure_ms: Some(self.first_failure_ms),
            redriven: self.redriven,
        }
    }
}

/// When a record in a retry level may be tried again, in milliseconds since the Unix epoch; 0 when it does not say.
pub(super) fn not_before(stored: &LogRecord) -> i64 {
    Fields { stored }.optional(NOT_BEFORE).ok().flatten().unwrap_or_default()
}

/// How often an operator sent a record back; 0 when it does not say.
pub(super) fn redriven(stored: &LogRecord) -> u32 {
    let Some(value) = stored.headers.last(REDRIVEN) else { return 0 };
    std::str::from_utf8(value).ok().and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// The headers of a record, read one by one.
struct Fields<'a> {
    stored: &'a LogRecord,
}

impl Fields<'_> {
    fn text(&self, header: &'static str) -> Result<String, Unreadable> {
        let value = self.stored.headers.last(header).ok_or_else(|| self.wrong(header, "is missing"))?;
        Ok(String::from_utf8_lossy(value).into_owned())
    }

    fn number<N: std::str::FromStr>(&self, header: &'static str) -> Result<N, Unreadable> {
        self.text(header)?.parse().map_err(|_| self.wrong(header, "is no number that fits"))
    }

    fn optional(&self, header: &'static str) -> Result<Option<i64>, Unreadable> {
        if self.stored.headers.last(header).is_none() {
            return Ok(None);
        }
        self.number(header).map(Some)
    }

    fn wrong(&self, header: &'static str, problem: &'static str) -> Unreadable {
        Unreadable { at: self.stored.origin.to_string(), header, problem }
    }
}
