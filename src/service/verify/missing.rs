//! Records that are nowhere.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde::Serialize;

use super::{Range, VerifyError};
use crate::control::backfill::Job;

/// A record that is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Partition of the source topic.
    pub partition: u32,
    /// Offset in it.
    pub offset: u64,
    /// What people know it by; why it does not decode, of one that does not.
    pub name: String,
    /// The sinks that it is missing in; none when it does not decode and is no dead letter.
    pub sinks: Vec<String>,
}

/// Writes the ranges of missing records as JSON lines `{"partition":0,"from":17,"to":19}`, as `backfill create --ranges`
/// takes them. Records that follow each other become one range; where there are more ranges than a job may have, those
/// that are nearest to each other do, with what lies between.
pub struct MissingRanges {
    path: String,
    file: BufWriter<File>,
    ranges: Vec<Range>,
    /// Records that were noted.
    noted: u64,
    /// How many ranges one job takes.
    most: usize,
}

impl MissingRanges {
    /// Creates the file, or empties it.
    ///
    /// # Errors
    /// [`VerifyError::Io`].
    pub fn create(path: &Path) -> Result<Self, VerifyError> {
        let name = path.display().to_string();
        match File::create(path) {
            Ok(file) => {
                let (file, ranges) = (BufWriter::new(file), Vec::new());
                Ok(Self { path: name, file, ranges, noted: 0, most: Job::MAX_RANGES })
            }
            Err(source) => Err(VerifyError::Io { path: name, source }),
        }
    }

    /// Notes a record; within a partition in ascending order.
    pub(super) fn note(&mut self, partition: u32, offset: u64) {
        self.noted += 1;
        match self.ranges.last_mut() {
            Some(last) if last.partition == partition && last.to == offset => last.to += 1,
            _ => {
                // The widest gaps of all are among the widest of those so far, so that what is merged early is merged
                // in the end.
                if self.ranges.len() >= 2 * self.most {
                    merge(&mut self.ranges, self.most);
                }
                self.ranges.push(Range { partition, from: offset, to: offset + 1 });
            }
        }
    }

    /// Writes them; how many offsets lie in the ranges that were not noted.
    pub(super) fn finish(mut self) -> Result<u64, VerifyError> {
        merge(&mut self.ranges, self.most);
        let written = self.write();
        written.map_err(|source| VerifyError::Io { path: self.path, source })?;
        Ok(self.ranges.iter().map(Range::length).sum::<u64>() - self.noted)
    }

    fn write(&mut self) -> std::io::Result<()> {
        for range in &self.ranges {
            writeln!(self.file, "{}", serde_json::json!(range))?;
        }
        self.file.flush()
    }
}

/// Closes the narrowest gaps between ranges of a partition until there are at most `most`, or one for each partition.
/// The ranges are in order, and no two touch.
fn merge(ranges: &mut Vec<Range>, most: usize) {
    let surplus = ranges.len().saturating_sub(most);
    let pairs = ranges.windows(2).enumerate().filter(|(_, pair)| pair[0].partition == pair[1].partition);
    let mut gaps: Vec<(u64, usize)> = pairs.map(|(at, pair)| (pair[1].from - pair[0].to, at + 1)).collect();
    if surplus < gaps.len() {
        gaps.select_nth_unstable(surplus);
        gaps.truncate(surplus);
    }
    let mut closed = vec![false; ranges.len()];
    gaps.into_iter().for_each(|(_, at)| closed[at] = true);
    let mut merged: Vec<Range> = Vec::with_capacity(ranges.len());
    for (range, closed) in ranges.iter().zip(closed) {
        match merged.last_mut() {
            Some(last) if closed => last.to = range.to,
            _ => merged.push(*range),
        }
    }
    *ranges = merged;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// What the file has, and how many offsets beside those that are missing.
    fn written(missing: &BTreeSet<(u32, u64)>, most: usize) -> (Vec<Range>, u64) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut ranges = MissingRanges { most, ..MissingRanges::create(file.path()).unwrap() };
        missing.iter().for_each(|(partition, offset)| ranges.note(*partition, *offset));
        let beside = ranges.finish().unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        let range = |line: &str| {
            let range: serde_json::Value = serde_json::from_str(line).unwrap();
            let number = |name: &str| range[name].as_u64().unwrap();
            Range { partition: number("partition") as u32, from: number("from"), to: number("to") }
        };
        (text.lines().map(range).collect(), beside)
    }

    proptest! {
        #[test]
        fn one_job_takes_all_of_them_and_as_little_beside_as_can_be(
            missing in prop::collection::btree_set((0_u32..3, 0_u64..200), 0..80),
            most in 1_usize..20,
        ) {
            let (ranges, beside) = written(&missing, most);
            let partitions: BTreeSet<u32> = missing.iter().map(|(partition, _)| *partition).collect();
            prop_assert!(ranges.len() <= most.max(partitions.len()), "{:?}", ranges);
            let places = |range: &Range| {
                let partition = range.partition;
                (range.from..range.to).map(move |offset| (partition, offset))
            };
            let all: Vec<(u32, u64)> = ranges.iter().flat_map(places).collect();
            let once: BTreeSet<(u32, u64)> = all.iter().copied().collect();
            prop_assert!(once.len() == all.len() && once.is_superset(&missing), "{:?}", ranges);
            prop_assert_eq!(beside, (all.len() - missing.len()) as u64);

            // Each cut between two records of a partition saves what lies between them: the best are the widest.
            let records: Vec<_> = missing.iter().copied().collect();
            let pairs = records.windows(2).filter(|pair| pair[0].0 == pair[1].0);
            let mut gaps: Vec<u64> = pairs.map(|pair| pair[1].1 - pair[0].1 - 1).collect();
            gaps.sort_unstable_by(|one, other| other.cmp(one));
            let cuts = most.saturating_sub(partitions.len());
            prop_assert_eq!(beside, gaps.iter().skip(cuts).sum::<u64>());
        }
    }

    #[test]
    fn a_job_takes_the_file_of_losses_that_are_scattered() {
        let missing = (0..50_000).map(|at| (0, 2 * at)).collect();
        let (ranges, beside) = written(&missing, Job::MAX_RANGES);
        assert_eq!((ranges.len(), beside), (Job::MAX_RANGES, 40_000));
    }
}
