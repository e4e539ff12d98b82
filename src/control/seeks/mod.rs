//! Where spouts are to go on: the records that say so, and the handle by which a spout follows them.

mod record;
mod steering;

pub use record::SeekRecord;
pub(super) use record::{SEEK, Sought};
pub(super) use steering::{Board, Steering};
