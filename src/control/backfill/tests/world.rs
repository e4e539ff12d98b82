//! A topology with a log, workers that come and go, and what they have stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use crate::broker::{Append, Broker, LogRecord, TopicSpec, dead_letter};
use crate::control::backfill::{BackfillSettings, BackfillSpout, Backfills, Ledger, Status};
use crate::control::read::{Begin, read};
use crate::control::{Names, ensure};
use crate::guard::Clock;
use crate::runtime::{Options, Running, start};
use crate::topology::{Rejected, Result, Settings, Sink, Topology, Tuning};

pub(super) const BEGAN_MS: i64 = 1_700_000_000_000;
pub(super) const MINUTE: Duration = Duration::from_secs(60);

pub(super) type Places = BTreeMap<(u32, u64), u32>;

/// Takes some time, then keeps count.
#[derive(Clone)]
pub(super) struct Store {
    pub(super) stored: Arc<Mutex<Places>>,
    pub(super) takes: Duration,
}

impl Sink for Store {
    type In = LogRecord;

    async fn write(&mut self, rows: &[&LogRecord]) -> Result<Rejected> {
        if !self.takes.is_zero() {
            tokio::time::sleep(self.takes).await;
        }
        let mut stored = self.stored.lock().unwrap();
        for row in rows {
            *stored.entry((row.origin.partition, row.origin.offset)).or_default() += 1;
        }
        Ok(Rejected::none())
    }
}

pub(super) struct World {
    pub(super) log: Arc<EmbeddedBroker>,
    pub(super) name: String,
    pub(super) clock: Clock,
    pub(super) store: Store,
}

pub(super) fn open() -> (tempfile::TempDir, Arc<EmbeddedBroker>) {
    let dir = tempfile::tempdir().unwrap();
    let log = EmbeddedBroker::open(dir.path(), EmbeddedSettings::for_tests()).unwrap();
    (dir, Arc::new(log))
}

impl World {
    /// A topology of this name with a topic of its own, `<name>-in`.
    pub(super) async fn new(log: &Arc<EmbeddedBroker>, name: &str, partitions: u32, compacted: bool) -> Self {
        ensure(&**log, name, 1).await.unwrap();
        let spec = TopicSpec::new(format!("{name}-in"), partitions);
        log.create_topic(&if compacted { spec.compacted() } else { spec }).await.unwrap();
        log.create_topic(&TopicSpec::new(format!("{name}-dead"), 1)).await.unwrap();
        let store = Store { stored: Arc::default(), takes: Duration::ZERO };
        Self { log: log.clone(), name: name.to_owned(), clock: Clock::at(BEGAN_MS), store }
    }

    pub(super) fn topic(&self) -> String {
        format!("{}-in", self.name)
    }

    /// Appends records to a partition, whose keys repeat after `keys`.
    pub(super) async fn fill(&self, partition: u32, records: u64, keys: u64) {
        let record = |at: u64| Append {
            partition: Some(partition),
            key: Some(format!("k{}", at % keys).into()),
            value: Some(at.to_string().into()),
            timestamp_ms: Some(BEGAN_MS + at as i64 * 1_000),
            ..Append::default()
        };
        self.log.producer().unwrap().append(&self.topic(), (0..records).map(record).collect()).await.unwrap();
    }

    pub(super) fn settings(&self, worker: &str) -> BackfillSettings {
        BackfillSettings {
            dead_letters: Some(format!("{}-dead", self.name)),
            max_replays: 1_000,
            clock: self.clock,
            ..BackfillSettings::new(&self.name, self.topic(), worker)
        }
    }

    pub(super) fn backfills(&self) -> Backfills {
        Backfills::new(self.log.clone(), &self.name, self.clock)
    }

    pub(super) async fn show(&self, job: &str) -> Status {
        self.backfills().show(job).await.unwrap()
    }

    /// Starts a worker that takes all jobs, or one.
    pub(super) fn start(&self, settings: BackfillSettings, tasks: usize, options: Options) -> Running {
        self.start_over(self.log.clone(), settings, tasks, options)
    }

