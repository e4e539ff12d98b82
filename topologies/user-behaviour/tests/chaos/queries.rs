//! Questions to a query service at a rate, whatever becomes of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::probe::Phase;

/// Longest that a caller waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// What became of the questions of one phase.
struct Seen {
    /// Microseconds from when each was due to its answer.
    took: Histogram<u64>,
    /// Answers that were none, of users whose node has the fault, and of the others.
    failed: [u64; 2],
    /// An answer that was none.
    example: Option<String>,
}

/// Asks for the lists of users, one after the other. A question is due at its time, whatever became of those before it, and
/// its answer took as long as it came after that.
pub(crate) struct Queries {
    seen: Arc<Mutex<[Seen; Phase::ALL.len()]>>,
    phase: Arc<Mutex<Phase>>,
    stop: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Queries {
    /// Asks the service at `url` so often a second. With each user: whether its node will have the fault.
    pub(crate) fn start(url: &str, users: Vec<(String, bool)>, rate: u64) -> Self {
        let seen: Arc<Mutex<[Seen; Phase::ALL.len()]>> = Arc::new(Mutex::new(Phase::ALL.map(|_| Seen::new())));
        let (phase, stop) = (Arc::new(Mutex::new(Phase::Before)), Arc::<AtomicBool>::default());
        let (all, now, end) = (seen.clone(), phase.clone(), stop.clone());
        let client = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        let url = url.to_owned();
        let task = tokio::spawn(async move {
            let (began, mut under_way) = (Instant::now(), JoinSet::new());
            for (n, (user, faulty)) in users.iter().cycle().enumerate() {
                let due = began + Duration::from_micros(n as u64 * 1_000_000 / rate);
                sleep_until(due).await;
                if end.load(Ordering::Relaxed) {
                    break;
                }
                while under_way.try_join_next().is_some() {}
                let question = client.get(format!("{url}/v1/users/{user}/behaviours?limit=20"));
                let (all, phase, faulty) = (all.clone(), *now.lock().unwrap(), *faulty);
                under_way.spawn(async move {
                    let failed = match question.send().await {
                        Ok(answer) if answer.status() == 200 => answer.bytes().await.err().map(|e| e.to_string()),
                        Ok(answer) => Some(answer.status().to_string()),
                        Err(error) => Some(error.to_string()),
                    };
                    all.lock().unwrap()[phase as usize].add(due.elapsed(), faulty, failed);
                });
            }
            under_way.join_all().await;
        });
        Self { seen, phase, stop, task }
    }

    /// Questions from now on belong to `phase`.
    pub(crate) fn phase(&self, phase: Phase) {
        *self.phase.lock().unwrap() = phase;
    }

    /// Questions of a phase that were answered so far.
    pub(crate) fn count(&self, phase: Phase) -> u64 {
        self.seen.lock().unwrap()[phase as usize].took.len()
    }

    /// Asks no more, and waits for what is under way.
    pub(crate) async fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        (&mut self.task).await.unwrap();
    }

    /// The time that 99 of 100 took at most, in microseconds.
    pub(crate) fn p99_us(&self, phase: Phase) -> u64 {
        self.seen.lock().unwrap()[phase as usize].took.value_at_quantile(0.99)
    }

    /// Questions that were not answered, of users of other nodes than the one with the fault, with an example.
    pub(crate) fn failed_elsewhere(&self) -> (u64, Option<String>) {
        let seen = self.seen.lock().unwrap();
        (seen.iter().map(|seen| seen.failed[0]).sum(), seen.iter().find_map(|seen| seen.example.clone()))
    }

    /// The figures of a phase.
    pub(crate) fn figure(&self, phase: Phase) -> Value {
        let seen = &self.seen.lock().unwrap()[phase as usize];
        let us = |quantile| seen.took.value_at_quantile(quantile);
        json!({
            "asked": seen.took.len(), "p50_us": us(0.5), "p99_us": us(0.99), "p999_us": us(0.999), "max_us": us(1.0),
            "failed_of_other_nodes": seen.failed[0], "failed_of_the_node": seen.failed[1],
        })
    }
}

impl Drop for Queries {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Seen {
    fn new() -> Self {
        Self { took: Histogram::new(3).unwrap(), failed: [0; 2], example: None }
    }

    fn add(&mut self, took: Duration, faulty: bool, failed: Option<String>) {
        self.took.record(took.as_micros() as u64).unwrap();
        if let Some(why) = failed {
            self.failed[usize::from(faulty)] += 1;
            self.example.get_or_insert(why);
        }
    }
}
