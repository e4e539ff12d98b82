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
use user_behaviour::topology::now_ms;

use super::support::process::Process;

const LIMIT: Duration = Duration::from_secs(60);
const KEPT: u128 = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;
const DROPPED: u128 = 0x1af7_6519_16cd_43dd_8448_eb21_1c80_319c;
const LAST: u128 = 0x2af7_6519_16cd_43dd_8448_eb21_1c80_319c;
const CALLER: u64 = 0xb7ad_6b71_6920_3331;

/// What has arrived, as it is on the wire.
#[derive(Clone, Default)]
struct Arrived(Arc<Mutex<Vec<u8>>>);

impl Arrived {
    /// Ids and texts stand in protobuf as they are.
    fn has(&self, bytes: &[u8]) -> bool {
        self.0.lock().unwrap().windows(bytes.len()).any(|part| part == bytes)
    }
}

async fn take(State(arrived): State<Arrived>, headers: HeaderMap, body: Bytes) -> StatusCode {
    assert_eq!(headers[CONTENT_TYPE], "application/x-protobuf");
    arrived.0.lock().unwrap().extend_from_slice(&body);
    StatusCode::OK
}

fn record(id: &str) -> String {
    let at = now_ms();
    format!(
        r#"{{"event_id":"{id}","user_id":"u1","app_id":"shop","channel":"app","business":"hotel","action":"view","occurred_at":{at}}}"#
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_trace_leads_from_the_request_to_both_stores() {
    let arrived = Arrived::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let collector = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().route("/v1/traces", post(take)).with_state(arrived.clone());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let app = TowerToHyperService::new(app.clone());
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), app));
        }
    });

    let dir = tempfile::tempdir().unwrap();
    let args =
        ["run", "--role", "all,collector", "--set", "collector.http.listen=127.0.0.1:0", "--otlp", &collector];
    let mut process = Process::start(dir.path(), &args);
    process.wait_until_running();
    let url = format!("{}/v1/behaviours", process.said("collector listens on ").unwrap());
    let client = reqwest::Client::new();
    let send = async |id: &str, trace: u128, flags: &str| {
        let parent = format!("00-{trace:032x}-{CALLER:016x}-{flags}");
        let request = client.post(&url).header("traceparent", parent).header("content-type", "application/json");
        let answer = request.body(record(id)).send().await.unwrap();
        assert_eq!(answer.status(), 202);
        answer.headers()["traceparent"].to_str().unwrap().to_owned()
    };
    send("e1", DROPPED, "00").await;
    let own = send("e2", KEPT, "01").await;
    let own = u64::from_str_radix(own.split('-').nth(2).unwrap(), 16).unwrap();
    let (kept, request) = (KEPT.to_be_bytes(), b"POST /v1/behaviours");
    let (caller, own) = (CALLER.to_be_bytes(), own.to_be_bytes());
    let expected: [&[u8]; 6] = [&kept, request, &caller, &own, b"sink.write timelines", b"sink.write rows"];
    let began = Instant::now();
    while !expected.iter().all(|bytes| arrived.has(bytes)) {
        assert!(began.elapsed() < LIMIT, "not all of it arrives");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(arrived.has(b"user-behaviour"), "the name of the service");

    // What waits at a stop is sent first.
    send("e3", LAST, "01").await;
    process.terminate();
    assert!(process.wait().0.success());
    assert!(arrived.has(&LAST.to_be_bytes()));
    assert!(!arrived.has(&DROPPED.to_be_bytes()), "nobody keeps it");
}
