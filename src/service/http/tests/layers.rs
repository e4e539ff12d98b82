//! Where layers of other parts come.

use std::sync::{Arc, Mutex};

use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderValue;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::cors::CorsLayer;

use super::world::{World, routes, settings};
use crate::service::http::{Code, Deadline, Peer, Problem, TraceContext};

type Seen = Arc<Mutex<Vec<String>>>;

async fn note(State((name, seen)): State<(&'static str, Seen)>, request: Request, next: Next) -> Response {
    let extensions = request.extensions();
    let all = extensions.get::<Peer>().is_some()
        && extensions.get::<TraceContext>().is_some()
        && extensions.get::<Deadline>().is_some();
    let route = extensions.get::<MatchedPath>().map_or("-", MatchedPath::as_str);
    let whole = request.body().size_hint().exact();
    seen.lock().unwrap().push(format!("{name} {all} {route} {whole:?}"));
    next.run(request).await
}

async fn refuse(request: Request, next: Next) -> Response {
    if request.headers().contains_key("x-refuse") {
        return Problem::new(Code::Unauthorized, "no").into_response();
    }
    next.run(request).await
}

#[tokio::test]
async fn they_are_called_in_order_before_and_after_the_body() {
    let seen = Seen::default();
    let layer = |name| from_fn_with_state((name, seen.clone()), note);
    let world = World::with(settings(), routes(), |shell| {
        shell.after_body(layer("c")).after_body(layer("d")).before_body(layer("a")).before_body(layer("b"))
    })
    .await;
    let mut caller = world.call().await;
    caller
        .send("POST /length HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        .await;
    assert_eq!(caller.answer().await.body, "3");
    let expected =
        ["a true /length None", "b true /length None", "c true /length Some(3)", "d true /length Some(3)"];
    assert_eq!(std::mem::take(&mut *seen.lock().unwrap()), expected);
    assert_eq!(caller.get("/nothing").await.problem(), "not_found");
    assert_eq!(seen.lock().unwrap()[0], "a true - Some(0)", "limits see unknown paths too");
    seen.lock().unwrap().clear();
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(caller.get(path).await.status, 200);
    }
    assert!(seen.lock().unwrap().is_empty(), "no limit touches what operators look at");
}

#[tokio::test]
async fn who_is_refused_need_not_send_the_body() {
    let world = World::with(settings(), routes(), |shell| shell.before_body(from_fn(refuse))).await;
    let mut caller = world.call().await;
    caller.send("POST /length HTTP/1.1\r\nhost: x\r\nx-refuse: 1\r\ncontent-length: 1000\r\n\r\n").await;
    let answer = caller.answer().await;
    assert_eq!((answer.status, answer.problem().as_str()), (401, "unauthorized"));
    assert_eq!(caller.closed().await, "", "the rest of the body cannot be told from another request");
    assert_eq!(world.call().await.post("/length", "abc").await.body, "3");
}

/// Without the leave a page is told of a network that fails, whatever the answer says.
#[tokio::test]
async fn a_page_of_another_origin_may_read_whatever_the_routes_answer() {
    const LEAVE: &str = "access-control-allow-origin";
    let page = "https://page.example";
    let cors = CorsLayer::new().allow_origin(HeaderValue::from_static(page));
    let world = World::with(settings(), routes(), |shell| shell.cors(cors).before_body(from_fn(refuse))).await;
    let mut caller = world.call().await;
    for (path, header, status) in [
        ("/hello", "", 200),
        ("/hello", "x-refuse: 1\r\n", 401),
        ("/hello", "x-request-timeout-ms: soon\r\n", 400),
        ("/never", "x-request-timeout-ms: 50\r\n", 504),
        ("/panic", "", 500),
        ("/nothing", "", 404),
        ("/length", "", 405),
    ] {
        let answer = caller.get_with(path, &format!("origin: {page}\r\n{header}")).await;
        assert_eq!((answer.status, answer.header(LEAVE)), (status, Some(page)), "{path}: {answer:?}");
    }
    // What a browser asks first is answered whoever would be refused, and is accounted for like anything else.
    let asks = "access-control-request-method: POST\r\nx-refuse: 1\r\n";
    caller.send(&format!("OPTIONS /length HTTP/1.1\r\nhost: x\r\norigin: {page}\r\n{asks}\r\n")).await;
    let preflight = caller.answer().await;
    assert_eq!((preflight.status, preflight.header(LEAVE)), (200, Some(page)), "{preflight:?}");
    assert!(preflight.header("x-request-id").is_some(), "{preflight:?}");
    let counted =
        "squall_http_requests_total{server=\"test\",route=\"/length\",method=\"OPTIONS\",status=\"2xx\"}";
    assert_eq!(world.series(counted), 1);
    for path in ["/healthz", "/readyz", "/metrics"] {
        let answer = caller.get_with(path, &format!("origin: {page}\r\n")).await;
        assert_eq!((answer.status, answer.header(LEAVE)), (200, None), "{path} is for operators");
    }
}

#[tokio::test]
async fn a_layer_that_panics_is_a_500() {
    async fn fault(_: Request<Body>, _: Next) -> Response {
        panic!("a layer's fault")
    }
    let world = World::with(settings(), routes(), |shell| shell.before_body(from_fn(fault))).await;
    let mut caller = world.call().await;
    assert_eq!(caller.get("/hello").await.problem(), "internal");
    assert_eq!(caller.get("/healthz").await.status, 200);
}
