//! The routes over the embedded log.
#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::AdminApi;
use super::look::OVER_MAX_MS;
use super::table::table;
use crate::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use crate::control::{Control, ControlSettings, ensure};
use crate::guard::{Limit, LiveLimit, Mode};
use crate::service::admin::AdminContext;
use crate::service::config::Secret;
use crate::service::http::Deadline;
use crate::service::http::auth::{AdminTokens, Role};

const READ: &str = "a-token-that-reads-0";
const OPERATE: &str = "a-token-that-operates";

struct Stage {
    router: Router,
    context: AdminContext,
    control: Control,
    limit: LiveLimit,
    _dir: tempfile::TempDir,
}

/// A topology with one worker, which has a switch, a spout and a limit.
async fn stage() -> Stage {
    let dir = tempfile::tempdir().unwrap();
    let broker = Arc::new(EmbeddedBroker::open(&dir.path().join("log"), EmbeddedSettings::for_tests()).unwrap());
    ensure(&*broker, "words", 1).await.unwrap();
    let settings = ControlSettings { worker: "one".into(), ..ControlSettings::new(dir.path(), "query") };
    let control = Control::start(broker.clone(), "words", settings).await;
    control.switch("rows");
    control.spout("lines");
    let limit = control.limit("query.ip", Limit::new(100, 200));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let context =
        AdminContext { broker, topology: "words".into(), dead_letters: None, topic: None, spouts: Vec::new() };
    let (read, operate) = (Secret::from(READ), Secret::from(OPERATE));
    let tokens = AdminTokens::new([("ann", Role::Read, &read), ("bob", Role::Operate, &operate)]).unwrap();
    let router = AdminApi::new(context.clone()).router(tokens);
    Stage { router, context, control, limit, _dir: dir }
}

