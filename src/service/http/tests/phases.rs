//! Slow callers, in each phase of a request.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::world::{World, routes, settings};
use crate::service::http::HttpSettings;

const SHORT: Duration = Duration::from_millis(200);

fn cut(phase: &str) -> String {
    format!("squall_http_connections_cut_total{{server=\"test\",phase=\"{phase}\"}}")
}

/// A route with an answer of so many bytes.
fn large(bytes: usize) -> Router {
    let large = Bytes::from(vec![b'x'; bytes]);
    Router::new().route("/large", get(async move || large))
}

#[tokio::test]
async fn headers_that_do_not_come_end_the_connection() {
    let world = World::new(HttpSettings { header_timeout: SHORT, ..settings() }, routes()).await;
    let mut silent = world.call().await;
    assert_eq!(silent.closed().await, "");
    let mut partial = world.call().await;
    partial.send("GET /hello HTTP/1.1\r\nhost: ").await;
    assert_eq!(partial.closed().await, "");
    world.until(&cut("headers"), 2).await;
}

#[tokio::test]
async fn a_byte_now_and_then_does_not_prolong_it() {
    let world = World::new(HttpSettings { header_timeout: SHORT, ..settings() }, routes()).await;
    let (mut read, mut write) = world.call().await.stream.into_split();
    let drips = tokio::spawn(async move {
        write.write_all(b"GET /hello HTTP/1.1\r\nx: ").await?;
        loop {
            write.write_all(b"x").await?;
            tokio::time::sleep(SHORT / 20).await;
        }
        #[allow(unreachable_code, reason = "says what the errors are")]
        Ok::<(), std::io::Error>(())
    });
    // Ended by the server, and by nothing else: the other side is still dripping.
    let _end = read.read_to_end(&mut Vec::new()).await;
    world.until(&cut("headers"), 1).await;
    assert!(drips.await.unwrap().is_err());
}

#[tokio::test]
async fn the_headers_of_a_later_request_have_their_time_too() {
    let world = World::new(HttpSettings { header_timeout: SHORT * 10, ..settings() }, routes()).await;
    let mut caller = world.call().await;
    assert_eq!(caller.get("/hello").await.status, 200);
    caller.send("GET /hello").await;
    assert_eq!(caller.closed().await, "");
    world.until(&cut("headers"), 1).await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_a_408_and_ends_the_connection() {
    let world = World::new(HttpSettings { body_timeout: SHORT, ..settings() }, routes()).await;
    let mut caller = world.call().await;
    caller.send("POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc").await;
    let answer = caller.answer().await;
    assert_eq!((answer.status, answer.problem().as_str()), (408, "request_timeout"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(caller.closed().await, "");
    let mut chunked = world.call().await;
    chunked.send("POST /length HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n").await;
    assert_eq!(chunked.answer().await.problem(), "request_timeout");
    assert_eq!(chunked.closed().await, "");
}

#[tokio::test]
async fn an_answer_that_nobody_takes_ends_the_connection() {
    // More than the buffers of both sockets hold.
    const BYTES: usize = 64 << 20;
    let large = large(BYTES);
    let world = World::new(HttpSettings { write_timeout: SHORT, ..settings() }, large).await;
    let mut caller = world.call().await;
    caller.send("GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await;
    world.until(&cut("write"), 1).await;
    world.until("squall_http_connections{server=\"test\"}", 0).await;
    let mut taken = Vec::new();
    // A reset, or the end of what was in the buffers.
    let _cut = caller.stream.read_to_end(&mut taken).await;
    assert!(taken.len() < BYTES);
}

#[tokio::test]
async fn an_answer_that_is_taken_by_little_and_little_ends_the_connection() {
    const BYTES: usize = 64 << 20;
    let world = World::new(HttpSettings { answer_timeout: SHORT * 3, ..settings() }, large(BYTES)).await;
    let mut caller = world.call().await;
    caller.send("GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let (mut taken, mut piece) = (0, vec![0; 64 << 10]);
    // Always some, and soon enough for every other bound.
    while let Ok(read @ 1..) = caller.stream.read(&mut piece).await {
        taken += read;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(taken < BYTES, "it was let go on");
    world.until(&cut("write"), 1).await;
}

#[tokio::test]
async fn a_slow_caller_that_takes_its_answer_gets_all_of_it() {
    const BYTES: usize = 32 << 20;
    let world = World::new(HttpSettings { idle_timeout: SHORT * 10, ..settings() }, large(BYTES)).await;
    let mut caller = world.call().await;
    caller.send("GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await;
    // More than the buffers of both sockets hold, taken over a longer time than a connection may be idle.
    let mut taken = 0;
    let mut piece = vec![0; 4 << 20];
    while taken < BYTES {
        tokio::time::sleep(SHORT * 2).await;
        let read = caller.stream.read(&mut piece).await.unwrap();
        assert!(read > 0, "closed after {taken} bytes");
        taken += read;
    }
    assert_eq!(world.series(&cut("write")), 0);
    world.until(&cut("idle"), 1).await;
}

#[tokio::test]
async fn a_connection_without_requests_is_let_go() {
    let world = World::new(HttpSettings { idle_timeout: SHORT, ..settings() }, routes()).await;
    let mut caller = world.call().await;
    assert_eq!(caller.get("/hello").await.body, "hello");
    assert_eq!(caller.closed().await, "");
    world.until(&cut("idle"), 1).await;
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_a_504_and_the_connection_stays() {
    let world = World::new(HttpSettings { request_timeout: SHORT, ..settings() }, routes()).await;
    let mut caller = world.call().await;
    let answer = caller.get("/never").await;
    assert_eq!((answer.status, answer.problem().as_str()), (504, "deadline_exceeded"));
    assert_eq!(
        caller.get_with("/never", "x-request-timeout-ms: 60000\r\n").await.status,
        504,
        "nobody may take longer"
    );
    drop(world);
    let world = World::new(settings(), routes()).await;
    let mut caller = world.call().await;
    assert_eq!(caller.get_with("/never", "x-request-timeout-ms: 50\r\n").await.status, 504);
    let answer = caller.get_with("/never", "x-request-timeout-ms: soon\r\n").await;
    assert_eq!((answer.status, answer.problem().as_str()), (400, "invalid_request"));
}

#[tokio::test]
async fn a_request_after_another_has_a_connection_of_its_own_or_the_same() {
    let world = World::new(settings(), routes()).await;
    let mut caller = world.call().await;
    for _ in 0..3 {
        assert_eq!(caller.get("/hello").await.body, "hello");
        assert_eq!(caller.post("/length", "four").await.body, "4");
    }
    // Two at once: answered in their order.
    let one = "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n";
    caller.send(&format!("{one}{one}")).await;
    assert_eq!((caller.answer().await.body, caller.answer().await.body), ("hello".into(), "hello".into()));
    let ended = world.stop().await;
    assert_eq!((ended.connections, ended.requests, ended.abandoned_requests), (1, 8, 0));
}
