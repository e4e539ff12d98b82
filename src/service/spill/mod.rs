//! Records that are durable on the local disk while the log is away.
//!
//! A service that answers "I have it" must not depend on the log being there at that moment. [`DurableProducer`] appends
//! to the log; when the log fails, does not answer in time, or its breaker is open, the records go to a [`Spill`] beside
//! it, and from there into the log when it is back.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`DurableProducer`] | appends to the log or to the spill; drains the spill; says how it stands |
//! | [`Spill`], [`Reader`] | the records on the disk: written at one end, drained at the other |
//! | [`SpillConfig`] | the section of a configuration |
//! | `writer`, `segment`, `folder`, `envelope` | group commit, one embedded log each, their folders, records at rest |
//!
//! # What may be relied on
//!
//! - An append that returned `Ok` is durable: in the log, or fsynced on this disk. `kill -9` loses none of it; what was
//!   not drained is drained by the next process that opens the folder.
//! - A record leaves the spill only when the log has acknowledged it. It may come into the log **more than once**: after
//!   an append whose outcome is unknown, and after a crash or a power cut during the drain. Whoever reads the log needs
//!   an id that makes the copies one.
//! - Records of the spill go into the log in the order in which they were acknowledged. **Fresh records do not wait for
//!   them**: as soon as the log takes any they go straight to it, beside the drain. So the log does not hold all records
//!   of a key in their order after an outage; readers whose writes compare versions, as all stores here do, need none.
//! - The spill holds at most [`max_bytes`](SpillSettings::max_bytes), counting keys, values, headers and
//!   [`RECORD_OVERHEAD`] for each record. Beyond, an append fails with [`SpillError::Full`] and nothing of it is kept.
//! - Its room comes back: records are kept in segments, each an embedded log in a folder of its own, and a folder is
//!   deleted as soon as its last record is drained. A segment is small enough to stay in its journal, so the disk holds
//!   about as many bytes as are counted, plus one segment.
//!
//! # Why there is own code here
//!
//! The embedded log gives durability, group commit and recovery. It neither bounds what it holds (its retention deletes,
//! which is what must not happen here) nor gives room back promptly: what is deleted in it goes when tables are merged.
//! So the bound, the segments and the drain are made here, and nothing else.

mod config;
mod drain;
mod durable;
mod envelope;
mod error;
mod folder;
mod reader;
mod segment;
mod settings;
mod shared;
mod status;
mod store;
#[cfg(test)]
mod tests;
mod writer;

pub use config::SpillConfig;
pub use durable::{Durable, DurableProducer};
pub use envelope::RECORD_OVERHEAD;
pub use error::{DurableError, SpillError};
pub use reader::{Reader, Run};
pub use settings::{DurableSettings, SpillSettings};
pub use status::{DurableStatus, Health, SpillStatus};
pub use store::Spill;
