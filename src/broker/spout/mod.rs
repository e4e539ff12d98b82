//! The spout over a consumer group.
//!
//! What it promises: only contiguous watermarks are committed, on a timer; what fails is read from the log again and
//! replayed; a partition that the group wants back is drained, committed and released; outcomes of an old assignment
//! are ignored.
//!
//! A run that fails comes again whole. When a tuple of it was poison, or it failed twice, it comes again record by
//! record, so that one record cannot hold its neighbours back. A single record that is poison is written to the
//! dead-letter topic and passed over; one whose failures are the store's fault is replayed up to
//! [`LogSpoutSettings::max_replays`] times, then the run stops with nothing past it committed.

mod assigned;
mod failed;
mod log_spout;
mod replay;
mod settings;

#[cfg(test)]
mod tests;

pub use log_spout::LogSpout;
pub use settings::LogSpoutSettings;
