//! 15: the broker is away while posts go on, and the collector is killed meanwhile. Everything that was answered `202` is
//! in both stores in the end.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use squall::store::Rows;
use squall::store::row::Cell;
use tokio::task::{JoinSet, block_in_place};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use user_behaviour::open::{create_data_dir, open_rows};
use user_behaviour::topology::now_ms;

use crate::args::Form;
use crate::outcome::Outcome;
use crate::servers::Lab;
use crate::support::cluster::{args, config};
use crate::support::process::{Process, run as run_binary};
use crate::workers::Crew;

const NAME: &str = "chaos15";
/// Those who post, each one after the other.
const CALLERS: u64 = 64;
/// What share of the wanted posts must be made in the full form: callers wait for their answers, also while the collector
/// starts.
const POSTED: f64 = 0.75;
/// What share of the posts must be promised in the full form while the broker is away and the collector is there.
const PROMISED: f64 = 0.9;
/// Keys of one question.
const KEYS: usize = 500;
/// How long the stores may take for what is left.
const DRAIN: Duration = Duration::from_secs(300);
const AGAIN: Duration = Duration::from_secs(1);

/// What was promised, by user and event.
type Promised = Arc<Mutex<BTreeSet<(String, String)>>>;

pub(super) async fn run(lab: &mut Lab) -> Outcome {
    let (form, mut outcome) = (lab.form, Outcome::default());
    let dir = lab.dir().join(NAME);
    create_data_dir(&dir).unwrap();
    let overrides = lab.servers().await.overrides(NAME).await;
    let config = config("cluster", &overrides);
    let rows = open_rows(&config, &dir).await.unwrap();
    rows.migrate().await.unwrap();
    let mut crew = Crew::start(&dir, 1, overrides.clone());
    let mut collector = Collector::start(&dir.join("collector"), &overrides, None);
    let rate = form.pick(200, 2_000);
    let (posts, started) = (Posts::start(&collector.url, rate), Instant::now());
    let part = form.pick(Duration::from_secs(2), Duration::from_secs(20));
    sleep(part).await;
    lab.servers().await.kafka.kill().unwrap();
    // What is on its way into the log is answered within the delivery time-out: what is promised later is on the disk.
    sleep(part).await;
    let mut before = posts.counts();
    for _ in 0..form.pick(1, 2) {
        sleep(part).await;
        let while_away = posts.counts().since(before);
        collector.process.kill();
        outcome.fault(while_away.promised > 0);
        judge_away(while_away, form, &mut outcome);
        // At the same address: those who post know no other.
        collector = Collector::start(&dir.join("collector"), &overrides, Some(&collector.url));
        before = posts.counts();
    }
    sleep(part).await;
    // By a collector that started while the broker was away.
    judge_away(posts.counts().since(before), form, &mut outcome);
    lab.servers().await.kafka.restart().await.unwrap();
    sleep(part).await;
    let (promised, counts) = posts.stop().await;
    outcome.set("promised", promised.len());
    outcome.set("not_promised", counts.denied + counts.unanswered);
    outcome.set("unanswered", counts.unanswered);
    let posted = counts.promised + counts.denied + counts.unanswered;
    let posted_per_s = posted as f64 / started.elapsed().as_secs_f64();
    outcome.set("posted_per_s", posted_per_s.round());
    // A collector that takes each post half a second is no collector under load.
    let loaded = form == Form::Short || posted_per_s >= rate as f64 * POSTED;
    outcome.demand(loaded, format!("{posted_per_s:.0} posts a second, not {rate}"));
    outcome.demand(!promised.is_empty(), "nothing was accepted");
    let began = Instant::now();
    let mut missing = promised.clone();
    while !missing.is_empty() && began.elapsed() < DRAIN {
        missing = not_stored(&*rows, &missing).await;
        sleep(AGAIN).await;
    }
    outcome.set_seconds("stored_s", missing.is_empty().then(|| began.elapsed()));
    let example = missing.first().cloned();
    outcome.demand(missing.is_empty(), format!("{} promised records are lost, as {example:?}", missing.len()));
    // The log holds all of them, and both stores what the log holds.
    let verify = ["verify", "--json"];
    let verified = block_in_place(|| run_binary(&dir, &args(&verify, &overrides)));
    outcome.demand(verified.status.success(), "verify finds records missing");
    crew.stop();
    collector.process.terminate();
    let (status, _) = block_in_place(|| collector.process.wait());
    outcome.demand(status.success(), format!("the collector ended with {status}"));
    outcome
}