impl Stage {
    async fn send(&self, request: Request) -> (StatusCode, Value) {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (status, json) = (answer.status(), answer.headers()[CONTENT_TYPE].to_str().unwrap().contains("json"));
        assert!(json, "{status} has no JSON");
        if status == StatusCode::UNAUTHORIZED {
            assert!(answer.headers().contains_key(WWW_AUTHENTICATE));
        }
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.send(request(Method::GET, path, Some(READ), None)).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    async fn put(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.send(request(Method::PUT, path, Some(OPERATE), Some(body.to_string()))).await
    }
}

fn request(method: Method, path: &str, token: Option<&str>, body: Option<String>) -> Request {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(body.map_or_else(Body::empty, Body::from)).unwrap()
}

#[tokio::test]
async fn every_route_has_its_role_and_none_is_without() {
    let stage = stage().await;
    for route in table() {
        // With a body that is none, a change that is let through changes nothing and is refused for that.
        let path = route.path.replace("{name}", "rows");
        let passed = if route.method == Method::GET { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        let reader = if route.role == Role::Read { passed } else { StatusCode::FORBIDDEN };
        for (token, expected) in [
            (None, StatusCode::UNAUTHORIZED),
            (Some("a-token-of-nobody-at-all"), StatusCode::UNAUTHORIZED),
            (Some(""), StatusCode::UNAUTHORIZED),
            (Some(READ), reader),
            (Some(OPERATE), passed),
        ] {
            let (status, body) = stage.send(request(route.method.clone(), &path, token, None)).await;
            assert_eq!(status, expected, "{} {path} with {token:?}: {body}", route.method);
        }
        assert_eq!(route.role == Role::Read, route.method == Method::GET, "{path}: what changes needs more");
        // What is not there needs a token too, and says no more without one.
        let (status, _) = stage.send(request(Method::DELETE, &path, None, None)).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        let (status, _) = stage.send(request(Method::DELETE, &path, Some(READ), None)).await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    }
    assert!(stage.context.operator().audit(10).await.unwrap().is_empty(), "nothing was changed");
    let paths: BTreeSet<_> = table().into_iter().map(|route| (route.path, route.method.to_string())).collect();
    assert_eq!(paths.len(), table().len());
    for (token, expected) in [(None, StatusCode::UNAUTHORIZED), (Some(READ), StatusCode::NOT_FOUND)] {
        for path in ["/", "/admin", "/admin/v1/secrets", "/admin/v1/switches/rows/more"] {
            assert_eq!(stage.send(request(Method::GET, path, token, None)).await.0, expected, "{path}");
        }
    }
}

#[tokio::test]
async fn looks_are_what_the_command_line_prints() {
    let stage = stage().await;
    let status = json!({
        "topology": "words", "workers": { "live": 1, "silent": 0 }, "switches": { "rows": "off" },
        "spouts": { "lines": "running" }, "limits": { "query.ip": "100/s burst 200" },
    });
    assert_eq!(stage.get("/admin/v1/status").await, status);
    let workers = stage.get("/admin/v1/workers").await;
    assert_eq!((&workers["workers"][0]["worker"], &workers["workers"][0]["live"]), (&"one".into(), &true.into()));
    for (kind, name) in [("switches", "rows"), ("spouts", "lines"), ("limits", "query.ip")] {
        let list = stage.get(&format!("/admin/v1/{kind}")).await;
        let list = list[kind].as_array().unwrap().clone();
        assert_eq!(
            (list.len(), &list[0]["name"], &list[0]["workers"][0]["worker"]),
            (1, &name.into(), &"one".into())
        );
    }
    assert_eq!(stage.get("/admin/v1/backfills").await, json!({ "backfills": [] }));
    assert_eq!(stage.get("/admin/v1/lag").await, json!({ "spouts": [] }));
    let _seeks = stage.control.seeks("lines", "squall.words.audit", "readers");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let lag = stage.get("/admin/v1/lag?over_ms=10").await;
    assert_eq!((&lag["spouts"][0]["spout"], &lag["spouts"][0]["lag"]), (&"lines".into(), &0.into()));
    let beyond = format!("over_ms={}", OVER_MAX_MS + 1);
    for query in [beyond.as_str(), "over_ms=soon", "over=5"] {
        let path = format!("/admin/v1/lag?{query}");
        let (status, body) = stage.send(request(Method::GET, &path, Some(READ), None)).await;
        assert_eq!((status, &body["parameter"]), (StatusCode::BAD_REQUEST, &"over_ms".into()));
    }
}

#[tokio::test]
async fn a_change_is_made_in_the_name_of_the_token_and_waited_for() {
    let stage = stage().await;
    let body = json!({ "value": "on", "reason": "upgrade", "for_ms": 60_000 });
    let (status, body) = stage.put("/admin/v1/switches/rows", body).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(
        (&body["key"], &body["value"], &body["before"]),
        (&"switch/rows".into(), &"on".into(), &"off".into())
    );
    assert_eq!((&body["who"], &body["reason"], &body["then"]), (&"bob".into(), &"upgrade".into(), &"off".into()));
    assert_eq!((&body["applied"], &body["of"]), (&1.into(), &1.into()));
    assert!(body["expires_ms"].as_i64().unwrap() > 0);
    assert_eq!(stage.control.switch("rows").mode(), Mode::On);

    let (status, _) = stage.put("/admin/v1/spouts/lines", json!({ "value": "paused", "reason": "look" })).await;
    assert_eq!((status, stage.control.spout("lines").is_paused()), (StatusCode::OK, true));
    let (_, body) = stage.put("/admin/v1/limits/query.ip", json!({ "value": " 5/s ", "reason": "flood" })).await;
    assert_eq!((&body["value"], &body["before"]), (&"5/s burst 5".into(), &"100/s burst 200".into()));
    assert_eq!(stage.limit.limit(), Limit::new(5, 5));
    let (status, _) =
        stage.put("/admin/v1/limits/query.ip", json!({ "value": "default", "reason": "over" })).await;
    assert_eq!((status, stage.limit.limit()), (StatusCode::OK, Limit::new(100, 200)));
    let audit = stage.context.operator().audit(10).await.unwrap();
    let of = |at: usize| (audit[at].who.as_str(), audit[at].target.as_str(), audit[at].reason.as_str());
    assert_eq!([of(0), of(2)], [("bob", "switch/rows", "upgrade"), ("bob", "limit/query.ip", "flood")]);
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_and_changes_nothing() {
    let stage = stage().await;
    let on = json!({ "value": "on", "reason": "test" });
    for (path, body, status, part) in [
        ("switches/rows", json!({ "value": "sideways", "reason": "x" }), 400, "it is on, off or auto"),
        ("spouts/lines", json!({ "value": "off", "reason": "x" }), 400, "running or paused"),
        ("limits/query.ip", json!({ "value": "0/s", "reason": "x" }), 400, "100/s burst 200"),
        ("switches/rows", json!({ "value": "default", "reason": "x" }), 400, "on, off or auto"),
        ("switches/rows", json!({ "value": "on" }), 400, "missing field `reason`"),
        ("switches/rows", json!({ "value": "on", "reason": " " }), 400, "say why"),
        ("switches/rows", json!({ "value": "on", "reason": "x", "for_ms": 0 }), 400, "for_ms is 1 to"),
        ("switches/rows", json!({ "value": "on", "reason": "x", "for": "1m" }), 400, "unknown field `for`"),
        ("switches/rows", json!("x".repeat(20_000)), 413, "16 KiB"),
        ("switches/rwos", on.clone(), 404, "did you mean `rows`?"),
        ("switches/rwos", on.clone(), 404, "force"),
        ("switches/%00", on.clone(), 400, "a name has 1 to 256 bytes"),
        ("limits/rows", json!({ "value": "5/s", "reason": "x" }), 404, "no worker has a limit `rows`"),
    ] {
        let (answered, body) = stage.put(&format!("/admin/v1/{path}"), body).await;
        assert_eq!(answered.as_u16(), status, "{path}: {body}");
        let detail = body["detail"].as_str().unwrap();
        assert!(detail.contains(part) && !detail.contains("--"), "{detail}");
    }
    let (status, body) =
        stage.put("/admin/v1/switches/rows", json!({ "value": "on", "reason": "x", "dry_run": true })).await;
    assert_eq!((status, &body["dry_run"]), (StatusCode::OK, &true.into()));
    assert!(stage.context.operator().audit(10).await.unwrap().is_empty());
    assert_eq!(stage.control.switch("rows").mode(), Mode::Off);
    let (status, _) =
        stage.put("/admin/v1/switches/next", json!({ "value": "on", "reason": "x", "force": true })).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_worker_that_does_not_answer_makes_it_202_within_the_deadline() {
    let stage = stage().await;
    let Stage { control, .. } = &stage;
    assert_eq!(control.worker(), "one");
    let stage = {
        // Dropped, it counts as live for three of its heartbeats.
        let Stage { router, context, limit, _dir, control } = stage;
        drop(control);
        (router, context, limit, _dir)
    };
    let body = json!({ "value": "on", "reason": "test" }).to_string();
    let mut request = request(Method::PUT, "/admin/v1/switches/rows", Some(OPERATE), Some(body));
    request.extensions_mut().insert(Deadline::after(Duration::from_millis(900)));
    let answer = stage.0.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        (&body["applied"], &body["of"], &body["workers"][0]["worker"]),
        (&0.into(), &1.into(), &"one".into())
    );
}

#[tokio::test]
async fn a_topology_without_topics_is_503_and_says_nothing_of_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Arc::new(EmbeddedBroker::open(&dir.path().join("log"), EmbeddedSettings::for_tests()).unwrap());
    let context =
        AdminContext { broker, topology: "words".into(), dead_letters: None, topic: None, spouts: Vec::new() };
    let operate = Secret::from(OPERATE);
    let tokens = AdminTokens::new([("bob", Role::Operate, &operate)]).unwrap();
    let router = AdminApi::new(context).router(tokens);
    let body = json!({ "value": "on", "reason": "test", "force": true }).to_string();
    let request = request(Method::PUT, "/admin/v1/switches/rows", Some(OPERATE), Some(body));
    let answer = router.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["retry-after"], "1");
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["code"], "log_unavailable");
}
