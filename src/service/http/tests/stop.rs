//! How a server stops.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::world::{PATIENCE, World, routes, settings};
use crate::service::http::HttpSettings;

const IN_FLIGHT: &str = "squall_http_requests_in_flight{server=\"test\"}";

#[tokio::test]
async fn what_runs_is_finished_and_nothing_new_is_begun() {
    let go = Arc::new(Notify::new());
    let held = go.clone();
    let slow = Router::new().route(
        "/slow",
        get(async move || {
            held.notified().await;
            "done"
        }),
    );
    let world = World::new(settings(), slow).await;
    let (address, readiness) = (world.address, world.readiness.clone());
    let mut idle = world.call().await;
    assert_eq!(idle.get("/healthz").await.status, 200);
    let mut running = world.call().await;
    running.send("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    world.until(IN_FLIGHT, 1).await;
    assert!(readiness.is_ready());
    let task = world.stopping();
    assert_eq!(idle.closed().await, "", "a connection without a request is closed at once");
    let refused = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, refused).await.expect("a server that stops takes no connection");
    assert_eq!(readiness.reasons(), [("process".to_owned(), "stopping".to_owned())]);
    assert!(!task.is_finished());
    go.notify_one();
    let answer = running.answer().await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "done"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(running.closed().await, "");
    let ended = timeout(PATIENCE, task).await.unwrap().unwrap();
    assert_eq!((ended.requests, ended.abandoned_requests, ended.abandoned_connections), (2, 0, 0));
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_abandoned_and_said() {
    let world = World::new(HttpSettings { drain: Duration::from_millis(100), ..settings() }, routes()).await;
    let mut running = world.call().await;
    running.send("GET /never HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut partial = world.call().await;
    partial.send("GET /hel").await;
    world.until(IN_FLIGHT, 1).await;
    world.until("squall_http_connections{server=\"test\"}", 2).await;
    let exporter = world.exporter.clone();
    let ended = world.stop().await;
    assert_eq!(ended.abandoned_requests, 1);
    assert!((1..=2).contains(&ended.abandoned_connections), "{ended:?}");
    assert_eq!((running.closed().await, partial.closed().await), (String::new(), String::new()));
    let text = exporter.text();
    assert!(text.contains("route=\"/never\",method=\"GET\",status=\"gone\"} 1\n"), "{text}");
    assert!(text.contains(&format!("{IN_FLIGHT} 0\n")), "{text}");
}
