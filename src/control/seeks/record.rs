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

/// Where partitions of a spout are to go on: the JSON value of the record `seek/<number>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeekRecord {
    /// Name of the spout.
    pub spout: String,
    /// Offset of the next record to read, by partition. Others stay where they are.
    pub offsets: BTreeMap<u32, u64>,
    /// Who wants it.
    #[serde(default)]
    pub who: String,
    /// Since when, in milliseconds since the Unix epoch: the number of the seek, greater than that of any before.
    pub when_ms: i64,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// What is read of a backfill job: one that stands for records which a spout has skipped moves it behind them. One
/// record says both, so that there is never the one without the other.
#[derive(Debug, Deserialize)]
struct Skipping {
    #[serde(default)]
    skip: Option<String>,
    when_ms: i64,
    #[serde(default)]
    ranges: Vec<Range>,
}

#[derive(Debug, Deserialize)]
struct Range {
    partition: u32,
    to: u64,
}

impl SeekRecord {
    /// The record's value.
    pub fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("texts and numbers are always JSON").into()
    }

    /// The number of the seek. Never 0.
    pub fn number(&self) -> u64 {
        self.when_ms.max(1).unsigned_abs()
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
            _ => {
                let Skipping { skip, when_ms, ranges } =
                    serde_json::from_slice(json).map_err(ControlError::BadRecord)?;
                let offsets = ranges.iter().map(|range| (range.partition, range.to)).collect();
                let (who, reason) = (String::new(), String::new());
                skip.map(|spout| SeekRecord { spout, offsets, who, when_ms, reason })
            }
        };
        match record {
            Some(record) => drop(self.0.insert(key.to_owned(), record)),
            None => drop(self.0.remove(key)),
        }
        Ok(true)
    }

    /// The newest seek of each partition of `spout`.
    pub(in crate::control) fn of(&self, spout: &str) -> BTreeMap<u32, Seek> {
        let mut newest: BTreeMap<u32, Seek> = BTreeMap::new();
        for record in self.0.values().filter(|record| record.spout == spout) {
            let number = record.number();
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
        self.0.values().map(SeekRecord::number).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(sought: &mut Sought, key: &str, value: Option<&str>) -> Result<bool, ControlError> {
        sought.note(key, value.map(str::as_bytes))
    }

    #[test]
    fn the_newest_seek_of_each_partition_counts_in_whatever_order_they_are_read() {
        let mut sought = Sought::default();
        let seek =
            |offsets: &str, when: i64| format!(r#"{{"spout":"a","offsets":{{{offsets}}},"when_ms":{when}}}"#);
        assert!(note(&mut sought, "seek/20", Some(&seek(r#""0":7,"1":8"#, 20))).unwrap());
        assert!(note(&mut sought, "seek/10", Some(&seek(r#""0":1,"2":3"#, 10))).unwrap());
        let at = |number, offset| Seek { number, offset };
        assert_eq!(sought.of("a"), BTreeMap::from([(0, at(20, 7)), (1, at(20, 8)), (2, at(10, 3))]));
        assert!(sought.of("b").is_empty());
        assert_eq!(sought.last_number(), 20);
        assert!(note(&mut sought, "seek/20", None).unwrap());
        assert_eq!(sought.of("a"), BTreeMap::from([(0, at(10, 1)), (2, at(10, 3))]));
    }

    #[test]
    fn a_job_that_stands_for_skipped_records_is_a_seek_behind_them() {
        let mut sought = Sought::default();
        let job = |skip: &str| {
            format!(
                r#"{{"id":"b","skip":{skip},"when_ms":5,"ranges":[{{"partition":1,"from":2,"to":9}}],"more":1}}"#
            )
        };
        assert!(note(&mut sought, "backfill/b", Some(&job("null"))).unwrap());
        assert!(sought.of("a").is_empty());
        assert!(note(&mut sought, "backfill/b", Some(&job("\"a\""))).unwrap());
        assert_eq!(sought.of("a"), BTreeMap::from([(1, Seek { number: 5, offset: 9 })]));
    }

    #[test]
    fn what_is_none_is_an_error_or_another_kind() {
        let mut sought = Sought::default();
        assert!(!note(&mut sought, "switch/rows", Some("{}")).unwrap());
        assert!(note(&mut sought, "seek/1", Some("{}")).is_err());
        assert!(note(&mut sought, "seek/1", Some(r#"{"spout":"a","offsets":{"x":1},"when_ms":1}"#)).is_err());
        assert_eq!(sought, Sought::default());
    }
}
