//! How long a record takes from its append until it can be read, in each store.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use squall::broker::Producer;
use squall::store::row::Cell;
use squall::store::{Rows, Timelines};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use user_behaviour::record::{Attributes, Behaviour, Channel};
use user_behaviour::topology::now_ms;

use super::ledger::Ledger;
use super::traffic::made;

/// How often a record is sent whose way is followed: of a minute's, 24 take longer than the 99th of 100.
const EVERY: Duration = Duration::from_millis(25);
/// Their users, so that all partitions and lanes have some, and none has much to be read.
const USERS: u64 = 512;
/// Entries of such a user that are read: more than are sent while a store is away.
const NEWEST: usize = 100;
/// Records followed at once at most: an outage must not make the harness the busiest client of a store.
const FOLLOWED: usize = 1_000;
/// How soon a store is asked again at least; later ever more rarely, so that a figure is right to an eighth.
const SOON: Duration = Duration::from_millis(5);
/// Who waits longer than this has to be told of it.
const SLOW: Duration = Duration::from_secs(1);
/// Times in which records are slow are two if none was for so long between them.
const APART: Duration = Duration::from_secs(5);
/// The longest pause between two questions, however long a store has been away.
const RARELY: Duration = Duration::from_secs(5);
const LINE: &str = "probe";

/// Which part of a scenario a figure belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Before,
    During,
    /// While a scenario demands so much of the stores that it can be seen.
    Seen,
    /// While it demands as much as they give.
    Hurried,
    After,
}

impl Phase {
    /// All of them, each at the place that it is as a number.
    pub(crate) const ALL: [Self; 5] = [Self::Before, Self::During, Self::Seen, Self::Hurried, Self::After];
}

/// A store that is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    Timelines,
    Rows,
}

struct Shared {
    producer: Arc<dyn Producer>,
    topic: String,
    timelines: Arc<dyn Timelines>,
    rows: Arc<dyn Rows>,
    ledger: Arc<Ledger>,
    phase: Mutex<Phase>,
    silent: AtomicBool,
    followed: AtomicUsize,
    samples: Mutex<Vec<Sample>>,
    /// Records that were due and are no samples, by phase.
    unsent: [AtomicUsize; Phase::ALL.len()],
}

/// A record that was read.
#[derive(Debug, Clone, Copy)]
struct Sample {
    phase: Phase,
    store: Store,
    sent: Instant,
    took: Duration,
}

/// The task that sends such records.
pub(crate) struct Probe {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Probe {
    pub(crate) fn start(
        producer: Arc<dyn Producer>,
        topic: &str,
        (timelines, rows): (Arc<dyn Timelines>, Arc<dyn Rows>),
        ledger: Arc<Ledger>,
    ) -> Self {
        let shared = Arc::new(Shared {
            producer,
            topic: topic.to_owned(),
            timelines,
            rows,
            ledger,
            phase: Mutex::new(Phase::Before),
            silent: AtomicBool::new(false),
            followed: AtomicUsize::new(0),
            samples: Mutex::default(),
            unsent: Default::default(),
        });
        let sender = shared.clone();
        let task = tokio::spawn(async move {
            let mut ticks = interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for n in 0.. {
                ticks.tick().await;
                send(&sender, n).await;
            }
        });
        Self { shared, task }
    }

