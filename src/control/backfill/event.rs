//! What happens to jobs.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A record of the ledger. Times are in milliseconds since the Unix epoch, by the clock of whoever wrote it; `token` is
/// the offset of the claim by which the chunk is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields are said above, for all kinds at once")]
pub enum Event {
    /// A worker wants a chunk. Its offset is the token, if it is valid. Of a chunk that is held it may say which event of the
    /// holder was the last, for longer than a lease lasts.
    Claim {
        job: String,
        chunk: u32,
        worker: String,
        at_ms: i64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<u64>,
    },
    /// Everything of the chunk below `next` is settled, and its worker lives.
    Progress { job: String, chunk: u32, token: u64, next: u64, at_ms: i64 },
    /// Records `from..to` were deleted before they were read.
    Lost { job: String, chunk: u32, token: u64, from: u64, to: u64, at_ms: i64 },
    /// All of the chunk is settled; `next` is its end.
    Done { job: String, chunk: u32, token: u64, next: u64, at_ms: i64 },
    /// The worker gives the chunk back, settled below `next`.
    Release { job: String, chunk: u32, token: u64, next: u64, at_ms: i64 },
    /// No chunk is given out, and workers let go of theirs.
    Pause { job: String, who: String, reason: String, at_ms: i64 },
    /// Chunks are given out again.
    Resume { job: String, who: String, reason: String, at_ms: i64 },
    /// It ends as it is, for good.
    Cancel { job: String, who: String, reason: String, at_ms: i64 },
    /// All chunks are done. The first one counts.
    Finished { job: String, worker: String, at_ms: i64 },
}

impl Event {
    /// Whose it is.
    pub fn job(&self) -> &str {
        match self {
            Self::Claim { job, .. }
            | Self::Progress { job, .. }
            | Self::Lost { job, .. }
            | Self::Done { job, .. }
            | Self::Release { job, .. }
            | Self::Pause { job, .. }
            | Self::Resume { job, .. }
            | Self::Cancel { job, .. }
            | Self::Finished { job, .. } => job,
        }
    }

    pub(super) fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("texts and numbers are always JSON").into()
    }

    /// `None` for what is no event, or one of a later version.
    pub(super) fn decode(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }
}
