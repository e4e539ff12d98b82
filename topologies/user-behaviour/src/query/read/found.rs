//! What is asked, and what was found.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use compact_str::CompactString;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use squall::service::read::Unread;
use utoipa::ToSchema;

use super::{Item, Place};

/// Who asks: each has its own breakers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interface {
    /// The list of one user.
    Behaviours,
    /// The profile of one user.
    Profile,
    /// The lists of many users.
    Batch,
}

/// A page of a user's list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ask {
    /// Whose.
    pub user: CompactString,
    /// Of this business alone.
    pub business: Option<CompactString>,
    /// Of this action alone.
    pub action: Option<CompactString>,
    /// What stands before this place, in time.
    pub before: Option<Place>,
    /// Records at most.
    pub limit: usize,
}

impl Interface {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Behaviours, Self::Profile, Self::Batch];

    /// Its label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Behaviours => "behaviours",
            Self::Profile => "profile",
            Self::Batch => "batch",
        }
    }
}

impl Ask {
    /// Whether the page may hold `item`, which is one of the user's and business'.
    pub(super) fn takes(&self, item: &Item) -> bool {
        self.before.as_ref().is_none_or(|before| item.place < *before)
            && self.action.as_ref().is_none_or(|action| item.action() == action.as_str())
    }

    /// Whether it is the beginning of all that there is.
    pub(super) fn is_plain(&self) -> bool {
        self.before.is_none() && self.action.is_none()
    }
}

/// Where an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The timelines alone.
    Redis,
    /// The rows, and whatever the timelines have beside them.
    Mysql,
    /// An earlier answer to the same question: both stores are away.
    Stale,
}

/// A page that was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// The records, newest first.
    pub items: Vec<Item>,
    /// Where the next page begins; none at the end.
    pub next: Option<Place>,
    /// Where it comes from.
    pub source: Origin,
    /// Whether nothing is left out because a store is away, or because what it holds cannot be read.
    pub complete: bool,
    /// When it was read, in milliseconds since the Unix epoch.
    pub as_of: i64,
}

/// A stored record in a profile.
#[derive(Debug, Clone)]
pub struct Body {
    pub(super) place: Place,
    pub(super) raw: Box<RawValue>,
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.raw.serialize(serializer)
    }
}

/// The same event in the same version.
impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place
    }
}

/// What is known of a user in one business.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its earliest record's time.
    pub first_ms: i64,
    /// Its latest record's time.
    pub last_ms: i64,
    /// The latest record of each action.
    pub latest: BTreeMap<String, Body>,
    /// Records by action, then by day since the Unix epoch.
    pub counts: BTreeMap<String, BTreeMap<i64, u64>>,
}

/// A profile that was found.
#[derive(Debug, Clone)]
pub struct FoundProfile {
    /// By business; empty for a user of whom nothing is known.
    pub lines: Arc<BTreeMap<String, Line>>,
    /// Where it comes from.
    pub source: Origin,
    /// Whether it is that of all records.
    pub complete: bool,
    /// When it was read, in milliseconds since the Unix epoch.
    pub as_of: i64,
}

/// Why the timelines did not answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Away {
    /// An operator took them out of the path.
    #[error("the timelines are switched off")]
    SwitchedOff,
    /// They gave no answer.
    #[error(transparent)]
    Unread(#[from] Unread),
}

impl Away {
    /// In a few words, for callers.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::SwitchedOff => "switched off",
            Self::Unread(unread) => unread.reason(),
        }
    }
}

/// Neither store answered.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{timelines}; {rows}")]
pub struct Unavailable {
    /// Why the timelines did not.
    pub timelines: Away,
    /// Why the rows did not.
    pub rows: Unread,
}

impl Unavailable {
    /// When asking again makes sense.
    pub fn retry_after(&self) -> Duration {
        match &self.timelines {
            Away::SwitchedOff => self.rows.retry_after(),
            Away::Unread(unread) => self.rows.retry_after().min(unread.retry_after()),
        }
    }
}
