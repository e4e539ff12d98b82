//! Spans to an OpenTelemetry collector, over OTLP: HTTP with protobuf.
//!
//! What is sent are the traces that their callers keep, and of those that begin here the share of the access log: each
//! request, and each write of a store that has records of such a trace. They wait in a queue of 2,048, and what does not fit
//! in is dropped: no request and no write waits for a collector. OpenTelemetry's SDK makes the batches, from finished spans;
//! what it would log of each batch that fails is said here once, and once more when the collector is back. How many spans were
//! sent and dropped is counted ([`span_counts`](crate::topology::span_counts)), and `/metrics` shows it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use clap::Args;
use opentelemetry::trace::{SpanContext, SpanId, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{Protocol, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanEvents, SpanExporter, SpanLinks, SpanProcessor,
};

use crate::topology::{EndedSpan, SpanCounts, SpanKind, SpanValue, count_spans, export_spans};

/// Under the collector's address, by its standard.
const PATH: &str = "/v1/traces";
/// Where the address is by the standard, if no argument gives it.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// The name of the service by the standard, if it is to be another.
const NAME: &str = "OTEL_SERVICE_NAME";
/// How long a batch is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it is waited at the end for what is left to be sent.
const LAST: Duration = Duration::from_secs(2);
/// How soon spans are sent.
const DELAY: Duration = Duration::from_secs(1);
const QUEUE: usize = 2_048;
const BATCH: usize = 512;

/// Where spans go.
#[derive(Debug, Clone, Default, Args)]
pub struct OtlpArgs {
    /// Send the spans of traces that are kept to this OpenTelemetry collector, such as http://127.0.0.1:4318
    /// [env: OTEL_EXPORTER_OTLP_ENDPOINT].
    #[arg(long, global = true, value_name = "URL")]
    pub otlp: Option<String>,
}

impl OtlpArgs {
    /// Begins to send, if that is asked for, under the name of this service unless `OTEL_SERVICE_NAME` gives another.
    /// Only the first call of a process has an effect. An address in the environment that is none is meant for others: a
    /// warning says so, and nothing is sent.
    ///
    /// # Errors
    /// An address in the argument that is none.
    pub fn start(&self, service: &str) -> Result<Otlp, String> {
        if let Some(address) = &self.otlp {
            return Otlp::to(address, service).map_err(|why| format!("--otlp: {why}"));
        }
        let Some(address) = set(ENDPOINT) else { return Ok(Otlp::default()) };
        Ok(Otlp::to(&address, service).unwrap_or_else(|why| {
            tracing::warn!("{ENDPOINT}: {why}; no spans are sent");
            Otlp::default()
        }))
    }
}

/// A variable of the environment; an empty one counts as none.
fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// What sends spans. A process that ends without [`close`](Self::close) loses what waits, which is no older than a second
/// while the collector answers.
#[derive(Clone, Default)]
#[must_use = "what waits is sent when it is closed"]
pub struct Otlp(Option<Arc<BatchSpanProcessor>>);

impl Otlp {
    fn to(address: &str, service: &str) -> Result<Self, String> {
        if !address.starts_with("http://") {
            let remedy = "only http:// is spoken; for TLS run an OpenTelemetry collector beside this process";
            return Err(remedy.to_owned());
        }
        let base = address.trim_end_matches('/');
        let url = if base.ends_with(PATH) { base.to_owned() } else { format!("{base}{PATH}") };
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_endpoint(url)
            .with_timeout(PATIENCE)
            .with_protocol(Protocol::HttpBinary)
            .build()
            .map_err(|error| error.to_string())?;
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(DELAY)
            .build();
        let (given, gone) = (AtomicU64::new(0), Arc::<AtomicU64>::default());
        let told = Told { exporter, away: AtomicBool::new(false), gone: gone.clone() };
        let mut processor = BatchSpanProcessor::builder(told).with_batch_config(config).build();
        let name = set(NAME).unwrap_or_else(|| service.to_owned());
        processor.set_resource(&Resource::builder().with_service_name(name).build());
        let processor = Arc::new(processor);
        let (sender, scope) = (processor.clone(), InstrumentationScope::builder("squall").build());
        let full = AtomicBool::new(false);
        let first = export_spans(move |span| {
            let waiting = given.load(Ordering::Relaxed).saturating_sub(gone.load(Ordering::Relaxed));
            let room = waiting < QUEUE as u64;
            if !room && !full.swap(true, Ordering::Relaxed) {
                tracing::warn!(waiting, "spans are dropped: more end than the collector takes");
            }
            if room {
                full.store(false, Ordering::Relaxed);
                given.fetch_add(1, Ordering::Relaxed);
                sender.on_end(data(span, &scope));
            } else {
                count_spans(SpanCounts { dropped: 1, ..SpanCounts::default() });
            }
        });
        Ok(Self(first.then_some(processor)))
    }

    /// Sends what waits, and keeps the thread for that, for 2 s at most; what ends afterwards is dropped.
    pub fn close(self) {
        // What could not be sent was said when it was tried.
        let _sent = self.0.map(|processor| processor.shutdown_with_timeout(LAST));
    }
}

impl fmt::Debug for Otlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Otlp").field(&self.0.is_some()).finish()
    }
}

