//! What is written of requests, and what never is.

#![allow(clippy::unwrap_used, reason = "parts of tests: what they expect must hold")]

use super::world::{World, routes, settings};
use crate::testing::Lines;

/// The lines of the access log.
fn access(lines: &Lines) -> Vec<serde_json::Value> {
    lines.parsed().into_iter().filter(|line| line["target"] == "squall::access").collect()
}

#[tokio::test]
async fn a_line_says_what_was_asked_and_what_became_of_it() {
    let (lines, _guard) = Lines::collect();
    let mut settings = settings();
    settings.access_log.sample = 1.0;
    let world = World::new(settings, routes()).await;
    let mut caller = world.call().await;
    let answer = caller.get("/things/7").await;
    caller.get("/nothing").await;
    let access = access(&lines);
    assert_eq!(access.len(), 2, "{}", lines.text());
    let fields = &access[0]["fields"];
    assert_eq!((&fields["server"], &fields["method"]), (&"test".into(), &"GET".into()));
    assert_eq!((&fields["route"], &fields["status"]), (&"/things/{thing}".into(), &200.into()));
    assert_eq!(fields["peer"], "127.0.0.1");
    assert_eq!(fields["trace_id"], answer.header("x-request-id").unwrap());
    assert!(fields["took_us"].is_u64());
    assert_eq!(
        (&access[1]["fields"]["route"], &access[1]["fields"]["code"]),
        (&"unmatched".into(), &"not_found".into())
    );
}

#[tokio::test]
async fn no_secret_is_written_at_any_level() {
    let (lines, _guard) = Lines::collect();
    let mut settings = settings();
    settings.access_log.sample = 1.0;
    let world = World::new(settings, routes()).await;
    let mut caller = world.call().await;
    let headers = "authorization: Bearer s3cret\r\nx-app-key: s3cret\r\ncookie: s3cret\r\n";
    for path in ["/things/s3cret", "/hello?token=s3cret", "/s3cret", "/panic?token=s3cret"] {
        caller.get_with(path, headers).await;
    }
    assert_eq!(caller.post("/length", "s3cret").await.status, 200);
    assert_eq!(access(&lines).len(), 5);
    assert!(!lines.text().contains("s3cret"), "{}", lines.text());
}

#[tokio::test]
async fn without_a_share_only_errors_are_written() {
    let (lines, _guard) = Lines::collect();
    let mut settings = settings();
    settings.access_log.sample = 0.0;
    let world = World::new(settings, routes()).await;
    let mut caller = world.call().await;
    caller.get("/hello").await;
    caller.get("/nothing").await;
    caller.get("/panic").await;
    let access = access(&lines);
    assert_eq!(access.len(), 1, "{}", lines.text());
    assert_eq!((&access[0]["level"], &access[0]["fields"]["code"]), (&"WARN".into(), &"internal".into()));
}