    pub(super) fn start_over(
        &self,
        broker: Arc<dyn Broker>,
        settings: BackfillSettings,
        tasks: usize,
        options: Options,
    ) -> Running {
        let t = Topology::new("backfill");
        let tuning = Tuning::default().parallelism(tasks);
        t.spout_with("backfill", tuning, BackfillSpout::new(broker, settings))
            .shuffle()
            .sink("store", self.store.clone());
        start(t, &small(), options).unwrap()
    }

    /// Waits until the job is over; time that is paused passes meanwhile.
    pub(super) async fn until_over(&self, job: &str) -> Status {
        for _ in 0..3_000 {
            let status = self.show(job).await;
            if status.is_over() {
                return status;
            }
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        panic!("{} is not over: {:#?}", self.name, self.show(job).await);
    }

    pub(super) fn stored(&self) -> BTreeSet<(u32, u64)> {
        self.store.stored.lock().unwrap().keys().copied().collect()
    }

    /// Places of all records that the topic has.
    pub(super) async fn present(&self) -> BTreeSet<(u32, u64)> {
        let bounds = self.log.bounds(&self.topic()).await.unwrap();
        let mut places = BTreeSet::new();
        for bounds in bounds {
            let mut cursor = self.log.cursor(&self.topic(), &[(bounds.partition, bounds.earliest)]).unwrap();
            while let Some(fetched) = cursor.fetch(10_000, Duration::ZERO).await.unwrap() {
                places.extend(fetched.records.iter().map(|record| (bounds.partition, record.origin.offset)));
            }
        }
        places
    }

    /// Places of the records that were set aside.
    pub(super) async fn dead(&self) -> BTreeSet<(u32, u64)> {
        let mut cursor = self.log.cursor(&format!("{}-dead", self.name), &[(0, 0)]).unwrap();
        let mut places = BTreeSet::new();
        let number = |record: &LogRecord, header: &str| {
            std::str::from_utf8(record.headers.last(header).unwrap()).unwrap().parse::<u64>().unwrap()
        };
        while let Some(fetched) = cursor.fetch(10_000, Duration::ZERO).await.unwrap() {
            places.extend(fetched.records.iter().map(|record| {
                let partition = number(record, dead_letter::ORIGIN_PARTITION) as u32;
                (partition, number(record, dead_letter::ORIGIN_OFFSET))
            }));
        }
        places
    }

    /// The ledger, folded from the log.
    pub(super) async fn ledger(&self) -> Ledger {
        use crate::control::backfill::{Event, follow::job_of};
        let (names, mut ledger) = (Names::of(&self.name), Ledger::default());
        let from = Begin::Earliest;
        read(&*self.log, &names.control, from, MINUTE, |record| {
            job_of(record).into_iter().flatten().for_each(|job| ledger.add(job));
        })
        .await
        .unwrap();
        read(&*self.log, &names.backfill, from, MINUTE, |record| {
            let event = record.value.as_deref().and_then(Event::decode);
            ledger.note(record.origin.offset, event.as_ref());
        })
        .await
        .unwrap();
        ledger
    }

    /// Nothing counts as settled that is neither stored nor dead nor gone.
    pub(super) async fn check_progress(&self, job: &str) {
        let (ledger, stored, dead, present) =
            (self.ledger().await, self.stored(), self.dead().await, self.present().await);
        let entry = ledger.job(job).unwrap();
        for chunk in (0..).map_while(|at| entry.chunk(at)) {
            for offset in chunk.range.from..chunk.next {
                let place = (chunk.range.partition, offset);
                let is_settled = stored.contains(&place) || dead.contains(&place) || !present.contains(&place);
                assert!(is_settled, "{}: {place:?} counts as settled and is not", self.name);
            }
        }
    }
}

fn small() -> Settings {
    Settings { defaults: Tuning::default().batch(20).max_pending(4).rows(7), ..Settings::default() }
}
