//! What is said of a record.

use serde::Serialize;

/// Where a record is, for one sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The store has this version.
    Stored,
    /// The store has a newer version.
    Newer,
    /// The store's own rules give it no place there (any more).
    Expired,
    /// It waits in a retry level or among the parked records.
    Waiting,
    /// It is among the dead letters.
    Dead,
    /// The group has not committed it yet.
    InFlight,
    /// An operator had the topology pass over it, or a backfill has yet to bring it.
    Skipped,
    /// It is nowhere.
    Missing,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Stored,
        Self::Newer,
        Self::Expired,
        Self::Waiting,
        Self::Dead,
        Self::InFlight,
        Self::Skipped,
        Self::Missing,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Newer => "newer",
            Self::Expired => "expired",
            Self::Waiting => "waiting",
            Self::Dead => "dead",
            Self::InFlight => "in flight",
            Self::Skipped => "skipped",
            Self::Missing => "missing",
        }
    }
}

/// How many records have which verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally([u64; Verdict::ALL.len()]);

impl Tally {
    /// Counts one.
    pub fn add(&mut self, verdict: Verdict) {
        self.0[verdict as usize] += 1;
    }

    /// How many have it.
    pub fn of(&self, verdict: Verdict) -> u64 {
        self.0[verdict as usize]
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}
