//! Looks for single records until they are readable.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};
use squall::store::Rows;
use squall::store::row::Cell;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

use super::stream::Sample;
use crate::latency::Latencies;

/// One that is not readable after so long counts as if it were then.
const GIVE_UP: Duration = Duration::from_secs(30);
/// Between two looks, up to a time that is good enough to be told exactly. Later ones wait for half of what has passed, so
/// that looking costs little while the stores are behind: what took longer may have taken a third less.
const SHORT: Duration = Duration::from_millis(2);
const EXACT: Duration = Duration::from_millis(60);

/// What was seen of the samples, from the answer to their posts on.
#[derive(Default)]
pub(super) struct Seen {
    /// Until the query service showed it.
    pub(super) readable: Latencies,
    /// Until it had its row in MySQL.
    pub(super) in_rows: Latencies,
    /// Samples that were given up by either.
    pub(super) unseen: u64,
    /// Requests to the query service, and those that it refused.
    pub(super) looks: u64,
    pub(super) refused: u64,
}

/// Looks for each sample, until no more come and all are found.
pub(super) async fn watch(
    mut samples: UnboundedReceiver<(Sample, Instant)>,
    query: String,
    rows: Arc<dyn Rows>,
) -> Seen {
    let client = Client::builder().no_proxy().build().expect("a client without options");
    let (mut looking, mut seen) = (JoinSet::new(), Seen::default());
    while let Some((sample, answered)) = samples.recv().await {
        let (client, query, rows) = (client.clone(), query.clone(), rows.clone());
        looking.spawn(async move {
            let shown = until_shown(&client, &query, &sample, answered);
            tokio::join!(shown, until_stored(&*rows, &sample, answered))
        });
    }
    while let Some(found) = looking.join_next().await {
        let ((readable, looks, refused), in_rows) = found.expect("right answers alone");
        seen.looks += looks;
        seen.refused += refused;
        seen.unseen += u64::from(readable.is_none() || in_rows.is_none());
        seen.readable.note(readable.unwrap_or(GIVE_UP));
        seen.in_rows.note(in_rows.unwrap_or(GIVE_UP));
    }
    seen
}

/// How long it took, how often it was asked for, and how often that was refused.
async fn until_shown(
    client: &Client,
    query: &str,
    sample: &Sample,
    answered: Instant,
) -> (Option<Duration>, u64, u64) {
    let path = format!("http://{query}/v1/users/{}/behaviours", sample.user);
    let id = format!("\"event_id\":\"{}\"", sample.event);
    let (mut looks, mut refused) = (0, 0);
    loop {
        looks += 1;
        let answer = client.get(&path).send().await.expect("the query service answers");
        refused += u64::from(answer.status() != StatusCode::OK);
        if answer.text().await.expect("a whole answer").contains(&id) {
            return (Some(answered.elapsed()), looks, refused);
        }
        if !again(answered).await {
            return (None, looks, refused);
        }
    }
}

async fn until_stored(rows: &dyn Rows, sample: &Sample, answered: Instant) -> Option<Duration> {
    let key = [Cell::Text(&sample.user), Cell::Text(&sample.event)];
    loop {
        if rows.find(&key).await.expect("MariaDB answers").is_some() {
            return Some(answered.elapsed());
        }
        if !again(answered).await {
            return None;
        }
    }
}

/// Waits until it is time for another look; `false` when it is too late for one.
async fn again(answered: Instant) -> bool {
    let passed = answered.elapsed();
    tokio::time::sleep(if passed < EXACT { SHORT } else { passed / 2 }).await;
    passed < GIVE_UP
}
