//! The record and its rules.

use compact_str::CompactString;
use serde::Serialize;

use super::{Attribute, Attributes, Invalid, Reason};

/// Bytes of `event_id` and `user_id` at most.
pub const MAX_ID: usize = 64;
/// Bytes of `app_id`, `business` and `action` at most.
pub const MAX_NAME: usize = 32;
/// Bytes of `item_id` at most.
pub const MAX_ITEM: usize = 128;
/// Bytes of the encoded attributes at most.
pub const MAX_ATTRIBUTES: usize = 4096;
/// The last moment that can be recorded: 2^53 ms, the greatest integer that every JSON reader keeps exactly.
pub const MAX_OCCURRED_AT: i64 = 1 << 53;
/// How far a record may lie ahead of the clock.
pub const MAX_AHEAD_MS: i64 = 5 * 60 * 1000;

pub(crate) const TIME_RANGE: &str = "0 to 2^53 milliseconds";
pub(crate) const NUMBER_RANGE: &str = "a magnitude below 2^63";

/// Through which door the user came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// An installed application.
    App,
    /// A web site.
    Online,
    /// A web page inside another application.
    H5,
}

impl Channel {
    /// All channels.
    pub const ALL: [Self; 3] = [Self::App, Self::Online, Self::H5];

    /// The word in JSON and in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Online => "online",
            Self::H5 => "h5",
        }
    }

    /// The channel called `word`.
    ///
    /// # Errors
    /// [`Reason::Unknown`] for any other word; case matters.
    pub fn from_word(word: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|channel| channel.as_str() == word)
            .ok_or_else(|| Invalid::new("channel", Reason::Unknown { allowed: "app, online, h5" }))
    }
}

/// One thing that a user did. Texts of up to 24 bytes are inline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Behaviour {
    /// Unique per user. Empty in a record whose client gave none, until
    /// [`derive_event_id`](Self::derive_event_id) fills it; a checked record always has one.
    #[serde(skip_serializing_if = "CompactString::is_empty")]
    pub event_id: CompactString,
    /// Who did it: the key of partition, shard and ring.
    pub user_id: CompactString,
    /// Which application reported it.
    pub app_id: CompactString,
    /// Through which door the user came.
    pub channel: Channel,
    /// Line of business: hotel, flight, retail, …
    pub business: CompactString,
    /// What was done: view, search, order, …
    pub action: CompactString,
    /// What it was done to; may be empty.
    pub item_id: CompactString,
    /// When, in milliseconds since the Unix epoch.
    pub occurred_at: i64,
    /// Everything else.
    pub attributes: Attributes,
}

impl Behaviour {
    /// What decides which of two writes of one event is newer: the greater one, by time, then by id.
    pub fn version(&self) -> (i64, &str) {
        (self.occurred_at, &self.event_id)
    }

    /// Succeeds when the record breaks no rule at the time `now_ms`.
    ///
    /// # Errors
    /// The first broken rule, in the order of the fields.
    pub fn check(&self, now_ms: i64) -> Result<(), Invalid> {
        self.check_fields(now_ms)?;
        let mut encoded = Vec::new();
        self.attributes.to_json(&mut encoded);
        check_attributes_length(encoded.len())
    }

    /// All rules but the length of the attributes, which is known once they are encoded.
    pub(super) fn check_fields(&self, now_ms: i64) -> Result<(), Invalid> {
        check_text("event_id", &self.event_id, 1, MAX_ID)?;
        check_text("user_id", &self.user_id, 1, MAX_ID)?;
        check_text("app_id", &self.app_id, 1, MAX_NAME)?;
        check_text("business", &self.business, 1, MAX_NAME)?;
        check_text("action", &self.action, 1, MAX_NAME)?;
        check_text("item_id", &self.item_id, 0, MAX_ITEM)?;
        check_time(self.occurred_at, now_ms)?;
        match self.attributes.iter().find(|(_, value)| !in_range(value)) {
            Some((name, _)) => Err(Invalid::attribute(name, Reason::OutOfRange { allowed: NUMBER_RANGE })),
            None => Ok(()),
        }
    }
}

pub(super) fn check_attributes_length(bytes: usize) -> Result<(), Invalid> {
    if bytes > MAX_ATTRIBUTES {
        return Err(Invalid::new("attributes", Reason::TooLong { bytes, limit: MAX_ATTRIBUTES }));
    }
    Ok(())
}

fn check_text(field: &'static str, text: &str, least: usize, limit: usize) -> Result<(), Invalid> {
    if text.len() < least {
        return Err(Invalid::new(field, Reason::Empty));
    }
    if text.len() > limit {
        return Err(Invalid::new(field, Reason::TooLong { bytes: text.len(), limit }));
    }
    if text.as_bytes().contains(&0) {
        return Err(Invalid::new(field, Reason::Nul));
    }
    Ok(())
}

fn check_time(occurred_at: i64, now_ms: i64) -> Result<(), Invalid> {
    if !(0..=MAX_OCCURRED_AT).contains(&occurred_at) {
        return Err(Invalid::new("occurred_at", Reason::OutOfRange { allowed: TIME_RANGE }));
    }
    let ahead_ms = occurred_at.saturating_sub(now_ms);
    if ahead_ms > MAX_AHEAD_MS {
        return Err(Invalid::new("occurred_at", Reason::Future { ahead_ms, limit_ms: MAX_AHEAD_MS }));
    }
    Ok(())
}

/// Beyond 2^63 an integer literal would have been rounded without a word.
fn in_range(value: &Attribute) -> bool {
    match value {
        Attribute::Float(number) => number.abs() < 9_223_372_036_854_775_808.0,
        Attribute::Text(_) | Attribute::Int(_) | Attribute::Bool(_) => true,
    }
}
