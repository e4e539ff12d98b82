//! Says of traced records that they reach their store.

use std::fmt::Write as _;
use std::sync::Arc;

use tokio::time::Instant;
use tracing::{Instrument, Span};

use super::Parcel;
use crate::broker::LogRecord;
use crate::topology::{Layer, Rejected, Result, Sink, TRACEPARENT, TaskInfo, TraceContext};

/// Traces of one write that are named; of the others only how many there are is said.
const NAMED: usize = 16;

/// Puts a write with records whose senders keep their traces into a span `sink.write`, with the sink, how many rows there
/// are, and the `traceparent` of those records. Writes without any have none: what is not asked for costs a look at
/// the headers, and nothing where spans of that level are switched off.
#[derive(Debug, Clone)]
pub(super) struct TracedLayer(pub(super) Arc<str>);

/// A sink whose writes are traced.
#[derive(Debug, Clone)]
pub(super) struct Traced<S> {
    name: Arc<str>,
    inner: S,
}

impl<T, S: Sink<In = Arc<Parcel<T>>>> Layer<S> for TracedLayer
where
    Arc<Parcel<T>>: crate::topology::Data,
    T: Send + Sync + 'static,
{
    type Sink = Traced<S>;

    fn layer(self, inner: S) -> Traced<S> {
        Traced { name: self.0, inner }
    }
}

impl<T, S: Sink<In = Arc<Parcel<T>>>> Sink for Traced<S>
where
    Arc<Parcel<T>>: crate::topology::Data,
    T: Send + Sync + 'static,
{
    type In = Arc<Parcel<T>>;

    async fn prepare(&mut self, task: &TaskInfo) -> Result<()> {
        self.inner.prepare(task).await
    }

    async fn write(&mut self, rows: &[&Arc<Parcel<T>>]) -> Result<Rejected> {
        let span = span(&self.name, rows.iter().map(|row| &row.record));
        if span.is_none() {
            return self.inner.write(rows).await;
        }
        let began = Instant::now();
        let result = self.inner.write(rows).instrument(span.clone()).await;
        let (took_ms, stored) = (began.elapsed().as_millis() as u64, result.is_ok());
        span.in_scope(|| tracing::info!(took_ms, stored, "written"));
        result
    }

    fn size_of(&self, tuple: &Arc<Parcel<T>>) -> usize {
        self.inner.size_of(tuple)
    }

    async fn close(&mut self) -> Result<()> {
        self.inner.close().await
    }
}

/// The span of a write of these records; none when no sender keeps its trace, or nobody listens.
fn span<'a>(sink: &str, records: impl ExactSizeIterator<Item = &'a LogRecord>) -> Span {
    if !tracing::enabled!(tracing::Level::INFO) {
        return Span::none();
    }
    let (rows, mut traced, mut traces) = (records.len(), 0, String::new());
    for context in records.filter_map(kept) {
        traced += 1;
        if traced <= NAMED {
            let comma = if traces.is_empty() { "" } else { "," };
            // Writing to a string cannot fail.
            let _infallible = write!(traces, "{comma}{context}");
        }
    }
    match traced {
        0 => Span::none(),
        _ => tracing::info_span!("sink.write", sink, rows, traced, traces),
    }
}

/// The trace of a record whose sender keeps it.
fn kept(record: &LogRecord) -> Option<TraceContext> {
    let header = std::str::from_utf8(record.headers.last(TRACEPARENT)?).ok()?;
    TraceContext::parse(header).filter(|context| context.sampled)
}