    /// Records sent from now on belong to `phase`.
    pub(crate) fn phase(&self, phase: Phase) {
        *self.shared.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    /// Sends none as long as nobody reads: each would be followed until the backlog that it is part of is brought, and leave
    /// no room for others.
    pub(crate) fn silence(&self, silent: bool) {
        self.shared.silent.store(silent, Ordering::Relaxed);
    }

    /// Sends no more; waits for those on their way, at most `limit`, and says how many never arrived.
    pub(crate) async fn stop(&self, limit: Duration) -> usize {
        self.task.abort();
        let deadline = Instant::now() + limit;
        while self.shared.followed.load(Ordering::Relaxed) > 0 && Instant::now() < deadline {
            sleep(SOON).await;
        }
        self.shared.followed.load(Ordering::Relaxed)
    }

    /// The time that 99 of 100 took at most, in milliseconds; `None` without any.
    pub(crate) fn p99_ms(&self, phase: Phase, store: Store) -> Option<u64> {
        self.at_most_ms(phase, store, 99)
    }

    /// What each took, without the first so many.
    pub(crate) fn took_since(&self, phase: Phase, store: Store, from: usize) -> Vec<Duration> {
        self.took(phase, store).split_off(from)
    }

    /// The time that so many of 100 took at most.
    fn at_most_ms(&self, phase: Phase, store: Store, percent: usize) -> Option<u64> {
        at_most(&mut self.took(phase, store), percent).map(|took| took.as_millis() as u64)
    }

    /// In the order of arrival.
    fn took(&self, phase: Phase, store: Store) -> Vec<Duration> {
        self.samples(phase, store).iter().map(|sample| sample.took).collect()
    }

    fn samples(&self, phase: Phase, store: Store) -> Vec<Sample> {
        let samples = self.shared.samples.lock().unwrap_or_else(PoisonError::into_inner);
        samples.iter().filter(|sample| (sample.phase, sample.store) == (phase, store)).copied().collect()
    }

    /// The times in which records took longer than [`SLOW`]: the second of the phase in which one began, how many seconds it
    /// lasted, how many records took so long, and how many milliseconds the slowest did.
    fn spells(&self, phase: Phase, store: Store) -> Vec<[u64; 4]> {
        let mut samples = self.samples(phase, store);
        samples.sort_by_key(|sample| sample.sent);
        let Some(first) = samples.first().map(|sample| sample.sent) else { return Vec::new() };
        let mut spells: Vec<(Instant, Instant, u64, Duration)> = Vec::new();
        for Sample { sent, took, .. } in samples.into_iter().filter(|sample| sample.took > SLOW) {
            match spells.last_mut() {
                Some((_, last, records, slowest)) if sent - *last < APART => {
                    (*last, *records, *slowest) = (sent, *records + 1, took.max(*slowest));
                }
                _ => spells.push((sent, sent, 1, took)),
            }
        }
        let whole = |(began, ended, records, slowest): (Instant, Instant, u64, Duration)| {
            [(began - first).as_secs(), (ended - began).as_secs(), records, slowest.as_millis() as u64]
        };
        spells.into_iter().map(whole).collect()
    }

    /// Both stores' figures of a phase, how many they rest on, and how many more should have been sent: those would
    /// have been among the slow ones.
    pub(crate) fn figure(&self, phase: Phase) -> Value {
        json!({
            "timelines": self.p99_ms(phase, Store::Timelines),
            "rows": self.p99_ms(phase, Store::Rows),
            "timelines_p50": self.at_most_ms(phase, Store::Timelines, 50),
            "rows_p50": self.at_most_ms(phase, Store::Rows, 50),
            "timelines_slow": self.spells(phase, Store::Timelines),
            "rows_slow": self.spells(phase, Store::Rows),
            "samples": self.count(phase, Store::Timelines),
            "unsent": self.shared.unsent[phase as usize].load(Ordering::Relaxed),
        })
    }

    /// How many were read in `store` so far that were sent in `phase`.
    pub(crate) fn count(&self, phase: Phase, store: Store) -> usize {
        self.samples(phase, store).len()
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What so many of 100 took at most, whose order is not kept; `None` of none.
pub(crate) fn at_most(took: &mut [Duration], percent: usize) -> Option<Duration> {
    let at = (took.len() * percent).div_ceil(100).checked_sub(1)?;
    Some(*took.select_nth_unstable(at).1)
}

async fn send(shared: &Arc<Shared>, n: u64) {
    if shared.silent.load(Ordering::Relaxed) {
        return;
    }
    let phase = *shared.phase.lock().unwrap_or_else(PoisonError::into_inner);
    let unsent = |records| {
        shared.unsent[phase as usize].fetch_add(records, Ordering::Relaxed);
    };
    if shared.followed.load(Ordering::Relaxed) >= FOLLOWED {
        return unsent(1);
    }
    let record = record(n);
    let made = made(&record);
    let began = Instant::now();
    let appended = shared.producer.append(&shared.topic, vec![made.append]).await;
    // Those that were due meanwhile.
    unsent((began.elapsed().as_millis() / EVERY.as_millis()) as usize);
    let Ok(positions) = appended else { return unsent(1) };
    shared.ledger.note(positions.into_iter().map(|position| (position, made.version)));
    let record = Arc::new(record);
    for store in [Store::Timelines, Store::Rows] {
        shared.followed.fetch_add(1, Ordering::Relaxed);
        let (shared, record) = (shared.clone(), record.clone());
        tokio::spawn(async move {
            while !arrived(&shared, store, &record).await {
                sleep((began.elapsed() / 8).clamp(SOON, RARELY)).await;
            }
            let mut samples = shared.samples.lock().unwrap_or_else(PoisonError::into_inner);
            samples.push(Sample { phase, store, sent: began, took: began.elapsed() });
            shared.followed.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// Whether it can be read. A store that does not answer does not have it yet.
async fn arrived(shared: &Shared, store: Store, record: &Behaviour) -> bool {
    match store {
        Store::Timelines => {
            let found = shared.timelines.timeline(&record.user_id, Some(LINE), NEWEST).await;
            found.is_ok_and(|entries| entries.iter().any(|entry| entry.id == record.event_id.as_str()))
        }
        Store::Rows => {
            let key = [Cell::Text(&record.user_id), Cell::Text(&record.event_id)];
            shared.rows.find(&key).await.is_ok_and(|row| row.is_some())
        }
    }
}

fn record(n: u64) -> Behaviour {
    Behaviour {
        event_id: format!("probe-{n}").into(),
        user_id: format!("probe-{}", n % USERS).into(),
        app_id: LINE.into(),
        channel: Channel::App,
        business: LINE.into(),
        action: "view".into(),
        item_id: String::new().into(),
        occurred_at: now_ms(),
        attributes: Attributes::default(),
    }
}
