//! What every answer has, and where a request is put.

use axum::extract::Request;
use axum::http::header::CACHE_CONTROL;
use axum::routing::get;
use axum::{Extension, Router};

use super::world::{World, routes, settings};
use crate::service::http::{Deadline, HttpSettings, Peer, TraceContext};

/// Says what it found in the extensions.
fn telling() -> Router {
    Router::new()
        .route("/peer", get(async |Extension(peer): Extension<Peer>| peer.0.to_string()))
        .route("/trace", get(async |Extension(trace): Extension<TraceContext>| trace.to_string()))
        .route(
            "/left",
            get(async |Extension(deadline): Extension<Deadline>| deadline.left().as_millis().to_string()),
        )
        .route("/kept", get(async || ([(CACHE_CONTROL, "max-age=60")], "kept")))
        .route("/uri", get(async |request: Request| request.uri().to_string()))
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_next_request_is_served() {
    let world = World::new(settings(), routes()).await;
    let mut caller = world.call().await;
    let answer = caller.get("/panic").await;
    assert_eq!((answer.status, answer.problem().as_str()), (500, "internal"));
    assert!(!answer.body.contains("secret"), "{answer:?}");
    assert_eq!(caller.get("/hello").await.body, "hello");
    let counted = "squall_http_requests_total{server=\"test\",route=\"/panic\",method=\"GET\",status=\"5xx\"}";
    assert_eq!(world.series(counted), 1);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let world = World::new(settings(), routes()).await;
    for path in ["/", "/nothing", "/hello/", "/things", "/hello?x=1/../nothing"] {
        let answer = world.get(path).await;
        if path.starts_with("/hello?") {
            assert_eq!(answer.status, 200);
        } else {
            assert_eq!((answer.status, answer.problem().as_str()), (404, "not_found"), "{path}");
        }
    }
    for (path, allowed) in [("/hello", "GET,HEAD"), ("/healthz", "GET,HEAD"), ("/metrics", "GET,HEAD")] {
        let answer = world.call().await.post(path, "").await;
        assert_eq!((answer.status, answer.problem().as_str()), (405, "method_not_allowed"), "{path}");
        assert_eq!(answer.header("allow"), Some(allowed));
    }
    let answer = world.get("/length").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
}

#[tokio::test]
async fn every_answer_has_the_headers_of_an_api() {
    let world = World::new(settings(), routes().merge(telling())).await;
    for path in ["/hello", "/nothing", "/panic", "/healthz"] {
        let answer = world.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert!(answer.header("date").is_some());
    }
    let answer = world.get("/kept").await;
    assert_eq!(answer.header("cache-control"), Some("max-age=60"), "a handler decides what is kept");
}

#[tokio::test]
async fn a_trace_goes_on_or_begins() {
    let world = World::new(settings(), telling()).await;
    let mut caller = world.call().await;
    for flags in ["00", "01"] {
        let given = TraceContext::parse(&format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}"));
        let given = given.unwrap();
        let answer = caller.get_with("/trace", &format!("traceparent: {given}\r\n")).await;
        let seen = TraceContext::parse(&answer.body).unwrap();
        assert_eq!((seen.trace_id, seen.sampled), (given.trace_id, given.sampled));
        assert_ne!(seen.parent_id, given.parent_id, "a request is a span of its own");
        assert_eq!(answer.header("traceparent"), Some(answer.body.as_str()));
        assert_eq!(answer.header("x-request-id"), Some("0af7651916cd43dd8448eb211c80319c"));
    }
    let (one, other) = (caller.get("/trace").await, caller.get_with("/trace", "traceparent: none\r\n").await);
    let (one, other) = (TraceContext::parse(&one.body).unwrap(), TraceContext::parse(&other.body).unwrap());
    assert_ne!(one.trace_id, other.trace_id);
    let answer = caller.get("/nothing").await;
    assert!(answer.header("traceparent").and_then(TraceContext::parse).is_some(), "errors are traced too");
}

#[tokio::test]
async fn a_trace_that_begins_here_is_kept_with_the_share_of_the_log() {
    for (sample, sampled) in [(0.0, false), (1.0, true)] {
        let mut settings = settings();
        settings.access_log.sample = sample;
        let world = World::new(settings, telling()).await;
        let answer = world.get("/trace").await;
        assert_eq!(TraceContext::parse(&answer.body).unwrap().sampled, sampled);
    }
}

#[tokio::test]
async fn the_caller_is_the_connection_unless_a_trusted_proxy_says_otherwise() {
    let forwarded = "x-forwarded-for: 198.51.100.1\r\nx-forwarded-for: 203.0.113.7, 127.0.0.9\r\n";
    for (trusted, expected) in [(&[][..], "127.0.0.1"), (&["127.0.0.0/8"], "203.0.113.7"), (&["::1"], "127.0.0.1")]
    {
        let trusted_proxies = trusted.iter().map(|network| network.parse().unwrap()).collect();
        let world = World::new(HttpSettings { trusted_proxies, ..settings() }, telling()).await;
        let mut caller = world.call().await;
        assert_eq!(caller.get_with("/peer", forwarded).await.body, expected, "{trusted:?}");
        assert_eq!(caller.get("/peer").await.body, "127.0.0.1");
    }
}

#[tokio::test]
async fn a_deadline_is_passed_down() {
    let world = World::new(settings(), telling()).await;
    let mut caller = world.call().await;
    let server: u64 = caller.get("/left").await.body.parse().unwrap();
    let lowered: u64 = caller.get_with("/left", "x-request-timeout-ms: 30000\r\n").await.body.parse().unwrap();
    let raised: u64 = caller.get_with("/left", "x-request-timeout-ms: 600000\r\n").await.body.parse().unwrap();
    assert!(server <= 60_000 && lowered <= 30_000 && raised <= 60_000);
}

#[tokio::test]
async fn readiness_is_answered_with_the_reasons() {
    let world = World::new(settings(), routes()).await;
    let (log, store) = (world.readiness.part("log"), world.readiness.part("store"));
    log.ready();
    let mut caller = world.call().await;
    let answer = caller.get("/readyz").await;
    assert_eq!((answer.status, &answer.json()["reasons"][0]["part"]), (503, &"store".into()));
    assert_eq!(caller.get("/healthz").await.status, 200, "a process that is not ready lives");
    store.ready();
    let answer = caller.get("/readyz").await;
    assert_eq!((answer.status, &answer.json()["ready"]), (200, &true.into()));
    log.not_ready("away since 12:00");
    assert_eq!(caller.get("/readyz").await.json()["reasons"][0]["reason"], "away since 12:00");
    log.ready();
    world.readiness.stop();
    let answer = caller.get("/readyz").await;
    assert_eq!((answer.status, &answer.json()["reasons"][0]["reason"]), (503, &"stopping".into()));
}

#[tokio::test]
async fn reqwest_is_a_caller_too() {
    let world = World::new(settings(), routes()).await;
    let client = reqwest::Client::new();
    let at = |path: &str| format!("http://{}{path}", world.address);
    assert_eq!(client.get(at("/hello")).send().await.unwrap().text().await.unwrap(), "hello");
    let body = "x".repeat(1 << 20);
    assert_eq!(client.post(at("/length")).body(body).send().await.unwrap().text().await.unwrap(), "1048576");
    assert_eq!(client.head(at("/hello")).send().await.unwrap().status(), 200);
}
