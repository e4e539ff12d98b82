//! What to generate.

use crate::record::MAX_OCCURRED_AT;

/// What to generate. Public fields, checked by [`Generator::new`](super::Generator::new).
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateSettings {
    /// Chooses one of the sequences; the same settings give the same records.
    pub seed: u64,
    /// How many records to yield, all kinds together.
    pub count: u64,
    /// Number of users, at least 1.
    pub users: u64,
    /// Number of items per business, at least 1.
    pub items: u64,
    /// Exponent of the users' Zipf distribution: 0 makes all alike, 1 is the web.
    pub user_skew: f64,
    /// Exponent of the items' Zipf distribution.
    pub item_skew: f64,
    /// Share of records, 0 to 1, whose event time lies before their place in the stream.
    pub late_share: f64,
    /// How far at most late records lie behind, in milliseconds; at least a minute.
    pub late_ms: i64,
    /// Share of records, 0 to 1, that repeat a recent one.
    pub duplicate_share: f64,
    /// Share of records, 0 to 1, that no decoder takes.
    pub broken_share: f64,
    /// Event time of the first record, in milliseconds since the Unix epoch; at least `late_ms`.
    pub start_ms: i64,
    /// Event time that passes: records per second of it, at least 1.
    pub per_second: u64,
}

impl Default for GenerateSettings {
    /// A million records of 100 000 users and items from 2026-01-01 on, 1000 a second, 2 % of them late by up
    /// to three days, 1 % repeated, none broken.
    fn default() -> Self {
        Self {
            seed: 1,
            count: 1_000_000,
            users: 100_000,
            items: 100_000,
            user_skew: 0.8,
            item_skew: 1.0,
            late_share: 0.02,
            late_ms: 3 * 86_400_000,
            duplicate_share: 0.01,
            broken_share: 0.0,
            start_ms: 1_767_225_600_000,
            per_second: 1000,
        }
    }
}

/// Settings from which nothing can be generated.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("generator: `{setting}` is {value}, allowed is {allowed}")]
pub struct SettingsError {
    /// Which setting.
    pub setting: &'static str,
    /// Its value.
    pub value: String,
    /// What it may be.
    pub allowed: &'static str,
}

impl GenerateSettings {
    /// Succeeds when records can be generated.
    ///
    /// # Errors
    /// The first setting that is out of range.
    pub fn check(&self) -> Result<(), SettingsError> {
        let ranks = 1..=1 << 40;
        require("users", self.users, ranks.contains(&self.users), "1 to 2^40")?;
        require("items", self.items, ranks.contains(&self.items), "1 to 2^40")?;
        for (name, skew) in [("user_skew", self.user_skew), ("item_skew", self.item_skew)] {
            require(name, skew, (0.0..=5.0).contains(&skew), "0 to 5")?;
        }
        for (name, share) in [
            ("late_share", self.late_share),
            ("duplicate_share", self.duplicate_share),
            ("broken_share", self.broken_share),
        ] {
            require(name, share, (0.0..=1.0).contains(&share), "0 to 1")?;
        }
        let sum = self.late_share + self.duplicate_share + self.broken_share;
        require("late_share + duplicate_share + broken_share", sum, sum <= 1.0, "0 to 1 together")?;
        let late = (60_000..=MAX_OCCURRED_AT).contains(&self.late_ms);
        require("late_ms", self.late_ms, late, "a minute (60000) to 2^53")?;
        let start = (self.late_ms..=MAX_OCCURRED_AT).contains(&self.start_ms);
        require("start_ms", self.start_ms, start, "late_ms to 2^53")?;
        require("per_second", self.per_second, self.per_second >= 1, "1 or more")?;
        let end = i128::from(self.start_ms) + i128::from(self.count) * 1000 / i128::from(self.per_second);
        let fits = end <= i128::from(MAX_OCCURRED_AT);
        require("count", self.count, fits, "as many as end before 2^53 milliseconds")
    }
}

fn require(
    setting: &'static str,
    value: impl ToString,
    holds: bool,
    allowed: &'static str,
) -> Result<(), SettingsError> {
    if holds { Ok(()) } else { Err(SettingsError { setting, value: value.to_string(), allowed }) }
}
