//! What a profile says.

use std::collections::BTreeMap;

use super::Whole;

/// The latest entry of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latest {
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// Its id.
    pub id: String,
    /// What was written.
    pub body: Vec<u8>,
}

/// What is known of an owner in one line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LineProfile {
    /// Least `at_ms` ever seen.
    pub first_ms: i64,
    /// Greatest `at_ms` ever seen.
    pub last_ms: i64,
    /// The latest entry of each action.
    pub latest: BTreeMap<String, Latest>,
    /// Distinct entries by action, then by day since the Unix epoch.
    pub counts: BTreeMap<String, BTreeMap<i64, u64>>,
}

/// What is known of an owner, by line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// One entry for each line in which the owner was seen.
    pub lines: BTreeMap<String, LineProfile>,
    /// What the store vouches for.
    pub whole: Whole,
}
