//! What every implementation checks and derives alike: the bounds of an entry, days, digests, cut-offs.

use super::{Entry, Limits};
use crate::store::StoreError;

/// Milliseconds of a day.
pub(super) const DAY_MS: i64 = 86_400_000;
/// Greatest `at_ms`: what a double, and so a Redis score, still holds exactly.
pub(super) const MAX_AT_MS: i64 = 1 << 53;
/// Greatest body. A timeline of 200 such bodies is still read in one piece.
const MAX_BODY: usize = 1 << 20;

/// The indices of entries that can never be stored, each with its reason.
pub(super) fn refuse(store: &'static str, entries: &[Entry<'_>]) -> Vec<(usize, StoreError)> {
    let refused = entries.iter().enumerate().filter_map(|(at, entry)| Some((at, fault(entry)?)));
    refused.map(|(at, reason)| (at, StoreError::BadRow { store, reason })).collect()
}

fn fault(entry: &Entry<'_>) -> Option<String> {
    let bounded = |field: &str, text: &str, max: usize| {
        let fits = (1..=max).contains(&text.len());
        (!fits).then(|| format!("{field} has {} bytes, valid are 1 to {max}", text.len()))
    };
    bounded("owner", entry.owner, 64)
        .or_else(|| bounded("line", entry.line, 32))
        .or_else(|| bounded("action", entry.action, 32))
        .or_else(|| bounded("id", entry.id, 64))
        .or_else(|| {
            let valid = (0..=MAX_AT_MS).contains(&entry.at_ms);
            (!valid).then(|| format!("at_ms is {}, valid are 0 to 2^53", entry.at_ms))
        })
        .or_else(|| {
            let fits = entry.body.len() <= MAX_BODY;
            (!fits).then(|| format!("body has {} bytes, valid are 0 to {MAX_BODY}", entry.body.len()))
        })
}

/// The day since the Unix epoch.
pub(super) fn day(at_ms: i64) -> i64 {
    at_ms.div_euclid(DAY_MS)
}

/// Stands for `(line, action, id)` among the entries of a day. Two of a million entries of one owner and day
/// share a digest with a probability of 3 in 10^8; their count is then one too low.
pub(super) fn digest(entry: &Entry<'_>) -> u64 {
    let mut text = [0_u8; 2 + 32 + 32 + 64];
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        text[at..at + bytes.len()].copy_from_slice(bytes);
        at += bytes.len();
    };
    // Both lengths first: no two triples give the same text.
    put(&[entry.line.len() as u8, entry.action.len() as u8]);
    put(entry.line.as_bytes());
    put(entry.action.as_bytes());
    put(entry.id.as_bytes());
    xxhash_rust::xxh3::xxh3_64(&text[..at])
}

/// [`Limits`] in the units of the rules.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) keep: usize,
    pub(super) max_age_ms: i64,
    pub(super) count_days: i64,
}

impl From<Limits> for Bounds {
    fn from(limits: Limits) -> Self {
        let max_age_ms = i64::try_from(limits.max_age.as_millis()).unwrap_or(MAX_AT_MS + 1).min(MAX_AT_MS + 1);
        Self { keep: limits.keep, max_age_ms, count_days: i64::from(limits.count_days) }
    }
}

impl Bounds {
    /// Entries at or below this are too old, in a line whose newest is `newest`.
    pub(super) fn cutoff(&self, newest: i64) -> i64 {
        newest - self.max_age_ms
    }

    /// Days at or below this are not counted.
    pub(super) fn day_cutoff(&self, newest_day: i64) -> i64 {
        newest_day - self.count_days
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Entry<'static> = Entry { owner: "o", line: "l", action: "a", id: "i", at_ms: 0, body: b"" };

    #[test]
    fn refuses_each_field_out_of_bounds() {
        let long = "x".repeat(65);
        let body = vec![0; MAX_BODY + 1];
        let bad = [
            GOOD,
            Entry { owner: "", ..GOOD },
            Entry { owner: &long, ..GOOD },
            Entry { line: &long[..33], ..GOOD },
            Entry { action: "", ..GOOD },
            Entry { id: &long, ..GOOD },
            Entry { at_ms: -1, ..GOOD },
            Entry { at_ms: MAX_AT_MS + 1, ..GOOD },
            Entry { body: &body, ..GOOD },
            Entry { at_ms: MAX_AT_MS, owner: &long[..64], line: &long[..32], body: &body[1..], ..GOOD },
        ];
        let refused: Vec<usize> = refuse("memory", &bad).into_iter().map(|(at, _)| at).collect();
        assert_eq!(refused, (1..=8).collect::<Vec<_>>());
    }

    #[test]
    fn digests_differ_where_the_fields_meet_differently() {
        let ab = Entry { line: "ab", action: "c", ..GOOD };
        let a = Entry { line: "a", action: "bc", ..GOOD };
        assert_ne!(digest(&ab), digest(&a));
        let day_of = [day(0), day(DAY_MS - 1), day(DAY_MS)];
        assert_eq!(day_of, [0, 0, 1]);
    }

    #[test]
    fn the_longest_fields_have_a_digest() {
        let long = "x".repeat(64);
        let entry = Entry { line: &long[..32], action: &long[..32], id: &long, ..GOOD };
        assert_ne!(digest(&entry), digest(&GOOD));
    }
}
