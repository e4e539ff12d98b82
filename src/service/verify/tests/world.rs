//! A log, its topics, and two stores that say what they are told to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::broker::dead_letter::dead_letter;
use crate::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use crate::broker::{Append, Broker, LogRecord, TopicSpec};
use crate::control::{AuditRecord, Names, Operator, ensure};
use crate::delivery::{DeliverySettings, Parked, Topics};
use crate::guard::Clock;
use crate::service::verify::{Bound, Expect, Range, Source, Standing, ranges};
use crate::store::StoreError;
use crate::topology::{BoxFuture, Class, Headers, Origin};

pub(super) const SINKS: [&str; 2] = ["first", "second"];
pub(super) const PARTITIONS: u32 = 3;
pub(super) const DELAYS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10)];

type Hook = Box<dyn FnMut(u64) + Send>;

/// Stores that say of each record what they are told; of the others that it is not there.
#[derive(Default)]
pub(super) struct Stores {
    pub(super) standings: Mutex<HashMap<(String, u64), Standing>>,
    /// Called with the number of the look before it is answered.
    pub(super) before_look: Mutex<Option<Hook>>,
    pub(super) looks: Mutex<u64>,
    /// Most items of one look.
    pub(super) most: Mutex<usize>,
}

impl Stores {
    pub(super) fn tell(&self, sink: &str, id: u64, standing: Standing) {
        self.standings.lock().unwrap().insert((sink.to_owned(), id), standing);
    }
}

impl Expect for Stores {
    type Item = u64;

    fn sinks(&self) -> &[&'static str] {
        &SINKS
    }

    fn decode(&self, record: &LogRecord) -> Result<u64, String> {
        let text = std::str::from_utf8(record.value.as_deref().unwrap_or_default()).unwrap();
        text.parse().map_err(|_| format!("`{text}` is no order"))
    }

    fn name(&self, id: &u64) -> String {
        format!("order {id}")
    }

    fn look<'a>(
        &'a self,
        sink: &'a str,
        items: &'a [&'a u64],
    ) -> BoxFuture<'a, Result<Vec<Standing>, StoreError>> {
        let look = {
            let mut looks = self.looks.lock().unwrap();
            *looks += 1;
            *looks
        };
        let mut most = self.most.lock().unwrap();
        *most = items.len().max(*most);
        if let Some(hook) = &mut *self.before_look.lock().unwrap() {
            hook(look);
        }
        let standings = self.standings.lock().unwrap();
        let of = |id: &&u64| standings.get(&(sink.to_owned(), **id)).copied().unwrap_or(Standing::Absent);
        let found = items.iter().map(of).collect();
        Box::pin(std::future::ready(Ok(found)))
    }
}

/// A topology's log, with nobody at work.
pub(super) struct World {
    pub(super) broker: Arc<dyn Broker>,
    pub(super) source: Source,
    pub(super) stores: Stores,
    _dir: tempfile::TempDir,
}

