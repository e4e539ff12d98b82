//! A log, a store that fails as told, and a topology between them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::broker::dead_letter::dead_letter;
use crate::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use crate::broker::{Append, Broker, GroupSettings, LogRecord, LogSpout, LogSpoutSettings, TopicSink, TopicSpec};
use crate::delivery::{Codec, Delivery, DeliverySettings, Guard, Parcel, Parked, Pending, Retry, SinkSettings};
use crate::guard::{BackoffSettings, BreakerSettings, Clock, Mode, Switch};
use crate::topology::{Class, Either, Error, Rejected, Result, ResultExt, Sink, Topology};

/// What the store says when it panics.
pub(super) const PANIC: &str = "the store lost its mind";

pub(super) const SINKS: [&str; 2] = ["first", "second"];

/// A log for many worlds.
pub(super) struct Log {
    pub(super) broker: Arc<dyn Broker>,
    _dir: tempfile::TempDir,
}

impl Log {
    pub(super) fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let broker = EmbeddedBroker::open(dir.path(), EmbeddedSettings::for_tests()).unwrap();
        Self { broker: Arc::new(broker), _dir: dir }
    }
}

/// What the store does with the next rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behaviour {
    /// Stores all rows but those that are poison.
    Works,
    /// Fails as a whole; half of the time it has stored the rows all the same.
    Fails,
    /// Stores every second row.
    Half,
    /// Never answers.
    Hangs,
    /// Panics.
    Panics,
}

/// A row that was offered to the store.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offer {
    pub(super) value: u64,
    pub(super) attempts: u32,
    pub(super) at_ms: i64,
}

#[derive(Default)]
pub(super) struct Shelf {
    pub(super) stored: BTreeSet<u64>,
    pub(super) offers: Vec<Offer>,
}

/// A store that does what a script says.
#[derive(Clone)]
pub(super) struct Store {
    pub(super) shelf: Arc<Mutex<Shelf>>,
    pub(super) clock: Clock,
    /// The behaviour of the n-th write.
    pub(super) script: Arc<dyn Fn(u64) -> Behaviour + Send + Sync>,
    pub(super) poison: Arc<BTreeSet<u64>>,
    pub(super) writes: Arc<Mutex<u64>>,
}

impl Sink for Store {
    type In = Arc<Parcel<u64>>;

    async fn write(&mut self, rows: &[&Self::In]) -> Result<Rejected> {
        let turn = {
            let mut writes = self.writes.lock().unwrap();
            *writes += 1;
            *writes
        };
        let at_ms = self.clock.unix_ms();
        let offers = rows.iter().map(|row| Offer { value: row.value, attempts: row.past.attempts, at_ms });
        self.shelf.lock().unwrap().offers.extend(offers);
        let store = |rows: &mut dyn Iterator<Item = &&Self::In>| {
            let mut shelf = self.shelf.lock().unwrap();
            shelf.stored.extend(rows.map(|row| row.value).filter(|value| !self.poison.contains(value)));
        };
        tokio::time::sleep(Duration::from_millis(turn % 3)).await;
        match (self.script)(turn) {
            Behaviour::Works => {
                store(&mut rows.iter());
                let poison = rows.iter().enumerate().filter(|(_, row)| self.poison.contains(&row.value));
                Ok(poison.map(|(at, _)| (at, Error::poison("this row is poison"))).collect())
            }
            Behaviour::Fails => {
                if turn % 2 == 0 {
                    store(&mut rows.iter());
                }
                Err(Error::retryable("the store is away"))
            }
            Behaviour::Half => {
                store(&mut rows.iter().step_by(2));
                let poison = |at: usize| self.poison.contains(&rows[at].value);
                let reason = |at: usize| match (poison(at), at % 2) {
                    (true, _) => Some((at, Error::poison("this row is poison"))),
                    (false, 1) => Some((at, Error::retryable("this row is locked"))),
                    (false, _) => None,
                };
                Ok((0..rows.len()).filter_map(reason).collect())
            }
            Behaviour::Hangs => std::future::pending().await,
            Behaviour::Panics => panic!("{PANIC}"),
        }
    }
}

/// A topology with two guarded sinks over topics of its own.
pub(super) struct World {
    pub(super) name: String,
    pub(super) broker: Arc<dyn Broker>,
    pub(super) clock: Clock,
    pub(super) switches: [Switch; 2],
    pub(super) shelves: [Arc<Mutex<Shelf>>; 2],
    pub(super) poison: Arc<BTreeSet<u64>>,
}

impl World {
    pub(super) fn new(log: &Log, name: &str, clock: Clock, poison: BTreeSet<u64>) -> Self {
        Self {
            name: name.to_owned(),
            broker: log.broker.clone(),
            clock,
            switches: [Switch::new(Mode::Off), Switch::new(Mode::Off)],
            shelves: Default::default(),
            poison: Arc::new(poison),
        }
    }

    pub(super) fn source(&self) -> String {
        format!("{}.source", self.name)
    }

    pub(super) fn letters(&self) -> String {
        format!("{}.dead", self.name)
    }

    pub(super) fn settings(&self) -> DeliverySettings {
        DeliverySettings {
            levels: BackoffSettings {
                delays: vec![Duration::from_secs(1), Duration::from_secs(10)],
                attempts: 4,
                jitter: 0.2,
            },
            partitions: 1,
            ramp_step: Duration::from_secs(2),
            ..DeliverySettings::new(self.letters())
        }
    }

    pub(super) fn delivery(&self) -> Delivery {
        Delivery::new(&self.name, self.broker.clone(), self.clock, self.settings()).unwrap()
    }

