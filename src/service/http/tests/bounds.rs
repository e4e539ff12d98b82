//! Requests and connections that are too much.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::world::{PATIENCE, World, routes, settings};
use crate::service::http::{HttpError, HttpSettings, Server};

#[tokio::test]
async fn headers_have_a_size_and_a_number() {
    let bounded = HttpSettings { max_header_bytes: 2048, max_headers: 10, ..settings() };
    let world = World::new(bounded, routes()).await;
    let few = "a: b\r\n".repeat(9);
    assert_eq!(world.call().await.get_with("/hello", &few).await.status, 200);
    let many = "a: b\r\n".repeat(10);
    let mut caller = world.call().await;
    assert_eq!(caller.get_with("/hello", &many).await.status, 431);
    assert_eq!(caller.closed().await, "");
    let fits = format!("a: {}\r\n", "x".repeat(1900));
    assert_eq!(world.call().await.get_with("/hello", &fits).await.status, 200);
    let long = format!("a: {}\r\n", "x".repeat(2048));
    assert_eq!(world.call().await.get_with("/hello", &long).await.status, 431);
    let path = format!("/{}", "x".repeat(3000));
    assert_eq!(world.get(&path).await.status, 431);
}

#[tokio::test]
async fn bodies_have_a_size() {
    let world = World::new(HttpSettings { max_body_bytes: 1000, ..settings() }, routes()).await;
    let mut caller = world.call().await;
    assert_eq!(caller.post("/length", &"x".repeat(1000)).await.body, "1000");
    // It is refused by what it says, before anything of it was sent.
    caller.send("POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: 1001\r\n\r\n").await;
    let answer = caller.answer().await;
    assert_eq!((answer.status, answer.problem().as_str()), (413, "too_large"));
    assert_eq!(answer.json()["max_bytes"], 1000);
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(caller.closed().await, "");
    // Nor is what says nothing read any further than that.
    let mut caller = world.call().await;
    let chunk = format!("1f4\r\n{}\r\n", "x".repeat(500));
    caller.send("POST /length HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").await;
    caller.send(&format!("{chunk}{chunk}1\r\nx\r\n")).await;
    assert_eq!(caller.answer().await.problem(), "too_large");
    assert_eq!(caller.closed().await, "");
}

#[tokio::test]
async fn bodies_share_the_room_that_there_is() {
    const HELD: &str = "squall_http_body_bytes{server=\"test\"}";
    let world = World::new(HttpSettings { max_buffered_bytes: 1000, ..settings() }, routes()).await;
    let mut slow = world.call().await;
    // What is announced takes no room; what has arrived does, whatever pieces it comes in.
    slow.send("POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\n\r\n").await;
    for sent in 1..=8 {
        slow.send(&"x".repeat(100)).await;
        world.until(HELD, sent * 100).await;
    }
    let mut other = world.call().await;
    let answer = other.post("/length", &"x".repeat(201)).await;
    assert_eq!((answer.status, answer.problem().as_str()), (503, "overloaded"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(world.call().await.post("/length", &"x".repeat(200)).await.body, "200");
    slow.send(&"x".repeat(100)).await;
    assert_eq!(slow.answer().await.body, "900");
    world.until(HELD, 0).await;
    assert_eq!(world.call().await.post("/length", &"x".repeat(1000)).await.body, "1000");
    world.until(HELD, 0).await;
}

#[tokio::test]
async fn who_sends_too_much_at_once_can_still_read_why() {
    let world = World::new(HttpSettings { max_body_bytes: 1000, linger: PATIENCE, ..settings() }, routes()).await;
    // More than the buffers of both sockets hold: a server that closes at once breaks the sending off.
    let large = "x".repeat(32 << 20);
    for _ in 0..3 {
        assert_eq!(world.call().await.post("/length", &large).await.problem(), "too_large");
        let headers = format!("a: {large}\r\n");
        assert_eq!(world.call().await.get_with("/hello", &headers).await.status, 431);
    }
}

#[tokio::test]
async fn who_never_stops_sending_is_let_go() {
    let short = Duration::from_millis(100);
    let world = World::new(HttpSettings { max_body_bytes: 1000, linger: short, ..settings() }, routes()).await;
    let mut caller = world.call().await;
    caller.send("POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000000\r\n\r\n").await;
    let endless = async { while caller.stream.write_all(&[b'x'; 65_536]).await.is_ok() {} };
    timeout(PATIENCE, endless).await.expect("the server reads on for ever");
    world.until("squall_http_connections{server=\"test\"}", 0).await;
}

#[tokio::test]
async fn who_asks_before_it_sends_is_told_before_it_sends() {
    let world = World::new(HttpSettings { max_body_bytes: 1000, ..settings() }, routes()).await;
    let ask = |length: usize| {
        format!("POST /length HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n")
    };
    let mut caller = world.call().await;
    caller.send(&ask(1001)).await;
    assert_eq!(caller.answer().await.problem(), "too_large");
    let mut caller = world.call().await;
    caller.send(&ask(3)).await;
    assert_eq!(caller.answer().await.status, 100);
    caller.send("abc").await;
    assert_eq!(caller.answer().await.body, "3");
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    let world = World::new(settings(), routes()).await;
    for bad in ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "GET /hello HTTP/9.9\r\n\r\n", "\x16\x03\x01\x02\r\n\r\n"] {
        let mut caller = world.call().await;
        caller.send(bad).await;
        let said = caller.closed().await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 400 "), "{bad:?}: {said}");
    }
    assert_eq!(world.get("/hello").await.status, 200);
}

#[tokio::test]
async fn connections_beyond_the_bound_wait_until_one_is_free() {
    let world = World::new(HttpSettings { max_connections: 1, ..settings() }, routes()).await;
    let mut first = world.call().await;
    assert_eq!(first.get("/hello").await.status, 200);
    let mut second = world.call().await;
    second.send("GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(first.get("/hello").await.status, 200);
    assert_eq!(world.series("squall_http_connections_opened_total{server=\"test\"}"), 1);
    drop(first);
    assert_eq!(second.answer().await.status, 200);
    assert_eq!(world.series("squall_http_connections_opened_total{server=\"test\"}"), 2);
}

#[tokio::test]
async fn an_address_has_its_share_of_connections() {
    let world = World::new(HttpSettings { max_connections_per_peer: Some(1), ..settings() }, routes()).await;
    let mut first = world.call().await;
    assert_eq!(first.get("/hello").await.status, 200);
    assert_eq!(world.call().await.closed().await, "");
    assert_eq!(world.series("squall_http_connections_refused_total{server=\"test\"}"), 1);
    assert_eq!(first.get("/hello").await.status, 200);
    drop(first);
    world.until("squall_http_connections{server=\"test\"}", 0).await;
    assert_eq!(world.get("/hello").await.status, 200);
}

#[tokio::test]
async fn an_address_that_is_taken_is_named_with_the_remedy() {
    let first = Server::bind(settings()).await.unwrap();
    let taken = HttpSettings { listen: first.local_addr(), ..settings() };
    let Err(error) = Server::bind(taken).await else { panic!("two servers listen on one address") };
    assert!(matches!(error, HttpError::Listen { .. }));
    let text = error.to_string();
    assert!(text.starts_with(&format!("cannot listen on {}: ", first.local_addr())), "{text}");
    assert!(text.contains("choose another address with `listen`"), "{text}");
}
