//! What is done to records after they are written: retention, compaction, sweeping.
//!
//! One at a time, on a thread that may block. Blocks that are appended meanwhile are never touched; readers see a
//! block as it was or as it becomes.

mod compact;
mod retain;

pub(super) use compact::compact;
pub(super) use retain::{forget_before, retain, sweep};

use super::shared::Shared;
use crate::broker::{BrokerError, Cleanup};

/// All that is due at `now_ms`.
pub(super) fn run(shared: &Shared, now_ms: i64) -> Result<(), BrokerError> {
    sweep(shared)?;
    for topic in shared.topics() {
        match topic.cleanup {
            Cleanup::Delete { .. } => retain(shared, &topic, now_ms)?,
            Cleanup::Compact => {
                compact(shared, &topic, now_ms)?;
            }
        }
    }
    Ok(())
}
