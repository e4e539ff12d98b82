//! What is answered.

use std::collections::BTreeMap;

use compact_str::CompactString;
use serde::Serialize;
use serde_json::Value;
use squall::service::http::Problem;
use utoipa::ToSchema;

use super::cursor;
use super::document::{ProblemDocument, Record};
use crate::query::QueryState;
use crate::query::read::{Ask, Body, Found, FoundProfile, Item, Line, Origin};
use crate::view::day;

/// How fresh an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({ "newest_at": 1_767_225_599_000_i64, "lag": 12, "lag_ms": 40, "as_of": 1_767_225_600_000_i64 }))]
pub struct Freshness {
    /// Time of the newest record of the answer, in milliseconds since the Unix epoch; null without any.
    pub newest_at: Option<i64>,
    /// Records of the log that the topology has not settled: neither stored nor set aside for a store that is away; null while
    /// the log is away.
    pub lag: Option<u64>,
    /// Age of the oldest of them, in milliseconds, at most; 0 without any, null when it is not known.
    pub lag_ms: Option<u64>,
    /// When the stores were read, in milliseconds since the Unix epoch.
    pub as_of: i64,
}

/// A page of a user's records.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PageAnswer {
    /// Whose.
    #[schema(value_type = String, example = "u-42")]
    pub user_id: CompactString,
    /// Newest first by `occurred_at`, then by `event_id` as bytes.
    #[schema(value_type = Vec<Record>)]
    pub records: Records,
    /// What to give as `before` for the next page; null at the end. The last page may be empty. A first page that is
    /// empty and not complete has none either, and is no end: ask again.
    pub next: Option<String>,
    /// Where it comes from.
    pub source: Origin,
    /// Whether it has all that was stored: false while a store that may have more does not answer, and of a stale answer.
    pub complete: bool,
    /// How fresh it is.
    pub freshness: Freshness,
}

/// The records of a page.
#[derive(Debug, Clone)]
pub struct Records(Vec<Item>);

impl Serialize for Records {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter())
    }
}

/// What is known of a user.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProfileAnswer {
    /// Whose.
    #[schema(value_type = String, example = "u-42")]
    pub user_id: CompactString,
    /// By business; empty for a user of whom nothing is known.
    pub businesses: BTreeMap<String, BusinessProfile>,
    /// Where it comes from.
    pub source: Origin,
    /// Whether it is that of all records: false when it is made from the newest alone, and of a stale answer.
    pub complete: bool,
    /// How fresh it is.
    pub freshness: Freshness,
}

/// What is known of a user in one business.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BusinessProfile {
    /// Its earliest record's time, in milliseconds since the Unix epoch.
    pub first_seen: i64,
    /// Its latest record's time, in milliseconds since the Unix epoch.
    pub last_seen: i64,
    /// The latest record of each action.
    #[schema(value_type = BTreeMap<String, Record>)]
    pub latest: BTreeMap<String, Body>,
    /// Records by action, then by day (`2026-01-01`, UTC), of the days that are counted.
    pub counts: BTreeMap<String, BTreeMap<String, u64>>,
}

/// The lists of many users, in the order asked.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BatchAnswer {
    /// One for each user.
    pub results: Vec<BatchResult>,
}

/// What became of one user of many.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(untagged)]
pub enum BatchResult {
    /// A page, as of a question for this user alone.
    Found(PageAnswer),
    /// What is wrong with this user alone.
    Failed {
        /// Whose.
        #[schema(value_type = String)]
        user_id: CompactString,
        /// As it would be answered for this user alone.
        #[schema(value_type = ProblemDocument)]
        problem: Value,
    },
}

impl PageAnswer {
    pub(super) fn new(state: &QueryState, ask: &Ask, found: Found) -> Self {
        let newest_at = found.items.first().map(|item| item.place.at_ms);
        Self {
            user_id: ask.user.clone(),
            records: Records(found.items),
            next: found.next.map(|place| cursor::token(ask, &place)),
            source: found.source,
            complete: found.complete,
            freshness: state.freshness(newest_at, found.as_of),
        }
    }
}

impl ProfileAnswer {
    pub(super) fn new(state: &QueryState, user_id: CompactString, found: FoundProfile) -> Self {
        let newest_at = found.lines.values().map(|line| line.last_ms).max();
        let businesses =
            found.lines.iter().map(|(business, line)| (business.clone(), BusinessProfile::new(line))).collect();
        Self {
            user_id,
            businesses,
            source: found.source,
            complete: found.complete,
            freshness: state.freshness(newest_at, found.as_of),
        }
    }
}

impl BusinessProfile {
    fn new(line: &Line) -> Self {
        let by_day = |days: &BTreeMap<i64, u64>| days.iter().map(|(at, count)| (day(*at), *count)).collect();
        Self {
            first_seen: line.first_ms,
            last_seen: line.last_ms,
            latest: line.latest.clone(),
            counts: line.counts.iter().map(|(action, days)| (action.clone(), by_day(days))).collect(),
        }
    }
}

impl BatchResult {
    pub(super) fn failed(user_id: CompactString, problem: &Problem) -> Self {
        Self::Failed { user_id, problem: problem.document() }
    }
}
