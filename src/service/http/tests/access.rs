//! What is written of requests, and what never is.

#![allow(clippy::unwrap_used, reason = "parts of tests: what they expect must hold")]

use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing::subscriber::{DefaultGuard, set_default};

use super::world::{World, routes, settings};

/// Lines as a log collector gets them.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// Collects what this thread logs, in which the whole server of a test runs.
    fn collect() -> (Self, DefaultGuard) {
        let lines = Self::default();
        let to = lines.clone();
        let subscriber =
            tracing_subscriber::fmt().json().with_env_filter("trace").with_writer(move || to.clone()).finish();
        (lines, set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines of the access log.
    fn access(&self) -> Vec<serde_json::Value> {
        let parsed = self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>();
        parsed.into_iter().filter(|line: &serde_json::Value| line["target"] == "squall::access").collect()
    }
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
    let access = lines.access();
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
    assert_eq!(lines.access().len(), 5);
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
    let access = lines.access();
    assert_eq!(access.len(), 1, "{}", lines.text());
    assert_eq!((&access[0]["level"], &access[0]["fields"]["code"]), (&"WARN".into(), &"internal".into()));
}