impl World {
    pub(super) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let broker = EmbeddedBroker::open(dir.path(), EmbeddedSettings::for_tests()).unwrap();
        let broker: Arc<dyn Broker> = Arc::new(broker);
        ensure(&*broker, "shop", 1).await.unwrap();
        broker.create_topic(&TopicSpec::new("orders", PARTITIONS)).await.unwrap();
        broker.create_topic(&TopicSpec::new("orders.dead", 1)).await.unwrap();
        let settings = DeliverySettings::new("orders.dead");
        for sink in SINKS {
            Topics::of("shop", sink, 1, &DELAYS).ensure(&*broker, &settings).await.unwrap();
        }
        let source = Source {
            broker: broker.clone(),
            topology: "shop".to_owned(),
            topic: "orders".to_owned(),
            group: "shop".to_owned(),
            dead_letters: "orders.dead".to_owned(),
        };
        Self { broker, source, stores: Stores::default(), _dir: dir }
    }

    /// Appends a record; its offset.
    pub(super) async fn append(&self, topic: &str, partition: Option<u32>, append: Append) -> (u32, u64) {
        let append = Append { partition, ..append };
        let at = self.broker.producer().unwrap().append(topic, vec![append]).await.unwrap()[0];
        (at.partition, at.offset)
    }

    pub(super) async fn order(&self, partition: u32, value: &str) -> LogRecord {
        let value = Some(bytes::Bytes::from(value.to_owned()));
        let append = Append { value: value.clone(), timestamp_ms: Some(1_000), ..Append::default() };
        let (partition, offset) = self.append("orders", Some(partition), append).await;
        let origin = Origin { topic: "orders".into(), partition, offset, attempt: 0 };
        LogRecord { origin, key: None, headers: Headers::default(), timestamp_ms: 1_000, value }
    }

    /// Commits up to an offset, as the topology's group or as that of a retry topic.
    pub(super) async fn commit(&self, group: &str, topic: &str, partition: u32, offset: u64) {
        self.broker.reset(group, topic, &[(partition, offset)]).await.unwrap();
    }

    /// All records of now, and everything is committed.
    pub(super) async fn all(&self) -> Vec<Range> {
        let all = ranges(&self.source, &Bound::Earliest, &Bound::Latest).await.unwrap();
        for range in &all {
            self.commit("shop", "orders", range.partition, range.to).await;
        }
        all
    }

    /// Lets a record wait; where it then stands.
    pub(super) async fn wait(&self, sink: &str, topic: &str, record: &LogRecord) -> (u32, u64) {
        self.append(topic, None, parked(sink, record).to_append()).await
    }

    /// Gives a record up, at a sink or before it came to one.
    pub(super) async fn die(&self, sink: Option<&str>, record: &LogRecord) -> u64 {
        let append = match sink {
            Some(sink) => parked(sink, record).to_append(),
            None => dead_letter(record, Class::Poison, "not an order"),
        };
        self.append("orders.dead", Some(0), append).await.1
    }

    /// A range that was passed over.
    pub(super) async fn audit(&self, action: &str, target: &str, from: u64, to: u64) {
        self.audit_with(action, target, serde_json::json!({ "from": from, "to": to })).await;
    }

    /// A seek of the spout.
    pub(super) async fn seek(&self, topic: &str, partition: u32, from: u64, to: u64) {
        let moves = [serde_json::json!({ "partition": partition, "from": from, "to": to, "skipped": 1 })];
        self.audit_with("seek", "spout/orders", serde_json::json!({ "topic": topic, "moves": moves })).await;
    }

    async fn audit_with(&self, action: &str, target: &str, details: serde_json::Value) {
        let record = AuditRecord {
            when_ms: 5_000,
            who: "ann".to_owned(),
            action: action.to_owned(),
            target: target.to_owned(),
            reason: "too late for them".to_owned(),
            details,
        };
        Operator::new(self.broker.clone(), "shop", Clock::new()).record(&record).await.unwrap();
    }

    /// A job that is to bring what a spout passed over.
    pub(super) async fn job(&self, id: &str, partition: u32, from: u64, to: u64, skip: Option<&str>) {
        let job = serde_json::json!({
            "id": id, "topic": "orders", "skip": skip,
            "ranges": [{ "partition": partition, "from": from, "to": to }],
        });
        let key = Some(format!("backfill/{id}").into());
        let append = Append { key, value: Some(job.to_string().into()), ..Append::default() };
        self.append(&Names::of("shop").control, Some(0), append).await;
    }

    /// An event in the life of a job.
    pub(super) async fn event(&self, kind: &str, job: &str) {
        self.broker.create_topic(&TopicSpec::new("squall.shop.backfill", 1)).await.unwrap();
        let event = serde_json::json!({ "kind": kind, "job": job, "at_ms": 1 });
        let append = Append { value: Some(event.to_string().into()), ..Append::default() };
        self.append("squall.shop.backfill", Some(0), append).await;
    }
}

pub(super) fn parked(sink: &str, record: &LogRecord) -> Parked {
    let mut record = record.clone();
    record.origin.attempt = 2;
    Parked {
        record,
        sink: Some(sink.to_owned()),
        class: Class::Retryable,
        reason: "the store is away".to_owned(),
        version: String::new(),
        not_before_ms: 7_000,
        first_failure_ms: 2_000,
        last_failure_ms: 3_000,
        redriven: 0,
    }
}
