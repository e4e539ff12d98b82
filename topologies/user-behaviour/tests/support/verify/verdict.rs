//! What a check found.

/// All zero but the counts of what there is: as it must be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) records: u64,
    pub(crate) distinct: u64,
    pub(crate) undecodable: u64,
    /// Distinct records among the dead letters.
    pub(crate) dead_letters: u64,
    /// Dead letters that say again what another says: a kill between their append and the commit leaves some.
    pub(crate) repeated_letters: u64,
    /// Dead letters of records that decode, or with other bytes than their record.
    pub(crate) wrong_letters: u64,
    /// Dead letters of records that were tried more than once: a failing store has others of their batch replayed.
    pub(crate) retried_letters: u64,
    /// Records in the retry levels and among the parked ones that have yet to be brought back. One that was stored
    /// all the same, by a write without an answer, may be among them.
    pub(crate) waiting: u64,
    pub(crate) missing_rows: u64,
    /// Those of them that wait to be brought back.
    pub(crate) waiting_rows: u64,
    pub(crate) stale_rows: u64,
    pub(crate) extra_rows: u64,
    /// Users and businesses whose timeline is not exactly the newest entries.
    pub(crate) wrong_timelines: u64,
    /// Entries that should stand in a timeline and do not.
    pub(crate) missing_entries: u64,
    /// Those of them that wait to be brought back.
    pub(crate) waiting_entries: u64,
    /// Entries that stand in a timeline in another than their newest version.
    pub(crate) stale_entries: u64,
    pub(crate) wrong_profiles: u64,
    /// Records that the command `verify` says are missing.
    pub(crate) reported_missing: u64,
    /// Records of the log that the group has not committed.
    pub(crate) uncommitted: u64,
}

impl Verdict {
    /// What it must be like, given what the log holds.
    fn complete(&self) -> Self {
        let Self { records, distinct, undecodable, repeated_letters, retried_letters, waiting, .. } = *self;
        let dead_letters = undecodable;
        let told = Self { records, distinct, undecodable, dead_letters, ..Self::default() };
        Self { repeated_letters, retried_letters, waiting, ..told }
    }

    /// Whether everything is where it should be.
    pub(crate) fn is_complete(&self) -> bool {
        *self == self.complete()
    }

    /// Demands that everything is where it should be.
    pub(crate) fn assert_complete(&self) {
        assert_eq!(*self, self.complete());
    }

    /// Records that are neither stored nor waiting nor among the dead letters, by store the greater number.
    pub(crate) fn lost(&self) -> u64 {
        let (rows, entries) = (self.missing_rows - self.waiting_rows, self.missing_entries - self.waiting_entries);
        rows.max(entries) + self.undecodable.saturating_sub(self.dead_letters)
    }

    /// Rows and entries that are older than what the log holds.
    pub(crate) fn stale(&self) -> u64 {
        self.stale_rows + self.stale_entries
    }
}
