//! A record as it is answered: its place in a list, and its JSON as it was stored.

use std::borrow::Cow;
use std::cmp::Reverse;

use compact_str::CompactString;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use squall::store::row::Value;
use squall::store::timeline::{Entry, StoredEntry};

use crate::format::DecodeError;
use crate::record::Decoded;
use crate::schema::from_values;

/// A place in a list that is ordered by time, then by event id as bytes. Need not be that of a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// Event id; texts compare as bytes.
    pub id: CompactString,
}

/// A record of a list.
#[derive(Debug, Clone)]
pub struct Item {
    /// Its time and event id.
    pub place: Place,
    /// Its business.
    pub business: CompactString,
    body: Box<RawValue>,
}

#[derive(Deserialize)]
struct Acted<'a> {
    #[serde(borrow)]
    action: Cow<'a, str>,
}

impl Item {
    /// What a timeline holds; `None` when it is not a JSON object.
    pub fn of_entry(entry: StoredEntry) -> Option<Self> {
        let place = Place { at_ms: entry.at_ms, id: entry.id.into() };
        Some(Self { place, business: entry.line.into(), body: body(entry.body)? })
    }

    /// What a row holds.
    ///
    /// # Errors
    /// Why it is not a record.
    pub fn of_row(row: &[Value]) -> Result<Self, DecodeError> {
        let decoded = Decoded::new(from_values(row)?, i64::MAX)?;
        let record = decoded.record();
        let place = Place { at_ms: record.occurred_at, id: record.event_id.clone() };
        let business = record.business.clone();
        let body = body(decoded.into_body().into()).expect("a checked record is a JSON object");
        Ok(Self { place, business, body })
    }

    /// What was done; empty in a body that does not say it.
    pub fn action(&self) -> Cow<'_, str> {
        serde_json::from_str(self.body.get()).map(|acted: Acted<'_>| acted.action).unwrap_or_default()
    }

    /// The record as canonical JSON.
    pub fn json(&self) -> &str {
        self.body.get()
    }

    /// The same, as such.
    pub(super) fn raw(&self) -> &RawValue {
        &self.body
    }

    /// The entry that the topology makes of this record of `owner`, whose action was read before.
    pub(super) fn entry<'a>(&'a self, owner: &'a str, action: &'a str) -> Entry<'a> {
        let (id, at_ms) = (self.place.id.as_str(), self.place.at_ms);
        Entry { owner, line: &self.business, action, id, at_ms, body: self.body.get().as_bytes() }
    }

    /// Sorts newest first.
    pub(super) fn newest_first(&self) -> Reverse<&Place> {
        Reverse(&self.place)
    }
}

/// As the record itself.
impl Serialize for Item {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.body.serialize(serializer)
    }
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place && self.json() == other.json()
    }
}

/// A stored body that may stand in an answer.
pub(super) fn body(bytes: Vec<u8>) -> Option<Box<RawValue>> {
    let text = String::from_utf8(bytes).ok()?;
    let object = text.starts_with('{');
    let raw = RawValue::from_string(text).ok()?;
    object.then_some(raw)
}
