//! The servers of a run, and its folder.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use sqlx::{Connection, MySqlConnection, Row};
use squall::testing::FaultProxy;
use squall::testing::servers::{Kafka, KafkaOptions, MariaDb, MariaDbOptions, Redis, RedisOptions};
use tempfile::TempDir;

use super::args::{Args, Form};
use super::support::cluster::overrides;

/// What the scenarios of a run have in common. The servers are started when the first scenario needs them.
pub(crate) struct Lab {
    pub(crate) form: Form,
    pub(crate) seed: u64,
    /// Records of a backlog, where that is not the scenario's own number.
    pub(crate) backlog: Option<u64>,
    /// Fresh records a second beside backfills, where it is not as many as the scenario says.
    pub(crate) fresh: Option<u64>,
    /// What a backfill that is in a hurry is given.
    pub(crate) budget: Vec<String>,
    /// How often fresh records are looked at beside a backfill of the default share.
    pub(crate) turns: usize,
    dir: TempDir,
    servers: Option<Servers>,
}

impl Lab {
    pub(crate) fn new(args: &Args) -> Self {
        let (form, seed, backlog, fresh) = (args.form(), args.seed(), args.backlog, args.fresh);
        let turns = args.turns.unwrap_or(form.pick(1, 6));
        let rate = args.rate.iter().flat_map(|rate| ["--rate".to_owned(), rate.clone()]);
        let budget = ["--share".to_owned(), args.share.clone()].into_iter().chain(rate).collect();
        Self { form, seed, backlog, fresh, budget, turns, dir: tempfile::tempdir().unwrap(), servers: None }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The servers, all of them up.
    pub(crate) async fn servers(&mut self) -> &mut Servers {
        if self.servers.is_none() {
            self.servers = Some(Servers::start(self.form).await);
        }
        self.servers.as_mut().expect("just started")
    }
}

/// Servers that survive a kill with all that they acknowledged.
pub(crate) struct Servers {
    pub(crate) kafka: Kafka,
    /// What workers reach Kafka through, where a scenario says so.
    pub(crate) kafka_proxy: FaultProxy,
    pub(crate) redis: Redis,
    /// Those of a ring, once a scenario needs one.
    ring: Vec<Redis>,
    pub(crate) mariadb: MariaDb,
}

impl Servers {
    async fn start(form: Form) -> Self {
        eprintln!("starting Kafka, Redis and MariaDB");
        // In the full form they have the room that servers for one have: with less, millions of records make them write
        // pages and logs anew all the time. 3 GiB of pages were full after 17 million rows, and fresh ones fell behind. A
        // Redis of 2 GB was 42 s at writing its log anew, and copied 1.4 GB of its pages meanwhile.
        let (pool_mib, log, rewrite) = form.pick((256, "64M", "64mb"), (8192, "8G", "64gb"));
        let mariadb = MariaDbOptions {
            flush_log_at_commit: 2,
            buffer_pool_mib: pool_mib,
            arguments: vec![format!("--innodb-log-file-size={log}")],
            ..MariaDbOptions::default()
        };
        let kafka = KafkaOptions { long_running: form.pick(false, true), ..KafkaOptions::default() };
        let (kafka, kafka_proxy) = Kafka::start_behind_proxy(kafka).await.unwrap();
        let redis = Redis::start_own(redis(rewrite)).await.unwrap();
        let mariadb = MariaDb::start_own(mariadb).await.unwrap();
        Self { kafka, kafka_proxy, redis, ring: Vec::new(), mariadb }
    }

    /// Overrides for a scenario with topics, keys and a database called `name`, past all proxies.
    pub(crate) async fn overrides(&self, name: &str) -> Vec<String> {
        let database = self.mariadb.database(name).await.unwrap();
        let kafka = self.kafka.direct_address().expect("it stands behind a proxy");
        overrides(name, &kafka, self.redis.url(), &database)
    }

    /// [`overrides`](Self::overrides) with a ring of so many nodes; one is the Redis of all scenarios.
    pub(crate) async fn overrides_of_ring(&mut self, name: &str, nodes: usize) -> Vec<String> {
        let mut overrides = self.overrides(name).await;
        if nodes > 1 {
            let node = |(at, redis): (usize, &Redis)| format!("{{ name = \"n{at}\", url = \"{}\" }}", redis.url());
            let nodes: Vec<String> = self.ring(nodes).await.iter().enumerate().map(node).collect();
            overrides.push(format!("timelines.redis.nodes=[{}]", nodes.join(", ")));
        }
        overrides
    }

    /// The nodes of a ring.
    pub(crate) async fn ring(&mut self, nodes: usize) -> &mut [Redis] {
        while self.ring.len() < nodes {
            self.ring.push(Redis::start_own(redis("64mb")).await.unwrap());
        }
        &mut self.ring[..nodes]
    }
}

/// A killed process leaves what it wrote with the operating system: no sync is needed to survive that.
fn redis(rewrite: &str) -> RedisOptions {
    RedisOptions {
        append_only: true,
        arguments: ["--appendfsync", "no", "--auto-aof-rewrite-min-size", rewrite].map(Into::into).to_vec(),
        ready_timeout: Duration::from_secs(60),
        ..RedisOptions::default()
    }
}

/// How many rows the server at `url` was asked to write since it started; `None` when it does not answer.
pub(crate) async fn row_writes(url: &str) -> Option<u64> {
    let mut connection = MySqlConnection::connect(url).await.ok()?;
    let row = sqlx::query("show global status like 'Handler_write'").fetch_one(&mut connection).await.ok()?;
    row.try_get::<String, _>(1).ok()?.parse().ok()
}

/// The users that have rows in the database at `url`.
pub(crate) async fn users(url: &str) -> Vec<String> {
    let mut connection = MySqlConnection::connect(url).await.unwrap();
    let sql = "select distinct cast(user_id as char) from behaviour order by 1";
    let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Entries that the timelines of each user of the database at `url` must hold, for those that have rows: where none is too
/// old, the newest 200 of each business.
pub(crate) async fn kept(url: &str) -> BTreeMap<String, u64> {
    let mut connection = MySqlConnection::connect(url).await.unwrap();
    let sql = "select cast(user_id as char), cast(sum(least(n, 200)) as unsigned) from \
        (select user_id, business, count(*) as n from behaviour group by user_id, business) as per_line group by user_id";
    let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Rows in the table of the database at `url`, and the sum of their times; `None` when the server does not answer.
pub(crate) async fn rows_and_times(url: &str) -> Option<(u64, i128)> {
    let mut connection = MySqlConnection::connect(url).await.ok()?;
    let sql = "select cast(count(*) as char), cast(coalesce(sum(occurred_at), 0) as char) from behaviour";
    let row = sqlx::query(sql).fetch_one(&mut connection).await.ok()?;
    let text = |column: usize| row.try_get::<String, _>(column).ok();
    Some((text(0)?.parse().ok()?, text(1)?.parse().ok()?))
}
