//! What a verification found.

use serde_json::{Value, json};

use super::{Missing, Range, Sample, Tally, Verdict};

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Topic that was read.
    pub topic: String,
    /// What was looked at, with what the group had committed of its partition.
    pub ranges: Vec<(Range, u64)>,
    /// When only some records were looked at.
    pub sample: Option<Sample>,
    /// Records that were looked at.
    pub records: u64,
    /// Each sink's verdicts, over the records that decode.
    pub sinks: Vec<SinkReport>,
    /// Verdicts of the records that do not decode.
    pub undecodable: Tally,
    /// Records that are missing anywhere.
    pub missing: u64,
    /// The first of them.
    pub first_missing: Vec<Missing>,
    /// Offsets between them that the file of missing ranges has too, so that one backfill takes it.
    pub beside: u64,
}

/// The verdicts of one sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkReport {
    /// Its name.
    pub sink: String,
    /// How many records have which verdict.
    pub tally: Tally,
}

impl Report {
    /// The verdicts of a sink.
    pub fn sink(&self, name: &str) -> Option<&Tally> {
        self.sinks.iter().find(|sink| sink.sink == name).map(|sink| &sink.tally)
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let tally = |tally: &Tally| -> serde_json::Map<String, Value> {
            let count = |verdict: Verdict| (verdict.as_str().replace(' ', "_"), tally.of(verdict).into());
            Verdict::ALL.into_iter().map(count).collect()
        };
        let sinks: serde_json::Map<String, Value> =
            self.sinks.iter().map(|sink| (sink.sink.clone(), tally(&sink.tally).into())).collect();
        let range = |(range, committed): &(Range, u64)| json!({ "partition": range.partition, "from": range.from, "to": range.to, "committed": committed });
        json!({
            "topic": self.topic,
            "ranges": self.ranges.iter().map(range).collect::<Vec<_>>(),
            "sample": self.sample.map(|sample| json!({ "count": sample.count, "seed": sample.seed })),
            "records": self.records,
            "sinks": sinks,
            "undecodable": tally(&self.undecodable),
            "missing": self.missing,
            "first_missing": self.first_missing,
        })
    }
}
