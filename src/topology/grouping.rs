//! How a stream is dealt out to the tasks of the operator that takes it.
//!
//! | Storm | here | a tuple goes to |
//! | --- | --- | --- |
//! | local or shuffle | no grouping | the same task: chained, no exchange |
//! | shuffle | [`Stream::shuffle`](super::Stream::shuffle) | tasks in turn, a whole batch at a time |
//! | fields | [`fields`](super::Stream::fields), [`fields_by`](super::Stream::fields_by) | the task of its key |
//! | partial key | [`partial_key`](super::Stream::partial_key) | the less loaded of its key's two tasks |
//! | all | [`all`](super::Stream::all) | every task |
//! | global | [`global`](super::Stream::global) | task 0 |
//! | direct | [`direct`](super::Stream::direct) | the task that the tuple names |
//! | custom | [`group`](super::Stream::group) | what a [`Grouping`] of your own says |

use std::hash::{Hash, Hasher};

/// Chooses the task of each tuple. Cloned per upstream task, so its state is that task's own view.
///
/// ```
/// use squall::Grouping;
///
/// /// Even numbers left, odd numbers right.
/// #[derive(Clone)]
/// struct Parity;
///
/// impl Grouping<u64> for Parity {
///     fn choose(&mut self, tuple: &u64, tasks: usize) -> usize {
///         *tuple as usize % 2 % tasks
///     }
///     fn label(&self) -> &'static str { "parity" }
/// }
/// assert_eq!(Parity.choose(&7, 2), 1);
/// ```
pub trait Grouping<T>: Clone + Send + 'static {
    /// Index of the task, below `tasks`, which is at least 1. An index out of range is taken modulo `tasks`.
    fn choose(&mut self, tuple: &T, tasks: usize) -> usize;

    /// Its name in descriptions.
    fn label(&self) -> &'static str {
        "custom"
    }
}

/// By key: equal keys, equal task.
#[derive(Clone)]
pub(super) struct Fields<K>(pub(super) K);

impl<T, K> Grouping<T> for Fields<K>
where
    K: Fn(&T, &mut KeyHasher) + Clone + Send + 'static,
{
    #[inline]
    fn choose(&mut self, tuple: &T, tasks: usize) -> usize {
        let mut hasher = KeyHasher::default();
        (self.0)(tuple, &mut hasher);
        spread(hasher.finish(), tasks)
    }

    fn label(&self) -> &'static str {
        "fields"
    }
}

/// By key over two tasks, the one that this task has sent less to: evens out hot keys. What the bolt builds per key
/// is then in two halves. ("The Power of Both Choices", Nasir et al., ICDE 2015: local load estimates suffice.)
#[derive(Clone)]
pub(super) struct PartialKey<K> {
    key: K,
    sent: Vec<u64>,
}

impl<K> PartialKey<K> {
    pub(super) fn new(key: K) -> Self {
        Self { key, sent: Vec::new() }
    }
}

impl<T, K> Grouping<T> for PartialKey<K>
where
    K: Fn(&T, &mut KeyHasher) + Clone + Send + 'static,
{
    fn choose(&mut self, tuple: &T, tasks: usize) -> usize {
        self.sent.resize(tasks, 0);
        let mut hasher = KeyHasher::default();
        (self.key)(tuple, &mut hasher);
        let first = spread(hasher.finish(), tasks);
        hasher.write_u64(0x9e37_79b9_7f4a_7c15);
        let second = spread(hasher.finish(), tasks);
        let chosen = if self.sent[second] < self.sent[first] { second } else { first };
        self.sent[chosen] += 1;
        chosen
    }

    fn label(&self) -> &'static str {
        "partial_key"
    }
}

/// The tuple names its task.
#[derive(Clone)]
pub(super) struct DirectTo<K>(pub(super) K);

impl<T, K> Grouping<T> for DirectTo<K>
where
    K: Fn(&T) -> usize + Clone + Send + 'static,
{
    fn choose(&mut self, tuple: &T, _: usize) -> usize {
        (self.0)(tuple)
    }

    fn label(&self) -> &'static str {
        "direct"
    }
}

/// Maps a hash onto `0..tasks` without a division.
#[inline]
fn spread(hash: u64, tasks: usize) -> usize {
    (((hash >> 32) * tasks as u64) >> 32) as usize
}

/// The hash behind `fields` and `partial_key`: fast on short keys, the same in every process of one build. Not for keys that an
/// attacker chooses to collide, and never stored: the log's partitions are chosen by murmur2.
///
/// The multiply-rotate step is FxHash's (Firefox, rustc); the finish spreads the entropy into the upper half.
#[derive(Default, Clone, Copy, Debug)]
pub struct KeyHasher(u64);

impl Hasher for KeyHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.write_u64(u64::from_le_bytes(last) ^ ((rest.len() as u64) << 56));
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    #[inline]
    fn write_u32(&mut self, word: u32) {
        self.write_u64(word.into());
    }

    #[inline]
    fn write_u8(&mut self, byte: u8) {
        self.write_u64(byte.into());
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(26)
    }
}

/// Feeds a key to the hasher; what `fields` and `partial_key` wrap their closures in.
#[inline]
pub(super) fn hash_key<K: Hash + ?Sized>(key: &K, hasher: &mut KeyHasher) {
    key.hash(hasher);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn by_text() -> Fields<impl Fn(&String, &mut KeyHasher) + Clone + Send + 'static> {
        Fields(|t: &String, h: &mut KeyHasher| hash_key(t.as_str(), h))
    }

    proptest! {
        #[test]
        fn equal_keys_meet_and_stay_in_range(keys in prop::collection::vec(".{0,20}", 1..50), tasks in 1usize..40) {
            for key in &keys {
                let task = by_text().choose(key, tasks);
                prop_assert!(task < tasks);
                prop_assert_eq!(task, by_text().choose(&key.clone(), tasks));
            }
        }

        #[test]
        fn a_partial_key_has_at_most_two_tasks(key in ".{1,20}", tasks in 1usize..40, noise in prop::collection::vec(".{0,8}", 0..200)) {
            let mut grouping = PartialKey::new(|t: &String, h: &mut KeyHasher| hash_key(t.as_str(), h));
            let mut seen = std::collections::BTreeSet::new();
            for other in noise {
                let task = grouping.choose(&other, tasks);
                prop_assert!(task < tasks);
                seen.insert(grouping.choose(&key, tasks));
            }
            prop_assert!(seen.len() <= 2);
        }
    }

    #[test]
    fn keys_spread_evenly() {
        for tasks in [2, 3, 8, 16] {
            let mut load = vec![0u32; tasks];
            for i in 0..64_000 {
                load[by_text().choose(&format!("user-{i}"), tasks)] += 1;
            }
            let even = 64_000 / tasks as u32;
            assert!(load.iter().all(|n| n.abs_diff(even) < even / 5), "{load:?}");
        }
    }

    #[test]
    fn a_hot_key_is_halved() {
        let mut grouping = PartialKey::new(|t: &u64, h: &mut KeyHasher| hash_key(t, h));
        let mut load = [0u32; 8];
        for i in 0..80_000u64 {
            load[grouping.choose(&(if i % 2 == 0 { 0 } else { i }), 8)] += 1;
        }
        assert!(*load.iter().max().expect("eight tasks") < 25_000, "{load:?}");
    }
}
