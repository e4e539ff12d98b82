//! Some records of a range, evenly spread.

use super::Range;

/// How many records to look at instead of all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// How many.
    pub count: u64,
    /// Chooses them; the same seed gives the same ones.
    pub seed: u64,
}

impl Sample {
    /// The offsets of the sample in the range that begins after `before` of `total` offsets: one out of each of
    /// `count` equal parts of the whole.
    pub(super) fn offsets(self, range: Range, before: u64, total: u64) -> impl Iterator<Item = u64> {
        let (count, end) = (u128::from(self.count), before + range.length());
        let edge = move |part: u128| u64::try_from(part * u128::from(total) / count).unwrap_or(u64::MAX);
        // The part that `before` lies in may have its offset here.
        let first = u128::from(before) * count / u128::from(total.max(1));
        (first..count)
            .map(move |part| {
                let (from, to) = (edge(part), edge(part + 1));
                let hash = xxhash_rust::xxh3::xxh3_64_with_seed(&part.to_le_bytes(), self.seed);
                from + hash % (to - from).max(1)
            })
            .skip_while(move |at| *at < before)
            .take_while(move |at| *at < end)
            .map(move |at| range.from + (at - before))
    }

    /// Offsets between two of them, on average.
    pub(super) fn stride(self, total: u64) -> u64 {
        total / self.count.max(1)
    }
}
