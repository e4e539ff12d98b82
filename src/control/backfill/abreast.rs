//! Whether a live stream keeps abreast of its log. Pure: the time is a parameter.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Of a partition whose commit has not moved for so long it is taken that nobody reads it: it is paused, stands at a gap, or
/// has no worker. What makes room for it would do so for nothing.
const STILL: Duration = Duration::from_secs(10);

/// Looks at where a topic ends and what a group has committed of it.
///
/// A partition is *behind* when something is not committed that was in the log `within` ago, and its commit moves. So it is
/// the time that counts, however many records that are, and no clock but one's own.
#[derive(Debug)]
pub(super) struct Abreast {
    within: Duration,
    /// When, and the offset after the last record of each partition then. The first is the newest that is `within` old, once
    /// there is one.
    ends: VecDeque<(Duration, BTreeMap<u32, u64>)>,
    commits: BTreeMap<u32, Moves>,
}

/// What a partition has committed, and when that was found to have moved; `None` when it never was.
#[derive(Debug, Clone, Copy)]
struct Moves {
    committed: u64,
    at: Option<Duration>,
}

impl Abreast {
    pub(super) fn new(within: Duration) -> Self {
        Self { within, ends: VecDeque::new(), commits: BTreeMap::new() }
    }

    /// Takes a look; a partition without a commit tells nothing.
    pub(super) fn look(&mut self, now: Duration, ends: BTreeMap<u32, u64>, commits: &BTreeMap<u32, u64>) {
        for (partition, committed) in commits {
            let moves = self.commits.entry(*partition).or_insert(Moves { committed: *committed, at: None });
            if moves.committed != *committed {
                *moves = Moves { committed: *committed, at: Some(now) };
            }
        }
        self.ends.push_back((now, ends));
        while self.ends.get(1).is_some_and(|(at, _)| self.is_old(*at, now)) {
            self.ends.pop_front();
        }
    }

    /// Whether some partition was behind at the last look, and is read still.
    pub(super) fn is_behind(&self, now: Duration) -> bool {
        let (Some((at, ends)), Some((looked, _))) = (self.ends.front(), self.ends.back()) else { return false };
        if !self.is_old(*at, *looked) {
            return false;
        }
        self.commits.iter().any(|(partition, moves)| {
            let is_read = moves.at.is_some_and(|at| now.saturating_sub(at) < STILL);
            is_read && ends.get(partition).is_some_and(|end| moves.committed < *end)
        })
    }

    fn is_old(&self, at: Duration, now: Duration) -> bool {
        now.saturating_sub(at) >= self.within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Looks every 500 ms at one partition that gets a record a millisecond: what was committed, and whether it counts as
    /// behind then.
    fn behind(commits: impl IntoIterator<Item = u64>) -> Vec<bool> {
        let mut abreast = Abreast::new(2_000 * MS);
        let looks = commits.into_iter().enumerate().map(|(at, committed)| {
            let ms = 500 * at as u32;
            abreast.look(ms * MS, BTreeMap::from([(0, u64::from(ms))]), &BTreeMap::from([(0, committed)]));
            abreast.is_behind(ms * MS)
        });
        looks.collect()
    }

    /// A stream that is so many milliseconds late.
    fn late(ms: u64) -> impl Iterator<Item = u64> {
        (0..40_u64).map(move |at| (500 * at).saturating_sub(ms))
    }

    #[test]
    fn a_stream_is_behind_from_the_time_on_and_not_before() {
        for ms in [0, 500, 1_999, 2_000] {
            assert!(!behind(late(ms)).contains(&true), "{ms} ms late");
        }
        for ms in [2_001, 3_000, 5_000] {
            let behind = behind(late(ms));
            // From when it has been seen to move.
            let from = (ms / 500 + 2) as usize;
            assert!(behind[from..].iter().all(|behind| *behind), "{ms} ms late: {behind:?}");
        }
    }

    #[test]
    fn one_that_has_caught_up_is_behind_no_more() {
        let late_then_not =
            (0..40_u64).map(|at| if at < 20 { (500 * at).saturating_sub(4_000) } else { 500 * at });
        let behind = behind(late_then_not);
        assert!(behind[19] && !behind[20..].contains(&true), "{behind:?}");
    }

    #[test]
    fn one_that_nobody_reads_is_waited_for_ten_seconds_and_no_longer() {
        let stops = (0..40_u64).map(|at| 500 * at.min(10));
        let behind = behind(stops);
        // The last move is seen in look 10; a look later than 2 s after it something is missing.
        assert!(!behind[14] && behind[15] && behind[29] && !behind[30..].contains(&true), "{behind:?}");
        assert!(!self::behind([0; 40]).contains(&true), "it was never seen to move");
    }

    #[test]
    fn what_cannot_be_looked_at_makes_nobody_late() {
        let mut abreast = Abreast::new(2_000 * MS);
        for ms in [0_u32, 500, 1_000] {
            abreast.look(ms * MS, BTreeMap::from([(0, u64::from(ms))]), &BTreeMap::from([(0, u64::from(ms / 2))]));
        }
        assert!((1_000..20_000).step_by(500).all(|ms| !abreast.is_behind(ms * MS)));
    }

    #[test]
    fn one_partition_is_enough() {
        let mut abreast = Abreast::new(2_000 * MS);
        for at in 0..10_u32 {
            let ms = u64::from(500 * at);
            let commits = BTreeMap::from([(0, ms), (1, ms / 4), (2, 0)]);
            abreast.look(500 * at * MS, BTreeMap::from([(0, ms), (1, ms), (2, ms)]), &commits);
            assert_eq!(abreast.is_behind(500 * at * MS), at >= 6, "look {at}");
        }
    }
}
