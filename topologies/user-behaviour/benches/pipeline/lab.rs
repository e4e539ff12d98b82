//! The servers, the records in them, and what each run gets of its own.

use std::time::Duration;

use squall::broker::TopicSpec;
use squall::service::cli::CommonArgs;
use squall::testing::servers::{Kafka, KafkaOptions, MariaDb, MariaDbOptions, Redis};
use tokio::runtime::Runtime;
use user_behaviour::generate::Generator;
use user_behaviour::open::open;
use user_behaviour::settings::{Config, PROFILES};
use user_behaviour::topology::Parts;

use super::cpu::cpu;
use super::data::{Data, settings};
use super::proof::prove;

pub(crate) const PARTITIONS: u32 = 4;
/// Records of one append while the topic is filled.
const APPEND: usize = 5000;
/// Threads of the runtime that a side runs on: the machine has two cores.
const THREADS: usize = 2;

/// Servers, and a runtime for what is not measured.
pub(crate) struct Lab {
    runtime: Runtime,
    kafka: Kafka,
    redis: Redis,
    mariadb: MariaDb,
    runs: u32,
}

/// How a side reads the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    /// As the group of the run, which commits.
    AsGroup,
    /// As a backfill, whose progress stands elsewhere.
    AsBackfill,
}

/// What a run works on: a configuration that nobody used before, and what it names, opened.
pub(crate) struct Run {
    pub(crate) config: Config,
    pub(crate) parts: Parts,
    pub(crate) runtime: Runtime,
}

impl Lab {
    pub(crate) fn start() -> Self {
        let runtime = runtime(1);
        // The table and its log fit into memory, as they do on a server for one.
        let mariadb = MariaDbOptions {
            buffer_pool_mib: 512,
            arguments: vec!["--innodb-log-file-size=512M".into()],
            ..MariaDbOptions::default()
        };
        let (kafka, redis, mariadb) = runtime.block_on(async {
            let kafka = Kafka::start_with(KafkaOptions { long_running: true, ..KafkaOptions::default() })
                .await
                .expect("Kafka starts");
            let redis = Redis::start().await.expect("Redis starts");
            (kafka, redis, MariaDb::start_with(mariadb).await.expect("MariaDB starts"))
        });
        Self { runtime, kafka, redis, mariadb, runs: 0 }
    }

    /// Fills a topic.
    pub(crate) fn load(&self, name: &str, records: u64, user_skew: f64) -> Data {
        let topic = format!("{name}-{}", std::process::id());
        let settings = settings(records, user_skew);
        self.runtime.block_on(async {
            let broker = self.config(&topic, "load", "").broker.open("".as_ref()).await.expect("Kafka answers");
            broker.create_topic(&TopicSpec::new(&topic, PARTITIONS)).await.expect("a new topic");
            let producer = broker.producer().expect("a producer");
            let mut generator = Generator::new(settings.clone()).expect("valid settings");
            loop {
                let batch: Vec<_> = generator.by_ref().take(APPEND).map(|made| made.append()).collect();
                if batch.is_empty() {
                    break;
                }
                producer.append(&topic, batch).await.expect("Kafka takes records");
            }
        });
        Data::new(topic, settings)
    }

    /// Runs one side on stores that are empty, proves what it wrote, and returns how long it took. `what` says on
    /// standard error which side it is.
    pub(crate) fn measure(
        &mut self,
        what: &str,
        data: &Data,
        reads: Reads,
        side: impl FnOnce(&Run) -> Duration,
    ) -> Duration {
        let run = self.fresh(&data.topic);
        let processes = [
            ("this process", Some(std::process::id())),
            ("Kafka", self.kafka.pid()),
            ("Redis", self.redis.pid()),
            ("MariaDB", self.mariadb.pid()),
        ];
        let before = processes.map(|(_, pid)| cpu(pid));
        let took = side(&run);
        let after = processes.map(|(_, pid)| cpu(pid));
        run.runtime.block_on(prove(&run, data, reads));
        eprintln!("{what:<6} {:>8.0} records/s", data.records as f64 / took.as_secs_f64());
        for (at, (process, _)) in processes.iter().enumerate() {
            let used = after[at].saturating_sub(before[at]).as_secs_f64() * 1e6;
            eprintln!("       {process:<12} {:.2} µs of CPU a record", used / data.records as f64);
        }
        took
    }

    fn fresh(&mut self, topic: &str) -> Run {
        self.runs += 1;
        let name = format!("bench-{}-{}", std::process::id(), self.runs);
        self.runtime.block_on(async {
            // Keys of earlier runs cost memory only; a server that somebody else owns keeps them.
            if self.redis.pid().is_some() {
                self.redis.wipe().await.expect("Redis comes back");
            }
        });
        let database = self.runtime.block_on(self.mariadb.database("bench")).expect("a database");
        let config = self.config(topic, &name, &database);
        let runtime = runtime(THREADS);
        let parts = runtime.block_on(open(&config, &std::env::temp_dir())).expect("servers that answer");
        Run { config, parts, runtime }
    }

    /// The cluster profile, pointed at the servers.
    fn config(&self, topic: &str, run: &str, database: &str) -> Config {
        let args = CommonArgs {
            config: None,
            profile: "cluster".into(),
            data_dir: std::env::temp_dir(),
            overrides: vec![
                format!("name={run}"),
                format!("broker.kafka.bootstrap={}", self.kafka.address()),
                format!("timelines.redis.url={}", self.redis.url()),
                format!("timelines.redis.prefix={run}:"),
                format!("rows.mysql.url={database}"),
                format!("source.topic={topic}"),
                format!("source.dead_letters={topic}.dead"),
                format!("source.group={run}"),
                format!("source.partitions={PARTITIONS}"),
            ],
        };
        args.load(PROFILES).expect("a valid configuration")
    }
}

fn runtime(threads: usize) -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(threads).enable_all().build().expect("a runtime")
}
