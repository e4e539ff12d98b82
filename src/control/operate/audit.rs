//! What is kept of every change.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::broker::Gap;

/// Who did what, when and why: a record of the audit topic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// When, in milliseconds since the Unix epoch.
    pub when_ms: i64,
    /// Who.
    pub who: String,
    /// What was done, such as `set`.
    pub action: String,
    /// To what, such as `switch/rows`.
    pub target: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// What else there is to know of it: a JSON object.
    #[serde(default)]
    pub details: serde_json::Value,
}

impl AuditRecord {
    /// That records of a partition were deleted before they were read: an entry of the list of lost ranges.
    pub fn lost(topic: &str, partition: u32, gap: Gap, who: &str, when_ms: i64) -> Self {
        Self {
            when_ms,
            who: who.to_owned(),
            action: "lost".to_owned(),
            target: format!("{topic}[{partition}]"),
            reason: "deleted before they were read: the retention is shorter than the lag was".to_owned(),
            details: serde_json::json!({ "from": gap.from, "to": gap.to }),
        }
    }

    /// That records of a partition were passed over that the log has, because its settings say to go on with the newest.
    pub fn passed(topic: &str, partition: u32, range: Gap, who: &str, when_ms: i64) -> Self {
        let reason = "behind deleted records the settings go on with the newest".to_owned();
        Self { action: "skip".to_owned(), reason, ..Self::lost(topic, partition, range, who, when_ms) }
    }

    /// The record's value.
    pub fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("texts, numbers and JSON are always JSON").into()
    }
}
