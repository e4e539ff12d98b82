//! Takes records: serde, librdkafka, and a wait for the delivery reports.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, NoCustomPartitioner, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::oneshot;

/// The properties that squall gives librdkafka.
const PROPERTIES: [(&str, &str); 13] = [
    ("socket.nagle.disable", "true"),
    ("allow.auto.create.topics", "false"),
    ("enable.idempotence", "true"),
    ("acks", "all"),
    ("partitioner", "murmur2_random"),
    ("compression.codec", "lz4"),
    ("linger.ms", "2"),
    ("batch.num.messages", "10000"),
    ("batch.size", "1000000"),
    ("message.max.bytes", "1000000"),
    ("queue.buffering.max.messages", "100000"),
    ("queue.buffering.max.kbytes", "65536"),
    ("message.timeout.ms", "30000"),
];

/// All that is read of a record; the fields are there to be checked for.
#[derive(Deserialize)]
#[allow(dead_code, reason = "read, as any program reads that checks what it takes")]
struct Record<'a> {
    #[serde(borrow)]
    event_id: Cow<'a, str>,
    #[serde(borrow)]
    user_id: Cow<'a, str>,
    #[serde(borrow)]
    app_id: Cow<'a, str>,
    #[serde(borrow)]
    channel: Cow<'a, str>,
    #[serde(borrow)]
    business: Cow<'a, str>,
    #[serde(borrow)]
    action: Cow<'a, str>,
    #[serde(borrow, default)]
    item_id: Cow<'a, str>,
    occurred_at: i64,
    #[serde(borrow, default)]
    attributes: BTreeMap<&'a str, &'a RawValue>,
}

#[derive(Serialize)]
struct Accepted {
    accepted: usize,
    ids: Vec<String>,
    rejected: [(); 0],
}

#[derive(Clone)]
struct Log {
    producer: Arc<ThreadedProducer<Deliveries>>,
    topic: Arc<str>,
}

/// Hands each delivery report to who waits for it.
struct Deliveries;

impl ClientContext for Deliveries {}

impl ProducerContext<NoCustomPartitioner> for Deliveries {
    type DeliveryOpaque = Box<oneshot::Sender<bool>>;

    fn delivery(&self, result: &DeliveryResult<'_>, waits: Self::DeliveryOpaque) {
        let _gone = waits.send(result.is_ok());
    }
}

pub(super) fn router(kafka: &str, topic: &str) -> Router {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka);
    for (name, value) in PROPERTIES {
        config.set(name, value);
    }
    let producer = config.create_with_context(Deliveries).expect("valid properties");
    let log = Log { producer: Arc::new(producer), topic: topic.into() };
    Router::new().route("/v1/behaviours", post(behaviours)).with_state(log)
}

async fn behaviours(State(log): State<Log>, body: Bytes) -> Result<(StatusCode, Json<Accepted>), StatusCode> {
    let bad = |_| StatusCode::BAD_REQUEST;
    let texts: Vec<&RawValue> = match body.first() {
        Some(b'[') => serde_json::from_slice(&body).map_err(bad)?,
        _ => vec![serde_json::from_slice(&body).map_err(bad)?],
    };
    let (mut ids, mut delivered) = (Vec::with_capacity(texts.len()), Vec::with_capacity(texts.len()));
    for text in texts {
        let record: Record<'_> = serde_json::from_str(text.get()).map_err(bad)?;
        let (sender, report) = oneshot::channel();
        let headers = OwnedHeaders::new_with_capacity(2)
            .insert(Header { key: "format", value: Some("behaviour-json") })
            .insert(Header { key: "version", value: Some("1") });
        let message = BaseRecord::with_opaque_to(&log.topic, Box::new(sender))
            .key(&*record.user_id)
            .payload(text.get())
            .headers(headers);
        log.producer.send(message).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
        delivered.push(report);
        ids.push(record.event_id.into_owned());
    }
    for report in delivered {
        if report.await != Ok(true) {
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        }
    }
    Ok((StatusCode::ACCEPTED, Json(Accepted { accepted: ids.len(), ids, rejected: [] })))
}
