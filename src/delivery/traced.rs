//! Says of traced records that they reach their store.

use std::collections::hash_map::RandomState;
use std::fmt::Write as _;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{Instrument, Span};

use super::Parcel;
use crate::broker::LogRecord;
use crate::guard::Clock;
use crate::topology::{
    EndedSpan, Layer, Rejected, Result, Sink, SpanKind, TRACEPARENT, TaskInfo, TraceContext, exports_spans,
    span_ended,
};

/// Traces of one write that are named; of the others only how many there are is said.
const NAMED: usize = 16;

/// Why a write failed.
const FAILED: &str = "the write failed";
/// Why a write has no end: its time-out has passed, or the process stops.
const GIVEN_UP: &str = "the write was given up";

/// Puts a write with records whose senders keep their traces into a span `sink.write`, with the sink, how many rows there
/// are, and the `traceparent` of those records; and where [spans are exported](crate::topology::export_spans) into one of
/// each of the first 16 of those traces. Writes without any have none: what is not asked for costs a look at the headers, and
/// nothing where spans of that level are switched off.
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
        let logged = tracing::enabled!(tracing::Level::INFO);
        let kept = match logged || exports_spans() {
            true => Kept::of(rows.iter().map(|row| &row.record)),
            false => Kept::default(),
        };
        if kept.all == 0 {
            return self.inner.write(rows).await;
        }
        let span = if logged { kept.span(&self.name, rows.len()) } else { Span::none() };
        let mut open =
            Open { kept, sink: &self.name, rows: rows.len(), began: Instant::now(), failure: Some(GIVEN_UP) };
        let result = self.inner.write(rows).instrument(span.clone()).await;
        open.failure = result.is_err().then_some(FAILED);
        if logged {
            let (took_ms, stored) = (open.began.elapsed().as_millis() as u64, result.is_ok());
            span.in_scope(|| tracing::info!(took_ms, stored, "written"));
        }
        result
    }

    fn size_of(&self, tuple: &Arc<Parcel<T>>) -> usize {
        self.inner.size_of(tuple)
    }

    async fn close(&mut self) -> Result<()> {
        self.inner.close().await
    }
}

/// The traces in a write that their senders keep.
#[derive(Default)]
struct Kept {
    all: usize,
    named: Vec<TraceContext>,
}

impl Kept {
    fn of<'a>(records: impl Iterator<Item = &'a LogRecord>) -> Self {
        let mut kept = Self::default();
        for context in records.filter_map(kept_by) {
            kept.all += 1;
            // The records of one request have the same.
            if kept.named.len() < NAMED && !kept.named.contains(&context) {
                kept.named.push(context);
            }
        }
        kept
    }

    /// For logs.
    fn span(&self, sink: &str, rows: usize) -> Span {
        let mut traces = String::new();
        for context in &self.named {
            let comma = if traces.is_empty() { "" } else { "," };
            // Writing to a string cannot fail.
            let _infallible = write!(traces, "{comma}{context}");
        }
        tracing::info_span!("sink.write", sink, rows, traced = self.all, traces)
    }
}

/// A write until it has ended, or is given up: that is when its traces are asked for.
struct Open<'a> {
    kept: Kept,
    sink: &'a str,
    rows: usize,
    began: Instant,
    failure: Option<&'static str>,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        let now = Duration::from_millis(u64::try_from(Clock::wall().unix_ms()).unwrap_or_default());
        for context in &self.kept.named {
            span_ended(|| EndedSpan {
                name: format!("sink.write {}", self.sink),
                kind: SpanKind::Client,
                context: context.child(RandomState::new().build_hasher().finish()),
                parent: Some(context.parent_id),
                began: now.saturating_sub(took),
                took,
                attributes: vec![("sink", self.sink.into()), ("rows", (self.rows as i64).into())],
                failure: self.failure.map(Into::into),
            });
        }
    }
}

/// The trace of a record whose sender keeps it.
fn kept_by(record: &LogRecord) -> Option<TraceContext> {
    let header = std::str::from_utf8(record.headers.last(TRACEPARENT)?).ok()?;
    TraceContext::parse(header).filter(|context| context.sampled)
}
