//! What is kept of every change.

use serde::{Deserialize, Serialize};

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
