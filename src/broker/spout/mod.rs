//! The spout over a consumer group.
//!
//! What it promises: only contiguous watermarks are committed, on a timer; what fails is read from the log again and
//! replayed; a partition that the group wants back is drained, committed and released; outcomes of an old assignment
//! are ignored.
//!
//! A run that fails comes again whole. When a tuple of it was poison it comes again record by record, each alone in
//! flight, so that no neighbour is blamed for it. A single record that is poison for certain is written to the
//! dead-letter topic and passed over; what fails more than [`LogSpoutSettings::max_replays`] times otherwise stops the
//! run with nothing past it committed.

mod assigned;
mod careful;
mod events;
mod failed;
mod gate;
mod holds;
mod log_spout;
mod phase;
mod replay;
mod settings;

#[cfg(test)]
mod tests;

pub use gate::{Admission, Gate};
pub use log_spout::LogSpout;
pub use settings::LogSpoutSettings;