/// An exporter that says when its collector is away, and when it is back.
#[derive(Debug)]
struct Told {
    exporter: opentelemetry_otlp::SpanExporter,
    away: AtomicBool,
    /// Spans that do not wait any more.
    gone: Arc<AtomicU64>,
}

impl SpanExporter for Told {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len() as u64;
        let result = self.exporter.export(batch).await;
        self.gone.fetch_add(spans, Ordering::Relaxed);
        count_spans(match result {
            Ok(()) => SpanCounts { sent: spans, dropped: 0 },
            Err(_) => SpanCounts { sent: 0, dropped: spans },
        });
        let was_away = self.away.swap(result.is_err(), Ordering::Relaxed);
        match &result {
            Err(error) if !was_away => {
                tracing::warn!(%error, "the OpenTelemetry collector takes no spans; they are dropped");
            }
            Ok(()) if was_away => tracing::warn!("the OpenTelemetry collector takes spans again"),
            _ => {}
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// As the SDK has it.
fn data(span: EndedSpan, scope: &InstrumentationScope) -> SpanData {
    let EndedSpan { name, kind, context, parent, began, took, attributes, failure } = span;
    let trace_id = TraceId::from_bytes(context.trace_id.to_be_bytes());
    let span_id = |id: u64| SpanId::from_bytes(id.to_be_bytes());
    let flags = if context.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
    let value = |value: SpanValue| match value {
        SpanValue::Text(text) => opentelemetry::Value::from(text),
        SpanValue::Number(number) => number.into(),
    };
    SpanData {
        span_context: SpanContext::new(trace_id, span_id(context.parent_id), flags, false, TraceState::default()),
        parent_span_id: parent.map_or(SpanId::INVALID, span_id),
        parent_span_is_remote: parent.is_some(),
        span_kind: match kind {
            SpanKind::Server => opentelemetry::trace::SpanKind::Server,
            SpanKind::Client => opentelemetry::trace::SpanKind::Client,
        },
        name: name.into(),
        start_time: UNIX_EPOCH + began,
        end_time: UNIX_EPOCH + began + took,
        attributes: attributes.into_iter().map(|(name, what)| KeyValue::new(name, value(what))).collect(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: failure.map_or(Status::Unset, |description| Status::Error { description }),
        instrumentation_scope: scope.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_cannot_be_spoken_to_is_refused_with_the_remedy() {
        for address in ["https://127.0.0.1:4318", "127.0.0.1:4318", ""] {
            let error = OtlpArgs { otlp: Some(address.to_owned()) }.start("test").unwrap_err();
            assert!(error.starts_with("--otlp: only http:// is spoken; for TLS"), "{error}");
        }
    }
}
