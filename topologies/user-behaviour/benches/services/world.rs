//! The servers, and what each run gets of its own.

use std::sync::Arc;
use std::time::Duration;

use squall::broker::{Broker, TopicSpec};
use squall::service::cli::CommonArgs;
use squall::testing::servers::{Kafka, KafkaOptions, MariaDb, MariaDbOptions, Redis};
use tokio::runtime::Runtime;
use user_behaviour::open::open;
use user_behaviour::settings::{Config, PROFILES};
use user_behaviour::topology::Parts;

use super::cpu::cpu;
use super::process::Process;

/// Of each topic.
const PARTITIONS: u32 = 8;
/// Threads of the load: no more than the machine that it shares has cores.
const THREADS: usize = 2;

/// Servers, and the runtime of the load.
pub(crate) struct World {
    pub(crate) runtime: Runtime,
    kafka: Kafka,
    pub(crate) redis: Redis,
    mariadb: MariaDb,
    runs: u32,
}

/// Names that nobody used before, on the servers.
#[derive(Clone)]
pub(crate) struct Place {
    /// Of the topic, the group, and with a colon of all keys.
    pub(crate) name: String,
    /// Where Kafka is, `host:port`.
    pub(crate) kafka: String,
    /// Where Redis is.
    pub(crate) redis: String,
    /// Where a database of its own is.
    pub(crate) mysql: String,
}

impl World {
    pub(crate) fn start() -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(THREADS).enable_all().build().expect("a runtime");
        // The table and its log fit into memory, as they do on a server for one.
        let mariadb = MariaDbOptions {
            buffer_pool_mib: 1024,
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

    /// A place of which nobody knows yet; the database has no tables.
    pub(crate) fn place(&mut self, what: &str) -> Place {
        self.runs += 1;
        let name = format!("{what}-{}-{}", std::process::id(), self.runs);
        let database = format!("services_{what}");
        let mysql = self.runtime.block_on(self.mariadb.database(&database)).expect("a database");
        Place { name, kafka: self.kafka.address().to_owned(), redis: self.redis.url().to_owned(), mysql }
    }

    /// Opens what a place names, and makes it ready.
    pub(crate) fn open(&self, place: &Place) -> Parts {
        self.runtime.block_on(open(&place.config(), &std::env::temp_dir())).expect("servers that answer")
    }

    /// The log alone.
    pub(crate) fn log(&self, place: &Place) -> Arc<dyn Broker> {
        let config = place.config();
        self.runtime.block_on(config.broker.open(&std::env::temp_dir())).expect("Kafka answers")
    }

    /// CPU time so far of the servers, of this process and of the one that is measured.
    pub(crate) fn cpu(&self, measured: &Process) -> [(&'static str, Duration); 5] {
        [
            ("squall", cpu(Some(measured.id()))),
            ("redis", cpu(self.redis.pid())),
            ("mariadb", cpu(self.mariadb.pid())),
            ("kafka", cpu(self.kafka.pid())),
            ("load", cpu(Some(std::process::id()))),
        ]
    }
}

impl Place {
    /// What leads the binary here.
    pub(crate) fn overrides(&self) -> Vec<String> {
        let Self { name, kafka, redis, mysql } = self;
        vec![
            format!("name={name}"),
            format!("broker.kafka.bootstrap={kafka}"),
            format!("timelines.redis.url={redis}"),
            format!("timelines.redis.prefix={name}"),
            format!("rows.mysql.url={mysql}"),
            format!("source.topic={name}"),
            format!("source.dead_letters={name}.dead"),
            format!("source.group={name}"),
            format!("source.partitions={PARTITIONS}"),
        ]
    }

    /// The topic, which must not be there yet.
    pub(crate) fn topic(&self) -> TopicSpec {
        TopicSpec::new(&self.name, PARTITIONS)
    }

    /// What the binary makes of [`overrides`](Self::overrides).
    pub(crate) fn config(&self) -> Config {
        let args = CommonArgs {
            config: None,
            profile: "cluster".into(),
            data_dir: std::env::temp_dir(),
            overrides: self.overrides(),
        };
        args.load(PROFILES).expect("a valid configuration")
    }
}

/// Records that a topic holds.
pub(crate) async fn held(log: &dyn Broker, topic: &str) -> u64 {
    let bounds = log.bounds(topic).await.expect("Kafka answers");
    bounds.iter().map(|partition| partition.latest - partition.earliest).sum()
}
