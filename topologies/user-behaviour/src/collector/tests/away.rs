//! The log is away.

use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use serde_json::json;
use squall::service::http::Deadline;
use squall::service::spill::Health;

use super::{World, answer, record, request};

#[tokio::test(start_paused = true)]
async fn posts_are_accepted_while_the_log_is_away_and_are_in_it_afterwards() {
    let world = World::new().await;
    world.away(true);
    let mut accepted = Vec::new();
    for n in 0..50 {
        let batch = json!([record(&format!("{n:02}a")), record(&format!("{n:02}b"))]);
        let answered = world.post(batch.to_string()).await;
        assert_eq!(answered.status, StatusCode::ACCEPTED);
        accepted.extend(answered.body["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()));
    }
    assert_eq!(world.post(record("00a").to_string()).await.status, StatusCode::ACCEPTED);
    assert!(world.ids().await.is_empty());
    assert_eq!(world.producer.status().spill.records, 100, "a resend is on the disk already");
    assert!(matches!(world.producer.health(), Health::Degraded(_)));
    world.away(false);
    tokio::time::timeout(Duration::from_secs(60), async {
        while world.producer.status().spill.records > 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await
    .unwrap();
    assert_eq!(world.ids().await, accepted);
    let headers = world.records().await;
    assert!(headers.iter().all(|record| record.headers.last("format").is_some() && record.headers.len() == 2));
}

#[tokio::test]
async fn a_full_disk_in_front_of_it_is_said_with_when_to_come_again() {
    let world = World::with(|settings| settings.durable.spill.max_bytes = 20_000).await;
    world.away(true);
    let mut accepted = Vec::new();
    let refused = loop {
        let id = format!("{:03}", accepted.len());
        let answered = world.post(record(&id).to_string()).await;
        match answered.status {
            StatusCode::ACCEPTED => accepted.push(id),
            _ => break answered,
        }
    };
    assert!(accepted.len() > 10);
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("log_unavailable"))
    );
    assert_eq!(
        (&refused.headers[RETRY_AFTER], &refused.headers[CONTENT_TYPE]),
        (&"5".parse().unwrap(), &"application/problem+json".parse().unwrap())
    );
    assert!(!refused.body.to_string().contains("here"), "nothing of what servers said: {}", refused.body);
    let beacon = world.send(request("/v1/beacon", &[], record("x").to_string())).await;
    assert_eq!(beacon.status(), StatusCode::SERVICE_UNAVAILABLE);
    world.away(false);
    tokio::time::timeout(Duration::from_secs(60), async {
        while world.producer.status().spill.records > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
    assert_eq!(world.ids().await, accepted);
}

#[tokio::test]
async fn a_stop_and_a_deadline_are_said() {
    let world = World::new().await;
    world.producer.close().await;
    let stopped = world.post(record("a").to_string()).await;
    assert_eq!((stopped.status, &stopped.body["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("stopping")));
    let world = World::new().await;
    world.away(true);
    let mut sent = request("/v1/behaviours", &[], record("a").to_string());
    sent.extensions_mut().insert(Deadline::after(Duration::ZERO));
    let answered = answer(world.send(sent).await).await;
    assert_eq!(answered.status, StatusCode::GATEWAY_TIMEOUT, "{answered:?}");
}
