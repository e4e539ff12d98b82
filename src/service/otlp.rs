//! Spans to an OpenTelemetry collector, over OTLP: HTTP with protobuf.
//!
//! What is sent are the traces that their callers keep, and of those that begin here the share of the access log: each
//! request, and each write of a store that has records of such a trace. They wait in a queue of 2,048, and what does not fit
//! in is dropped: no request and no write waits for a collector. OpenTelemetry's SDK makes the batches, from finished spans.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use clap::Args;
use opentelemetry::trace::{SpanContext, SpanId, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor,
};

use crate::topology::{EndedSpan, SpanKind, SpanValue, export_spans};

/// Under the collector's address, by its standard.
const PATH: &str = "/v1/traces";
/// How long a batch is waited for, and how long the last one at the end.
const PATIENCE: Duration = Duration::from_secs(5);
/// How soon spans are sent.
const DELAY: Duration = Duration::from_secs(1);
const QUEUE: usize = 2_048;
const BATCH: usize = 512;

/// Where spans go.
#[derive(Debug, Clone, Default, Args)]
pub struct OtlpArgs {
    /// Send the spans of traces that are kept to this OpenTelemetry collector, such as http://127.0.0.1:4318.
    #[arg(long, global = true, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp: Option<String>,
}

impl OtlpArgs {
    /// Begins to send, if that is asked for, under the name of this service unless `OTEL_SERVICE_NAME` gives another.
    /// Only the first call of a process has an effect.
    ///
    /// # Errors
    /// An address that is none.
    pub fn start(&self, service: &str) -> Result<Otlp, String> {
        let Some(address) = self.otlp.as_deref().filter(|address| !address.is_empty()) else {
            return Ok(Otlp(None));
        };
        let wrong = |why: &str| format!("--otlp {address}: {why}");
        if !address.starts_with("http://") {
            return Err(wrong(
                "only http:// is spoken; for TLS run an OpenTelemetry collector beside this process",
            ));
        }
        let base = address.trim_end_matches('/');
        let url = if base.ends_with(PATH) { base.to_owned() } else { format!("{base}{PATH}") };
        let exporter = SpanExporter::builder().with_http().with_endpoint(url).with_timeout(PATIENCE);
        let exporter = exporter.with_protocol(Protocol::HttpBinary).build();
        let exporter = exporter.map_err(|error| wrong(&error.to_string()))?;
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(DELAY)
            .build();
        let mut processor = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
        let name = std::env::var("OTEL_SERVICE_NAME").unwrap_or_else(|_| service.to_owned());
        processor.set_resource(&Resource::builder().with_service_name(name).build());
        let processor = Arc::new(processor);
        let (sender, scope) = (processor.clone(), InstrumentationScope::builder("squall").build());
        let first = export_spans(move |span| sender.on_end(data(span, &scope)));
        Ok(Otlp(first.then_some(processor)))
    }
}

/// What sends spans.
pub struct Otlp(Option<Arc<BatchSpanProcessor>>);

impl Otlp {
    /// Sends what waits, for 5 s at most; what ends afterwards is dropped.
    pub fn close(self) {
        let Some(processor) = self.0 else { return };
        if let Err(error) = processor.shutdown_with_timeout(PATIENCE) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

impl fmt::Debug for Otlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Otlp").field(&self.0.is_some()).finish()
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
        for (address, part) in [("https://127.0.0.1:4318", "only http://"), ("127.0.0.1:4318", "only http://")] {
            let error = OtlpArgs { otlp: Some(address.to_owned()) }.start("test").unwrap_err();
            assert!(error.starts_with(&format!("--otlp {address}: ")) && error.contains(part), "{error}");
        }
        OtlpArgs::default().start("test").unwrap().close();
    }
}
