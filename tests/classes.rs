//! Errors of the connectors are classed by who has to act, and blamed on the right rows: each case is made on a real
//! server, and seen as a topology sees it, through the sinks.

#![allow(clippy::unwrap_used, reason = "a test fails with the reason")]

#[path = "classes/kafka.rs"]
mod kafka;
#[path = "classes/mysql/mod.rs"]
mod mysql;
#[path = "classes/redis.rs"]
mod redis;

use std::time::{Duration, Instant};

use squall::{Class, Error, Rejected, Sink};

/// How long a test waits for what must come.
const DEADLINE: Duration = Duration::from_secs(60);

/// Writes rows; the indices that were refused, all of them as poison.
async fn poisoned<S: Sink>(sink: &mut S, rows: &[S::In]) -> Vec<usize> {
    let rejected = write(sink, rows).await.unwrap();
    rejected
        .into_iter()
        .map(|(at, error)| {
            assert_eq!(error.class(), Class::Poison, "{error:?}");
            at
        })
        .collect()
}

/// Writes rows of which none may be stored, all by the fault of `class` that says `sign`.
async fn failed<S: Sink>(sink: &mut S, rows: &[S::In], class: Class, sign: &str) {
    let error = write(sink, rows).await.unwrap_err();
    assert_eq!(error.class(), class, "{error:?}");
    assert!(error.to_string().contains(sign), "{error:?} does not say {sign}");
}

/// Writes rows until they are stored; what fails meanwhile is retryable.
async fn stored<S: Sink>(sink: &mut S, rows: &[S::In]) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match write(sink, rows).await {
            Ok(rejected) => return assert!(rejected.is_empty(), "{rejected:?}"),
            Err(error) => assert_eq!(error.class(), Class::Retryable, "{error:?}"),
        }
        assert!(Instant::now() < deadline, "the store does not come back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn write<S: Sink>(sink: &mut S, rows: &[S::In]) -> Result<Rejected, Error> {
    let rows: Vec<&S::In> = rows.iter().collect();
    sink.write(&rows).await
}
