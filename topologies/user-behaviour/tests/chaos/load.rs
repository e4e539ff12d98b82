//! Appends records at a rate, and enters into the ledger what the log acknowledges.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use squall::broker::Producer;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::ledger::Ledger;
use super::traffic::{Made, Traffic};

/// Records of one append.
const BATCH: usize = 1000;
/// How often records leave.
const PACE: Duration = Duration::from_millis(20);
/// How long after a failed append the next is tried.
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Default)]
struct Orders {
    burst: AtomicU64,
    stopped: AtomicBool,
    /// Records of which it is unknown whether the log has them.
    unanswered: AtomicU64,
}

/// The task that appends.
pub(crate) struct Load {
    orders: Arc<Orders>,
    /// Until it has ended.
    task: Option<JoinHandle<()>>,
}

impl Load {
    pub(crate) fn start(
        producer: Arc<dyn Producer>,
        topic: &str,
        ledger: Arc<Ledger>,
        traffic: Traffic,
        rate: u64,
    ) -> Self {
        let orders = Arc::new(Orders::default());
        let (topic, inbox) = (topic.to_owned(), orders.clone());
        let task =
            tokio::spawn(async move { append(&*producer, &topic, &ledger, traffic, rate as f64, &inbox).await });
        Self { orders, task: Some(task) }
    }

    /// Sends this many records as fast as possible, beside the rate.
    pub(crate) fn burst(&self, records: u64) {
        self.orders.burst.fetch_add(records, Ordering::Relaxed);
    }

    /// Ends after the append under way, if it has not; says how many records were never answered for.
    pub(crate) async fn stop(&mut self) -> u64 {
        self.orders.stopped.store(true, Ordering::Relaxed);
        if let Some(task) = self.task.take() {
            task.await.unwrap();
        }
        self.orders.unanswered.load(Ordering::Relaxed)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn append(
    producer: &dyn Producer,
    topic: &str,
    ledger: &Ledger,
    mut traffic: Traffic,
    rate: f64,
    orders: &Orders,
) {
    let (mut last, mut due) = (Instant::now(), 0.0);
    while !orders.stopped.load(Ordering::Relaxed) {
        // What an outage kept from being sent is not made up for by more than a second's worth.
        due = (due + last.elapsed().as_secs_f64() * rate).min(rate.max(1.0));
        last = Instant::now();
        let burst = orders.burst.swap(0, Ordering::Relaxed);
        let mut left = due as u64 + burst;
        due -= due.floor();
        while left > 0 && !orders.stopped.load(Ordering::Relaxed) {
            let batch: Vec<Made> = traffic.by_ref().take(BATCH.min(left as usize)).collect();
            left -= batch.len() as u64;
            send(producer, topic, ledger, batch, orders).await;
        }
        sleep(PACE).await;
    }
}

async fn send(producer: &dyn Producer, topic: &str, ledger: &Ledger, batch: Vec<Made>, orders: &Orders) {
    let versions: Vec<_> = batch.iter().map(|made| made.version).collect();
    match producer.append(topic, batch.into_iter().map(|made| made.append).collect()).await {
        Ok(positions) => ledger.note(positions.into_iter().zip(versions)),
        Err(error) => {
            eprintln!("append of {}: {error}", versions.len());
            orders.unanswered.fetch_add(versions.len() as u64, Ordering::Relaxed);
            sleep(PAUSE).await;
        }
    }
}