    pub(super) fn guard(&self, at: usize) -> Guard<u64> {
        self.guard_of(&self.delivery(), at)
    }

    /// A guard whose rows may wait nowhere.
    pub(super) fn undiverted(&self, at: usize) -> Guard<u64> {
        let settings = DeliverySettings { divert: false, ..self.settings() };
        self.guard_of(&Delivery::new(&self.name, self.broker.clone(), self.clock, settings).unwrap(), at)
    }

    fn guard_of(&self, delivery: &Delivery, at: usize) -> Guard<u64> {
        let breaker = BreakerSettings { minimum_calls: 4, ..BreakerSettings::default() };
        let settings = SinkSettings { timeout: Duration::from_secs(3), breaker, ..SinkSettings::default() };
        delivery.guard(SINKS[at], self.switches[at].clone(), codec(), settings)
    }

    pub(super) fn store(&self, at: usize, script: impl Fn(u64) -> Behaviour + Send + Sync + 'static) -> Store {
        Store {
            shelf: self.shelves[at].clone(),
            clock: self.clock,
            script: Arc::new(script),
            poison: self.poison.clone(),
            writes: Arc::default(),
        }
    }

    /// Creates the topics, with these texts in the source.
    pub(super) async fn fill(&self, texts: impl Iterator<Item = String>) {
        for (name, partitions) in [(self.source(), 2), (self.letters(), 1)] {
            self.broker.create_topic(&TopicSpec::new(name, partitions)).await.unwrap();
        }
        for sink in SINKS {
            self.delivery().ensure(sink, 1).await.unwrap();
        }
        let records = texts.map(|text| Append {
            key: Some(text.clone().into()),
            value: Some(text.into()),
            ..Append::default()
        });
        self.broker.producer().unwrap().append(&self.source(), records.collect()).await.unwrap();
    }

    /// The topology and the one that brings records back.
    pub(super) fn topologies(&self, scripts: [Script; 2]) -> (Topology, Topology, Pending) {
        let guards = [self.guard(0), self.guard(1)];
        let group = GroupSettings::new(format!("{}.group", self.name));
        let mut settings = LogSpoutSettings::new(self.source(), group.clone());
        settings.dead_letters = Some(self.letters());
        settings.commit_interval = Duration::from_millis(50);
        settings.max_replays = 10_000;
        let t = Topology::new(&self.name);
        let spout = LogSpout::new(self.broker.clone(), settings).gated(guards[0].gate());
        let (parcels, broken) = t.spout("source", spout).split(|record: LogRecord| match decode(&record) {
            Ok(value) => Either::Left(Arc::new(Parcel::fresh(record, value))),
            Err(_) => Either::Right(record),
        });
        let letters = TopicSink::new(self.broker.producer().unwrap(), &self.letters(), |record: &LogRecord| {
            dead_letter(record, Class::Poison, "no number")
        });
        broken.sink("dead-letters", letters);
        let [first, second] = scripts;
        let stacks = [guards[0].over(self.store(0, first)), guards[1].over(self.store(1, second))];
        let mut retry = Retry::new(&self.delivery(), group);
        for ((name, guard), stack) in SINKS.iter().zip(&guards).zip(stacks) {
            parcels.clone().fields(|parcel| &parcel.value).parallelism(2).sink(name, stack.clone());
            retry = retry.sink(guard, stack);
        }
        parcels.ignore();
        let (retry, pending) = retry.topology();
        (t, retry, pending)
    }

    /// All records of a topic.
    pub(super) async fn records(&self, topic: &str) -> Vec<LogRecord> {
        let mut all = Vec::new();
        for bounds in self.broker.bounds(topic).await.unwrap() {
            let mut cursor = self.broker.cursor(topic, &[(bounds.partition, bounds.earliest)]).unwrap();
            while let Some(fetched) = cursor.fetch(10_000, Duration::ZERO).await.unwrap() {
                all.extend(fetched.records);
            }
        }
        all
    }

    /// What the dead letters say, by sink; the empty name stands for records that came to no sink.
    pub(super) async fn dead(&self) -> BTreeMap<String, Vec<Parked>> {
        let mut dead: BTreeMap<String, Vec<Parked>> = BTreeMap::new();
        for record in self.records(&self.letters()).await {
            let letter = Parked::read(&record).unwrap();
            dead.entry(letter.sink.clone().unwrap_or_default()).or_default().push(letter);
        }
        dead
    }

    /// What waits for a sink: what its topics hold past the commits of those who bring it back.
    pub(super) async fn waiting(&self, sink: usize) -> Vec<LogRecord> {
        let mut waiting = Vec::new();
        for topic in self.guard(sink).topics().all() {
            let committed = self.broker.committed(topic, topic).await.unwrap();
            let next = |record: &LogRecord| committed[record.origin.partition as usize].unwrap_or(0);
            let records = self.records(topic).await;
            waiting.extend(records.into_iter().filter(|record| record.origin.offset >= next(record)));
        }
        waiting
    }
}

pub(super) type Script = Box<dyn Fn(u64) -> Behaviour + Send + Sync>;

pub(super) fn codec() -> Codec<u64> {
    Codec::new(decode).version(|value| format!("v{value}"))
}

pub(super) fn decode(record: &LogRecord) -> Result<u64> {
    let text = record.value.as_deref().unwrap_or_default();
    std::str::from_utf8(text).poison()?.parse().poison()
}

/// The value that a parked record or dead letter carries, if it is a number.
pub(super) fn value_of(record: &LogRecord) -> Option<u64> {
    decode(record).ok()
}
