//! The collector over a Kafka that dies, comes back, and is away at the start.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use squall::broker::Broker;
use squall::broker::kafka::{KafkaBroker, KafkaSettings};
use squall::testing::servers::Kafka;
use tokio::time::{Instant, sleep};
use tower::ServiceExt;
use user_behaviour::collector::{Collector, router};
use user_behaviour::commands::collect;
use user_behaviour::settings::Config;
use user_behaviour::topology::now_ms;

use crate::support::cluster::config;

const TOPIC: &str = "collected";
const DEADLINE: Duration = Duration::from_secs(120);

/// `kill -9` of the broker while posts go on, and a start of the collector while it is away: every id that was answered
/// `202` is in the topic afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_id_that_was_accepted_is_in_the_topic_after_the_broker_died() {
    let mut kafka = Kafka::start_own(Default::default()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let config = configuration(kafka.url());
    let collector = collect::open(&config, dir.path()).await.unwrap();
    let posting = Posting::start(&collector, "first");
    posting.until(200).await;
    until("records go to the log", || collector.producer().status().to_log > 100).await;
    kafka.kill().unwrap();
    until("records go to the disk", || collector.producer().status().to_spill > 0).await;
    posting.until(posting.count() + 500).await;
    kafka.restart().await.unwrap();
    until("the disk is drained", || collector.producer().status().spill.records == 0).await;
    let straight = collector.producer().status().to_log;
    until("records go to the log again", || collector.producer().status().to_log > straight).await;
    let mut accepted = posting.stop().await;
    collector.producer().close().await;
    drop(collector);

    kafka.kill().unwrap();
    let collector = collect::open(&config, dir.path()).await.expect("it starts without its log");
    let posting = Posting::start(&collector, "second");
    posting.until(200).await;
    accepted.extend(posting.stop().await);
    assert!(collector.producer().status().to_log == 0 && collector.producer().status().spill.records >= 200);
    // A stop leaves what is there, and the next start brings it.
    collector.producer().close().await;
    drop(collector);
    kafka.restart().await.unwrap();
    let collector = collect::open(&config, dir.path()).await.unwrap();
    assert!(collector.producer().status().spill.drained <= 200);
    until("the disk is drained", || collector.producer().status().spill.records == 0).await;
    collector.producer().close().await;

    let found = ids(kafka.url()).await;
    let lost: Vec<_> = accepted.iter().filter(|id| !found.contains_key(*id)).collect();
    assert!(lost.is_empty(), "{} of {} accepted records are lost: {lost:?}", lost.len(), accepted.len());
    let twice = found.values().filter(|count| **count > 1).count();
    eprintln!("{} accepted, {} in the topic, {twice} of them more than once", accepted.len(), found.len());
}

fn configuration(kafka: &str) -> Config {
    let overrides = [
        format!("broker.kafka.bootstrap={kafka}"),
        "broker.kafka.connect_timeout_ms=1000".to_owned(),
        "broker.kafka.request_timeout_ms=2000".to_owned(),
        format!("source.topic={TOPIC}"),
        "source.partitions=4".to_owned(),
        "collector.spill.ack_wait_ms=500".to_owned(),
    ];
    config("cluster", &overrides)
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Four who post batches, one after the other.
struct Posting {
    accepted: Arc<std::sync::Mutex<BTreeSet<String>>>,
    stop: Arc<AtomicBool>,
    tasks: tokio::task::JoinSet<()>,
}

impl Posting {
    fn start(collector: &Collector, run: &'static str) -> Self {
        let (accepted, stop) =
            (Arc::<std::sync::Mutex<BTreeSet<String>>>::default(), Arc::<AtomicBool>::default());
        let mut tasks = tokio::task::JoinSet::new();
        for who in 0..4 {
            let (router, accepted, stop) = (router(collector.clone()), accepted.clone(), stop.clone());
            tasks.spawn(async move {
                for call in 0_u64.. {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let ids = post(&router, &format!("{run}-{who}-{call}")).await;
                    accepted.lock().unwrap().extend(ids);
                    sleep(Duration::from_millis(5)).await;
                }
            });
        }
        Self { accepted, stop, tasks }
    }

    fn count(&self) -> usize {
        self.accepted.lock().unwrap().len()
    }

    async fn until(&self, count: usize) {
        until("posts are accepted", || self.count() >= count).await;
    }

    /// The ids that were answered `202`.
    async fn stop(self) -> BTreeSet<String> {
        self.stop.store(true, Ordering::SeqCst);
        self.tasks.join_all().await;
        std::mem::take(&mut *self.accepted.lock().unwrap())
    }
}

/// Posts a batch and returns the ids that were accepted.
async fn post(router: &Router, name: &str) -> Vec<String> {
    let record = |n: u32| {
        json!({
            "event_id": format!("{name}-{n}"), "user_id": format!("u-{}", n * 7 % 5), "app_id": "trip", "channel": "app",
            "business": "hotel", "action": "view", "item_id": "hotel-7", "occurred_at": now_ms(),
        })
    };
    let body = json!((0..5).map(record).collect::<Vec<_>>()).to_string();
    let answered =
        router.clone().oneshot(Request::post("/v1/behaviours").body(Body::from(body)).unwrap()).await.unwrap();
    if answered.status() != StatusCode::ACCEPTED {
        return Vec::new();
    }
    let bytes = answered.into_body().collect().await.unwrap().to_bytes();
    let answer: Value = serde_json::from_slice(&bytes).unwrap();
    answer["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
}

/// How often each id is in the topic.
async fn ids(kafka: &str) -> BTreeMap<String, usize> {
    let broker = KafkaBroker::connect(KafkaSettings::new(kafka)).await.unwrap();
    let mut found = BTreeMap::new();
    for bounds in broker.bounds(TOPIC).await.unwrap() {
        let mut cursor = broker.cursor(TOPIC, &[(bounds.partition, bounds.earliest)]).unwrap();
        while cursor.position(bounds.partition).unwrap() < bounds.latest {
            let fetched = cursor.fetch(1000, Duration::from_secs(5)).await.unwrap();
            for record in fetched.into_iter().flat_map(|fetched| fetched.records) {
                let value: Value = serde_json::from_slice(record.value.as_ref().unwrap()).unwrap();
                *found.entry(value["event_id"].as_str().unwrap().to_owned()).or_insert(0) += 1;
            }
        }
    }
    found
}
