//! A control record that moves partitions.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::broker::Seek;
use crate::control::ControlError;

/// Kind of the keys of seeks.
pub(in crate::control) const SEEK: &str = "seek";
/// Kind of the keys of backfill jobs, which may move partitions too.
const BACKFILL: &str = "backfill";

/// Where partitions of a spout are to go on: the JSON value of the record `seek/<number>`, or a part of the record of a
/// backfill job that brings what the spout skips.
///
/// Once every partition stands by it, `seek/<number>` says so by a record without offsets: a seek is not applied again
/// to a group that has lost what its commits said, and its number is not given again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeekRecord {
    /// Name of the spout.
    pub spout: String,
    /// The topic that is meant: a spout that reads another one does not move.
    pub topic: String,
    /// The group that is meant, likewise.
    pub group: String,
    /// Which seek it is: greater than any before.
    pub number: u64,
    /// Offset of the next record to read, by partition. Others stay where they are.
    pub offsets: BTreeMap<u32, u64>,
    /// Who wants it.
    #[serde(default)]
    pub who: String,
    /// Since when, in milliseconds since the Unix epoch.
    #[serde(default)]
    pub when_ms: i64,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// What is read of a backfill job: one that stands for records which a spout skips moves it behind them. One record says
/// both, so that there is never the one without the other.
#[derive(Debug, Deserialize)]
struct Skipping {
    #[serde(default)]
    sends: Option<SeekRecord>,
}

impl SeekRecord {
    /// The record's value.
    pub fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("texts and numbers are always JSON").into()
    }

    /// The record that says that it stands everywhere.
    pub(in crate::control) fn applied(&self) -> Self {
        Self { offsets: BTreeMap::new(), ..self.clone() }
    }
}

/// The seeks that the control topic holds, by key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::control) struct Sought(BTreeMap<String, SeekRecord>);

impl Sought {
    /// Takes a record in that may be one of a seek. `false` when it is of another kind.
    pub(in crate::control) fn note(&mut self, key: &str, value: Option<&[u8]>) -> Result<bool, ControlError> {
        let kind = key.split('/').next().unwrap_or_default();
        if kind != SEEK && kind != BACKFILL {
            return Ok(false);
        }
        let Some(json) = value else {
            self.0.remove(key);
            return Ok(true);
        };
        let record = match kind {
            SEEK => Some(serde_json::from_slice(json).map_err(ControlError::BadRecord)?),
            _ => serde_json::from_slice::<Skipping>(json).map_err(ControlError::BadRecord)?.sends,
        };
        match record {
            Some(record) => drop(self.0.insert(key.to_owned(), record)),
            None => drop(self.0.remove(key)),
        }
        Ok(true)
    }

    /// The seeks of a spout that reads `topic` as `group`, but for those that are said to be made.
    pub(in crate::control) fn wanted(
        &self,
        spout: &str,
        topic: &str,
        group: &str,
    ) -> impl Iterator<Item = &SeekRecord> {
        let is_over = |number: u64| self.0.values().any(|r| r.number == number && r.offsets.is_empty());
        let ours = move |r: &&SeekRecord| r.spout == spout && r.topic == topic && r.group == group;
        self.0.values().filter(ours).filter(move |record| !is_over(record.number))
    }

    /// The newest seek of each partition of a spout that reads `topic` as `group`.
    pub(in crate::control) fn of(&self, spout: &str, topic: &str, group: &str) -> BTreeMap<u32, Seek> {
        let mut newest: BTreeMap<u32, Seek> = BTreeMap::new();
        for record in self.wanted(spout, topic, group) {
            let number = record.number;
            for (&partition, &offset) in &record.offsets {
                let seek = newest.entry(partition).or_insert(Seek { number, offset });
                if seek.number < number {
                    *seek = Seek { number, offset };
                }
            }
        }
        newest
    }

    /// The greatest number of any.
    pub(in crate::control) fn last_number(&self) -> u64 {
        self.0.values().map(|record| record.number).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(sought: &mut Sought, key: &str, value: Option<&str>) -> Result<bool, ControlError> {
        sought.note(key, value.map(str::as_bytes))
    }

    fn seek(offsets: &str, number: u64) -> String {
        format!(r#"{{"spout":"a","topic":"t","group":"g","number":{number},"offsets":{{{offsets}}}}}"#)
    }

    fn at(number: u64, offset: u64) -> Seek {
        Seek { number, offset }
    }

    #[test]
    fn the_newest_seek_of_each_partition_counts_in_whatever_order_they_are_read() {
        let mut sought = Sought::default();
        assert!(note(&mut sought, "seek/20", Some(&seek(r#""0":7,"1":8"#, 20))).unwrap());
        assert!(note(&mut sought, "seek/10", Some(&seek(r#""0":1,"2":3"#, 10))).unwrap());
        assert_eq!(sought.of("a", "t", "g"), BTreeMap::from([(0, at(20, 7)), (1, at(20, 8)), (2, at(10, 3))]));
        for (spout, topic, group) in [("b", "t", "g"), ("a", "u", "g"), ("a", "t", "h")] {
            assert!(sought.of(spout, topic, group).is_empty(), "{spout} {topic} {group} is another one");
        }
        assert_eq!(sought.last_number(), 20);
        assert!(note(&mut sought, "seek/20", None).unwrap());
        assert_eq!(sought.of("a", "t", "g"), BTreeMap::from([(0, at(10, 1)), (2, at(10, 3))]));
    }

    #[test]
    fn a_job_that_stands_for_skipped_records_sends_the_spout_until_that_is_done() {
        let mut sought = Sought::default();
        let job = |sends: &str| format!(r#"{{"id":"b","sends":{sends},"ranges":[],"more":1}}"#);
        assert!(note(&mut sought, "backfill/b", Some(&job("null"))).unwrap());
        assert!(sought.of("a", "t", "g").is_empty());
        assert!(note(&mut sought, "backfill/b", Some(&job(&seek(r#""1":9"#, 5)))).unwrap());
        assert_eq!(sought.of("a", "t", "g"), BTreeMap::from([(1, at(5, 9))]));
        assert!(note(&mut sought, "seek/5", Some(&seek("", 5))).unwrap());
        assert!(sought.of("a", "t", "g").is_empty(), "it stands everywhere");
        assert_eq!(sought.last_number(), 5, "and its number is not given again");
    }

    #[test]
    fn what_is_none_is_an_error_or_another_kind() {
        let mut sought = Sought::default();
        assert!(!note(&mut sought, "switch/rows", Some("{}")).unwrap());
        assert!(note(&mut sought, "seek/1", Some("{}")).is_err());
        assert!(note(&mut sought, "seek/1", Some(&seek(r#""x":1"#, 1))).is_err());
        assert_eq!(sought, Sought::default());
    }
}
