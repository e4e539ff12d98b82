//! The query service does what its OpenAPI document says: schemathesis asks, in its short form.

use std::path::Path;
use std::process::Command;

use super::support::service::Services;

/// Requests made up for each operation; `scripts/schemathesis.sh` alone makes more.
const EXAMPLES: &str = "30";

/// The users of the document's own examples are there.
fn records(now_ms: i64) -> String {
    let line = |user: &str, n: i64| {
        format!(
            r#"{{"event_id":"e-{n}","user_id":"{user}","app_id":"shop","channel":"app","business":"hotel","action":"view","occurred_at":{}}}"#,
            now_ms - n
        )
    };
    (0..60).map(|n| line(if n % 2 == 0 { "u-42" } else { "u-7" }, n)).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_one_that_the_document_describes() {
    let dir = tempfile::tempdir().unwrap();
    let services = Services::start(dir.path(), "all,collector,query", &[]);
    let post = reqwest::Client::new().post(format!("{}/v1/behaviours", services.collector));
    let post = post.header("content-type", "application/x-ndjson");
    let answer = post.body(records(user_behaviour::topology::now_ms())).send().await.unwrap();
    assert_eq!(answer.status(), 202, "{:?}", answer.text().await);
    services.until("/v1/users/u-42/behaviours", |answer| answer["records"][0].is_object()).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/schemathesis.sh");
    let mut command = Command::new(script);
    command.args([&services.query, EXAMPLES]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    eprintln!("{}", text.lines().rev().take(12).collect::<Vec<_>>().join("\n"));
}
