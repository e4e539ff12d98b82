//! The same event again.

use std::pin::pin;
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::json;

use super::{World, record};

#[tokio::test(start_paused = true)]
async fn a_resend_is_accepted_and_not_produced_again_for_a_time() {
    let world = World::new().await;
    let body = json!([record("a"), record("b"), record("a")]).to_string();
    let first = world.post(body.clone()).await;
    assert_eq!((first.status, &first.body["ids"]), (StatusCode::ACCEPTED, &json!(["a", "b", "a"])));
    assert_eq!(world.ids().await, ["a", "b"], "twice in a body is once in the log");
    assert_eq!(world.post(body.clone()).await.body, first.body, "the answer is the same");
    assert_eq!(world.ids().await, ["a", "b"]);
    assert_eq!(world.collector.counts(), [6, 0, 4]);
    tokio::time::sleep(Duration::from_secs(61)).await;
    world.post(body).await;
    assert_eq!(world.ids().await, ["a", "a", "b", "b"]);
}

#[tokio::test]
async fn another_content_or_user_is_another_record() {
    let world = World::new().await;
    let mut other = record("a");
    world.post(other.to_string()).await;
    other["action"] = json!("click");
    world.post(other.to_string()).await;
    other["user_id"] = json!("u-43");
    world.post(other.to_string()).await;
    assert_eq!(world.ids().await, ["a", "a", "a"]);
}

#[tokio::test]
async fn what_was_not_durable_is_produced_when_it_comes_again() {
    let world = World::with(|settings| settings.durable.spill.max_bytes = 100).await;
    world.away(true);
    assert_eq!(world.post(record("a").to_string()).await.status, StatusCode::SERVICE_UNAVAILABLE);
    world.away(false);
    assert_eq!(world.post(record("a").to_string()).await.status, StatusCode::ACCEPTED);
    assert_eq!(world.ids().await, ["a"]);
}

#[tokio::test]
async fn it_can_be_switched_off() {
    let world = World::with(|settings| settings.dedup = Duration::ZERO).await;
    world.post(record("a").to_string()).await;
    world.post(record("a").to_string()).await;
    assert_eq!(world.ids().await, ["a", "a"]);
}

#[tokio::test]
async fn the_same_at_the_same_time_is_answered_only_when_durable() {
    let world = World::new().await;
    let body = record("a").to_string();
    let held = world.held().await;
    let mut both = pin!(async { tokio::join!(world.post(body.clone()), world.post(body)) });
    tokio::select! {
        biased;
        answers = &mut both => panic!("answered before it was durable: {answers:?}"),
        () = world.until_waiting(2) => {}
    }
    drop(held);
    let (one, other) = both.await;
    assert_eq!((one.status, other.status), (StatusCode::ACCEPTED, StatusCode::ACCEPTED));
    let ids = world.ids().await;
    assert!(!ids.is_empty() && ids.iter().all(|id| id == "a"), "{ids:?}");
}
