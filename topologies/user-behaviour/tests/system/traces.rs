//! A trace that its caller keeps is followed from the request to the stores, by an OpenTelemetry collector.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use user_behaviour::topology::now_ms;

use super::support::process::Process;

const LIMIT: Duration = Duration::from_secs(60);
const KEPT: u128 = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;
const DROPPED: u128 = 0x1af7_6519_16cd_43dd_8448_eb21_1c80_319c;
const LAST: u128 = 0x2af7_6519_16cd_43dd_8448_eb21_1c80_319c;
const CALLER: u64 = 0xb7ad_6b71_6920_3331;
const REQUEST: &str = "POST /v1/behaviours";

/// The spans that have arrived, each with the name of its service.
#[derive(Clone, Default)]
struct Arrived(Arc<Mutex<Vec<(String, Span)>>>);

impl Arrived {
    /// The spans of a trace with this name.
    fn of(&self, trace: u128, name: &str) -> Vec<Span> {
        let arrived = self.0.lock().unwrap();
        let wanted = |span: &&Span| span.trace_id == trace.to_be_bytes() && span.name == name;
        arrived.iter().map(|(_, span)| span).filter(wanted).cloned().collect()
    }

    /// The request of a trace, and its writes, as soon as both stores have one.
    async fn whole(&self, trace: u128) -> (Span, Vec<Span>) {
        let began = Instant::now();
        loop {
            let (requests, lists, rows) = (
                self.of(trace, REQUEST),
                self.of(trace, "sink.write timelines"),
                self.of(trace, "sink.write rows"),
            );
            if let [request] = &requests[..]
                && !lists.is_empty()
                && !rows.is_empty()
            {
                return (request.clone(), [lists, rows].concat());
            }
            assert!(began.elapsed() < LIMIT, "only {requests:?}, {lists:?} and {rows:?} arrive");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn take(State(arrived): State<Arrived>, headers: HeaderMap, body: Bytes) -> StatusCode {
    assert_eq!(headers[CONTENT_TYPE], "application/x-protobuf");
    for of_service in ExportTraceServiceRequest::decode(body).unwrap().resource_spans {
        let attributes = of_service.resource.unwrap().attributes;
        let name = attributes.into_iter().find(|attribute| attribute.key == "service.name").unwrap();
        let Some(Value::StringValue(name)) = name.value.unwrap().value else { panic!("a name is a text") };
        let spans = of_service.scope_spans.into_iter().flat_map(|scope| scope.spans);
        arrived.0.lock().unwrap().extend(spans.map(|span| (name.clone(), span)));
    }
    StatusCode::OK
}

/// A collector, and where it listens.
async fn collector() -> (Arrived, String) {
    let arrived = Arrived::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().route("/v1/traces", post(take)).with_state(arrived.clone());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let app = TowerToHyperService::new(app.clone());
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), app));
        }
    });
    (arrived, url)
}

/// Lines with so many records of one user.
fn records(request: &str, count: usize) -> String {
    let at = now_ms();
    let line = |n| {
        format!(
            r#"{{"event_id":"{request}-{n}","user_id":"u1","app_id":"shop","channel":"app","business":"hotel","action":"view","occurred_at":{at}}}"#
        )
    };
    (0..count).map(line).collect::<Vec<_>>().join("\n")
}

/// How many spans the process says that it has sent, or dropped.
async fn spans(metrics: &str, result: &str) -> u64 {
    let page = reqwest::get(metrics).await.unwrap().text().await.unwrap();
    let series = format!("squall_spans_total{{result=\"{result}\"}} ");
    let value = page.lines().find_map(|line| line.strip_prefix(&series));
    value.unwrap_or_else(|| panic!("{series} is not in\n{page}")).parse().unwrap()
}

/// Waits until it says so of at least so many.
async fn counted(metrics: &str, result: &str, least: u64) {
    let began = Instant::now();
    while spans(metrics, result).await < least {
        assert!(began.elapsed() < LIMIT, "no {least} spans are {result}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_that_nobody_takes_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    // A collector has no business at the port of the discard service.
    let args = [
        "run",
        "--role",
        "collector",
        "--set",
        "collector.http.listen=127.0.0.1:0",
        "--otlp",
        "http://127.0.0.1:9",
    ];
    let mut process = Process::start(dir.path(), &args);
    process.wait_until_running();
    let url = process.said("collector listens on ").unwrap();
    let parent = format!("00-{KEPT:032x}-{CALLER:016x}-01");
    let post = reqwest::Client::new().post(format!("{url}/v1/behaviours")).header("traceparent", parent);
    let answer =
        post.header("content-type", "application/x-ndjson").body(records("lost", 1)).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    let metrics = format!("{url}/metrics");
    counted(&metrics, "dropped", 1).await;
    assert_eq!(spans(&metrics, "sent").await, 0);
    process.terminate();
    assert!(process.wait().0.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_trace_leads_from_the_request_to_both_stores() {
    let (arrived, otlp) = collector().await;
    let dir = tempfile::tempdir().unwrap();
    let args = ["run", "--role", "all,collector", "--set", "collector.http.listen=127.0.0.1:0", "--otlp", &otlp];
    let mut process = Process::start(dir.path(), &args);
    process.wait_until_running();
    let url = format!("{}/v1/behaviours", process.said("collector listens on ").unwrap());
    let client = reqwest::Client::new();
    let send = async |request: &str, count: usize, trace: u128, flags: &str| {
        let parent = format!("00-{trace:032x}-{CALLER:016x}-{flags}");
        let post = client.post(&url).header("traceparent", parent).header("content-type", "application/x-ndjson");
        let answer = post.body(records(request, count)).send().await.unwrap();
        assert_eq!(answer.status(), 202);
    };
    send("dropped", 1, DROPPED, "00").await;
    send("kept", 100, KEPT, "01").await;
    let (request, writes) = arrived.whole(KEPT).await;
    assert_eq!(request.parent_span_id, CALLER.to_be_bytes());
    assert!(writes.iter().all(|write| write.parent_span_id == request.span_id), "{request:?}: {writes:?}");
    let ids: std::collections::BTreeSet<_> = writes.iter().map(|write| &write.span_id).collect();
    assert!(ids.len() == writes.len() && !ids.contains(&request.span_id), "each has an id of its own: {writes:?}");
    let rows = |write: &Span| {
        let rows = write.attributes.iter().find(|attribute| attribute.key == "rows").unwrap();
        match rows.value.clone().unwrap().value {
            Some(Value::IntValue(rows)) => rows,
            other => panic!("{other:?}"),
        }
    };
    let written: i64 = writes.iter().map(rows).sum();
    // What is written with a record of the trace beside others counts whole; here there were none but the first.
    assert!((2..=202).contains(&written), "one span for a write, however many records it has: {writes:?}");

    let metrics = url.replace("/v1/behaviours", "/metrics");
    // That of the request, too.
    counted(&metrics, "sent", 1 + writes.len() as u64).await;
    assert_eq!(spans(&metrics, "dropped").await, 0);

    // What waits at a stop is sent first.
    send("last", 1, LAST, "01").await;
    process.terminate();
    assert!(process.wait().0.success());
    assert_eq!(arrived.of(LAST, REQUEST).len(), 1);
    let all = arrived.0.lock().unwrap();
    assert!(all.iter().all(|(service, _)| service == "user-behaviour"));
    assert!(!all.iter().any(|(_, span)| span.trace_id == DROPPED.to_be_bytes()), "nobody keeps it");
}
