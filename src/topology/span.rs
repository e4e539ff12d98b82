//! Spans that have ended, for whoever exports them.
//!
//! One hook for the process, as with the subscriber of `tracing`: sinks and servers end spans far from where it is known who
//! wants them. They are made of traces only that their sender keeps. Not spans of `tracing`: the id of a span is known, and in
//! the headers of records, before anything is exported, and a span of that crate gets its id from the exporter.

use std::borrow::Cow;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::TraceContext;

/// A span that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct EndedSpan {
    /// Such as `POST /v1/behaviours` or `sink.write rows`.
    pub name: String,
    /// What it did.
    pub kind: SpanKind,
    /// Its trace, and its own id: what it leads to has it as parent.
    pub context: TraceContext,
    /// The span that led to it; `None` where the trace begins.
    pub parent: Option<u64>,
    /// When it began, since the Unix epoch.
    pub began: Duration,
    /// How long it took.
    pub took: Duration,
    /// What is known of it, by OpenTelemetry's names where there are any.
    pub attributes: Vec<(&'static str, SpanValue)>,
    /// Why it failed, if it did.
    pub failure: Option<Cow<'static, str>>,
}

/// What a span did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// It answered a caller.
    Server,
    /// It called something else, such as a store.
    Client,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpanValue {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
}

impl From<&str> for SpanValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for SpanValue {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

type Export = Box<dyn Fn(EndedSpan) + Send + Sync>;

static EXPORT: OnceLock<Export> = OnceLock::new();

/// Gives every span that ends from now on to `export`, which must not wait. Only the first call of a process has an effect;
/// whether this was it.
///
/// ```
/// use std::sync::mpsc::channel;
/// use std::time::Duration;
/// use squall::topology::{EndedSpan, SpanKind, TraceContext, export_spans, span_ended};
///
/// let (sender, spans) = channel();
/// assert!(export_spans(move |span| drop(sender.send(span))));
/// span_ended(|| EndedSpan {
///     name: "sink.write rows".into(),
///     kind: SpanKind::Client,
///     context: TraceContext { trace_id: 1, parent_id: 3, sampled: true },
///     parent: Some(2),
///     began: Duration::from_secs(1_700_000_000),
///     took: Duration::from_millis(4),
///     attributes: vec![("sink", "rows".into()), ("rows", 25.into())],
///     failure: None,
/// });
/// assert_eq!(spans.recv().unwrap().took.as_millis(), 4);
/// ```
pub fn export_spans(export: impl Fn(EndedSpan) + Send + Sync + 'static) -> bool {
    EXPORT.set(Box::new(export)).is_ok()
}

/// Whether anybody wants spans.
pub fn exports_spans() -> bool {
    EXPORT.get().is_some()
}

/// A span has ended; it is made only if anybody wants it.
pub fn span_ended(span: impl FnOnce() -> EndedSpan) {
    if let Some(export) = EXPORT.get() {
        export(span());
    }
}

/// What became of the spans of this process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpanCounts {
    /// Spans of batches that a collector took without an error; it may have refused some of one all the same.
    pub sent: u64,
    /// Spans that were lost before: no collector took their batch, or there was no room to wait.
    pub dropped: u64,
}

static SENT: AtomicU64 = AtomicU64::new(0);
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Whoever exports spans says what became of some: it adds to what [`span_counts`] gives.
pub fn count_spans(more: SpanCounts) {
    SENT.fetch_add(more.sent, Ordering::Relaxed);
    DROPPED.fetch_add(more.dropped, Ordering::Relaxed);
}

/// What became of all so far; `None` while nobody wants any.
///
/// ```
/// use squall::topology::{SpanCounts, count_spans, export_spans, span_counts};
///
/// assert_eq!(span_counts(), None);
/// assert!(export_spans(|_nobody_takes_it| count_spans(SpanCounts { sent: 0, dropped: 1 })));
/// count_spans(SpanCounts { sent: 2, dropped: 0 });
/// assert_eq!(span_counts(), Some(SpanCounts { sent: 2, dropped: 0 }));
/// ```
pub fn span_counts() -> Option<SpanCounts> {
    let counts = SpanCounts { sent: SENT.load(Ordering::Relaxed), dropped: DROPPED.load(Ordering::Relaxed) };
    exports_spans().then_some(counts)
}