/// What is posted while the broker is away must be promised: in the full form nearly all of it.
fn judge_away(counts: Counts, form: Form, outcome: &mut Outcome) {
    outcome.add("promised_while_away", counts.promised);
    outcome.add("denied_while_away", counts.denied);
    outcome.demand(counts.promised > 0, "nothing was accepted while the broker was away");
    outcome.add("unanswered_while_away", counts.unanswered);
    // The collector runs all the time that is judged: one that ends by itself, or answers nobody, is worse than one that
    // refuses.
    let all = (counts.promised + counts.denied + counts.unanswered) as f64;
    let kept = form == Form::Short || counts.promised as f64 >= PROMISED * all;
    outcome
        .demand(kept, format!("of {all} posts to a collector without a broker {} were promised", counts.promised));
}

struct Collector {
    process: Process,
    url: String,
}

impl Collector {
    fn start(dir: &Path, overrides: &[String], url: Option<&str>) -> Self {
        let address = url.and_then(|url| url.strip_prefix("http://")).unwrap_or("127.0.0.1:0");
        let listen = format!("collector.http.listen={address}");
        let mut own = overrides.to_vec();
        own.extend([listen, "collector.spill.ack_wait_ms=500".to_owned()]);
        let mut process = Process::start(dir, &args(&["run", "--role", "collector"], &own));
        process.wait_until_running();
        let url = process.said("collector listens on ").expect("it says so before it runs");
        Self { process, url }
    }
}

/// What became of posts.
#[derive(Debug, Clone, Copy)]
struct Counts {
    promised: u64,
    /// That the collector was there for and did not promise, or did not say in time.
    denied: u64,
    /// That no collector was there for, or that went with it.
    unanswered: u64,
}

impl Counts {
    fn since(self, before: Self) -> Self {
        Self {
            promised: self.promised - before.promised,
            denied: self.denied - before.denied,
            unanswered: self.unanswered - before.unanswered,
        }
    }
}

/// Posts of one record each, at a rate, whatever becomes of them.
struct Posts {
    promised: Promised,
    denied: Arc<AtomicU64>,
    unanswered: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    callers: JoinSet<()>,
}

impl Posts {
    fn start(url: &str, rate: u64) -> Self {
        let (promised, stop) = (Promised::default(), Arc::<AtomicBool>::default());
        let [denied, unanswered]: [Arc<AtomicU64>; 2] = Default::default();
        let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
        let mut callers = JoinSet::new();
        for caller in 0..CALLERS {
            let (promised, stop) = (promised.clone(), stop.clone());
            let (denied, unanswered) = (denied.clone(), unanswered.clone());
            let (client, url) = (client.clone(), format!("{url}/v1/behaviours"));
            callers.spawn(async move {
                let mut ticks = interval(Duration::from_micros(1_000_000 * CALLERS / rate));
                ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
                for n in 0_u64.. {
                    ticks.tick().await;
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let (user, event) = (format!("u{}", (caller * 7919 + n) % 5000), format!("c-{caller}-{n}"));
                    let record = json!({
                        "event_id": event, "user_id": user, "app_id": "chaos", "channel": "app",
                        "business": "hotel", "action": "view", "occurred_at": now_ms(),
                    });
                    match client.post(&url).json(&record).send().await {
                        Ok(answer) if answer.status() == 202 => {
                            promised.lock().unwrap().insert((user, event));
                        }
                        // Nothing was promised; a caller would send it again.
                        Err(error) if !error.is_timeout() => {
                            unanswered.fetch_add(1, Ordering::Relaxed);
                        }
                        _ => {
                            denied.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
        Self { promised, denied, unanswered, stop, callers }
    }

    fn counts(&self) -> Counts {
        Counts {
            promised: self.promised.lock().unwrap().len() as u64,
            denied: self.denied.load(Ordering::Relaxed),
            unanswered: self.unanswered.load(Ordering::Relaxed),
        }
    }

    /// Ends after the posts under way: what was promised, and what became of all.
    async fn stop(mut self) -> (BTreeSet<(String, String)>, Counts) {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.callers.join_next().await {
            ended.unwrap();
        }
        let counts = self.counts();
        (std::mem::take(&mut *self.promised.lock().unwrap()), counts)
    }
}

/// Those that have no row yet.
async fn not_stored(rows: &dyn Rows, promised: &BTreeSet<(String, String)>) -> BTreeSet<(String, String)> {
    let mut missing = BTreeSet::new();
    let all: Vec<_> = promised.iter().collect();
    for some in all.chunks(KEYS) {
        let keys: Vec<Cell<'_>> =
            some.iter().flat_map(|(user, event)| [Cell::Text(user), Cell::Text(event)]).collect();
        let found = rows.find_many(&keys).await.unwrap();
        missing.extend(some.iter().zip(found).filter(|(_, row)| row.is_none()).map(|(key, _)| (*key).clone()));
    }
    missing
}
