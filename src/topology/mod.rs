//! The vocabulary: spouts, bolts and sinks, and the typed streams that join them.
//!
//! Pure: nothing here names a runtime, does input or output, or reads a clock.

mod ack;
mod bolt;
mod data;
mod emitter;
mod error;
mod record;
mod sink;
mod spout;
mod sync;

pub use ack::{Hold, Ledger, Shares, Ticket};
pub use bolt::Bolt;
pub use data::{BoxFuture, Data, TaskInfo};
pub use emitter::Emitter;
pub use error::{Class, Classify, Error, Halt, Result, ResultExt};
pub use record::{Headers, Origin, Record};
pub use sink::{BoxSink, Layer, Rejected, Sink, SinkExt};
pub use spout::{Outcome, Pulled, Spout};
