//! The vocabulary: spouts, bolts and sinks, and the typed streams that join them.
//!
//! Pure: nothing here names a runtime, does input or output, or reads a clock. A [`Topology`] is put together from
//! typed streams; [`Topology::plan`] compiles it into erased tasks ([`plan`]) that a runtime drives.
//!
//! | file | what |
//! | --- | --- |
//! | `spout` `bolt` `sink` | the three roles, each a trait with its contract |
//! | `emitter` `ack` `batch` | what a bolt emits through; who answers for a batch |
//! | `stream` `grouped` `flow` `grouping` | typed streams, closures fused into edges, exchanges |
//! | `builder` `shape` `port` `settings` `graph` | the topology, how it is held while it is built, its bounds, its shape as data |
//! | `plan` | operators compiled into tasks: the seam to a runtime |
//! | `error` `record` `trace` `span` | classes of errors; a value with its origin, and with its place in a trace; what a trace is made of |

mod ack;
mod batch;
mod bolt;
mod builder;
mod data;
mod emitter;
mod error;
mod flow;
mod graph;
mod grouped;
mod grouping;
pub mod plan;
mod port;
mod record;
mod settings;
mod shape;
mod sink;
mod span;
mod spout;
mod stream;
mod sync;
#[cfg(test)]
mod tests;
mod trace;

pub use ack::{Failure, Hold, Ledger, Shares, Ticket};
pub use batch::Batch;
pub use bolt::Bolt;
pub use builder::Topology;
pub use data::{BoxFuture, Data, TaskInfo};
pub use emitter::Emitter;
pub use error::{Class, Classify, Error, Halt, Result, ResultExt};
pub use flow::{Direct, FilterMap, FlatMap, FlatMapWith, Flow, Map};
pub use graph::{Edge, Graph, Kind, Operator};
pub use grouped::Grouped;
pub use grouping::{Grouping, KeyHasher};
pub use record::{Headers, Origin, Record};
pub use settings::{Bounds, Settings, Tuning};
pub use shape::BuildError;
pub use sink::{BoxSink, Layer, Rejected, Sink, SinkExt};
pub use span::{
    EndedSpan, SpanCounts, SpanKind, SpanValue, count_spans, export_spans, exports_spans, span_counts, span_ended,
};
pub use spout::{Outcome, Pulled, Spout};
pub use stream::{Either, Merged, RejectedTuple, Stream};
pub use trace::{TRACEPARENT, TraceContext};
