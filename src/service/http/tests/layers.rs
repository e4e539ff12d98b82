//! Where layers of other parts come.

use std::sync::{Arc, Mutex};

use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};

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
