//! The query service over a real Redis and MariaDB, and over the embedded stores.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use squall::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use squall::broker::{Append, Broker, TopicSpec};
use squall::guard::{Mode, Switch};
use squall::service::read::LagWatch;
use squall::store::row::Cell;
use squall::store::row::mysql::{MySqlRows, MySqlSettings};
use squall::store::row::sqlite::{SqliteRows, SqliteSettings};
use squall::store::timeline::memory::MemoryTimelines;
use squall::store::timeline::redis::{RedisSettings, RedisTimelines};
use squall::store::timeline::{Entry, Limits, Whole};
use squall::store::{Rows, Timelines};
use squall::testing::servers::{MariaDb, Redis};
use tower::ServiceExt;
use user_behaviour::query::read::Sources;
use user_behaviour::query::{QueryConfig, QueryState, router};
use user_behaviour::record::{Attributes, Behaviour, Channel, Decoded};
use user_behaviour::schema::{cells, entry, migrator_mysql, migrator_sqlite, table};

/// 2026-01-01T00:00:00Z.
const BASE: i64 = 1_767_225_600_000;
/// Longest that is waited for what must come.
const LIMIT: Duration = Duration::from_secs(60);

fn record(user: &str, event: i64) -> Decoded {
    let pick = |of: &[&'static str]| of[usize::try_from(event).unwrap() % of.len()];
    let mut attributes = Attributes::default();
    attributes.insert("城市", "上海 🏨");
    attributes.insert("n", event);
    let record = Behaviour {
        event_id: format!("e{event:04}").into(),
        user_id: user.into(),
        app_id: "trip".into(),
        channel: Channel::App,
        business: pick(&["hotel", "flight", "酒店"]).into(),
        action: pick(&["view", "order"]).into(),
        item_id: "item".into(),
        // Several of each time.
        occurred_at: BASE + event / 3 * 60_000,
        attributes,
    };
    Decoded::new(record, i64::MAX).unwrap()
}

struct Servers {
    redis: Redis,
    mariadb: MariaDb,
    rows: Arc<dyn Rows>,
}

impl Servers {
    async fn start(name: &str) -> Self {
        let (redis, mariadb) = (Redis::start().await.unwrap(), MariaDb::start().await.unwrap());
        let url = mariadb.database(name).await.unwrap();
        let rows = MySqlRows::connect(MySqlSettings::new(&url), table(), migrator_mysql()).await.unwrap();
        rows.migrate().await.unwrap();
        rows.check_schema().await.unwrap();
        Self { redis, mariadb, rows: Arc::new(rows) }
    }

    /// Timelines that are nobody else's, as of a node that lost its data.
    async fn timelines(&self, prefix: &str) -> Arc<dyn Timelines> {
        let settings = RedisSettings { prefix: prefix.to_owned(), ..RedisSettings::new(self.redis.url()) };
        Arc::new(RedisTimelines::connect(settings, Limits::default()).await.unwrap())
    }
}

async fn store_rows(rows: &Arc<dyn Rows>, records: &[Decoded]) {
    let mut row: Vec<Cell<'_>> = Vec::new();
    records.iter().for_each(|decoded| cells(decoded, &mut row));
    assert!(rows.upsert(&row).await.unwrap().is_empty());
}

async fn store_timelines(timelines: &Arc<dyn Timelines>, records: &[Decoded]) {
    let entries: Vec<Entry<'_>> = records.iter().map(entry).collect();
    assert!(timelines.apply(&entries).await.unwrap().is_empty());
}

fn service(
    timelines: &Arc<dyn Timelines>,
    rows: &Arc<dyn Rows>,
    switch: &Switch,
    lag: Option<LagWatch>,
) -> axum::Router {
    let config = QueryConfig {
        redis_step_ms: Some(5_000),
        mysql_step_ms: Some(5_000),
        request_ms: Some(20_000),
        ..QueryConfig::default()
    };
    let sources = Sources {
        timelines: timelines.clone(),
        limits: Limits::default(),
        switch: switch.clone(),
        rows: rows.clone(),
    };
    router(QueryState::new(sources, lag, config.settings().unwrap()))
}

async fn get(router: &axum::Router, uri: &str) -> (StatusCode, Value) {
    let response = router.clone().oneshot(Request::get(uri).body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap())
}

/// All pages of a list, and the sources they came from.
async fn pages(router: &axum::Router, filter: &str) -> (Vec<Value>, Vec<Value>) {
    let (mut records, mut sources, mut before) = (Vec::new(), Vec::new(), String::new());
    loop {
        let (status, page) = get(router, &format!("/v1/users/u/behaviours?limit=17{filter}{before}")).await;
        assert_eq!((status, &page["complete"]), (StatusCode::OK, &true.into()), "{page}");
        sources.push(page["source"].clone());
        records.extend(page["records"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => return (records, sources),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_answer_alike_and_a_lost_node_is_repaired() {
    let servers = Servers::start("query").await;
    answers_alike(&servers.rows, servers.timelines("whole:").await, servers.timelines("lost:").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embedded_stores_do_so_too() {
    let dir = tempfile::tempdir().unwrap();
    let (path, settings) = (dir.path().join("rows.sqlite"), SqliteSettings::default());
    let rows: Arc<dyn Rows> =
        Arc::new(SqliteRows::open(&path, settings, table(), migrator_sqlite()).await.unwrap());
    rows.migrate().await.unwrap();
    let timelines = || -> Arc<dyn Timelines> { Arc::new(MemoryTimelines::new(Limits::default())) };
    answers_alike(&rows, timelines(), timelines()).await;
}

/// Over empty stores: pages of every kind from either store, then from one that lost nearly all.
async fn answers_alike(rows: &Arc<dyn Rows>, whole: Arc<dyn Timelines>, lost: Arc<dyn Timelines>) {
    let all: Vec<Decoded> = (0..700).map(|event| record("u", event)).collect();
    store_rows(rows, &all).await;
    store_rows(rows, &(0..50).map(|event| record("U", event)).collect::<Vec<_>>()).await;
    let switch = Switch::new(Mode::Off);
    store_timelines(&whole, &all).await;
    let router = service(&whole, rows, &switch, None);
    // The first read has him compared.
    assert_eq!(get(&router, "/v1/users/u/behaviours").await.1["source"], "mysql");
    let deadline = Instant::now() + LIMIT;
    while whole.read("u", None, 1).await.unwrap().whole != Whole::All {
        assert!(Instant::now() < deadline, "the timelines do not vouch for him");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut expected: Vec<&Decoded> = all.iter().collect();
    expected.sort_by(|a, b| b.record().version().cmp(&a.record().version()));
    for (filter, business, action) in [
        ("", None, None),
        ("&business=hotel", Some("hotel"), None),
        ("&business=%E9%85%92%E5%BA%97", Some("酒店"), None),
        ("&action=order", None, Some("order")),
        ("&business=flight&action=view", Some("flight"), Some("view")),
        ("&business=none", Some("none"), None),
    ] {
        let wanted = expected.iter().map(|decoded| decoded.record()).filter(|record| {
            business.is_none_or(|is| record.business == is) && action.is_none_or(|is| record.action == is)
        });
        let wanted: Vec<Value> = wanted.map(|record| serde_json::to_value(record).unwrap()).collect();
        switch.set(Mode::Off);
        let (records, sources) = pages(&router, filter).await;
        assert_eq!(records, wanted, "{filter}, {sources:?}");
        assert!(wanted.is_empty() || sources[0] == "redis", "{filter}: {sources:?}");
        switch.set(Mode::On);
        let (records, sources) = pages(&router, filter).await;
        assert_eq!(records, wanted, "{filter}, the timelines switched off");
        assert!(sources.iter().all(|source| source == "mysql"));
    }

    store_timelines(&lost, &all[650..653]).await;
    let router = service(&lost, rows, &Switch::new(Mode::Off), None);
    let (_, first) = get(&router, "/v1/users/u/behaviours?limit=50").await;
    assert_eq!(first["source"], "mysql");
    let deadline = Instant::now() + LIMIT;
    loop {
        let same = lost.timeline("u", None, 700).await.unwrap() == whole.timeline("u", None, 700).await.unwrap()
            && lost.profile("u").await.unwrap() == whole.profile("u").await.unwrap();
        if same {
            break;
        }
        assert!(Instant::now() < deadline, "the timelines are not what they were");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (_, again) = get(&router, "/v1/users/u/behaviours?limit=50").await;
    assert_eq!((&again["source"], &again["records"]), (&"redis".into(), &first["records"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_die_leave_what_the_other_has_and_the_lag_is_told() {
    let mut servers = Servers::start("query_faults").await;
    if servers.redis.pid().is_none() || servers.mariadb.pid().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let broker: Arc<dyn Broker> =
        Arc::new(EmbeddedBroker::open(dir.path(), EmbeddedSettings::for_tests()).unwrap());
    broker.create_topic(&TopicSpec::new("behaviour", 2)).await.unwrap();
    let record_of =
        |partition| Append { partition: Some(partition), value: Some("{}".into()), ..Append::default() };
    broker.producer().unwrap().append("behaviour", vec![record_of(0), record_of(1), record_of(1)]).await.unwrap();
    let lag = LagWatch::start(broker.clone(), "behaviour", "topology", Duration::from_secs(1));

    let all: Vec<Decoded> = (0..40).map(|event| record("u", event)).collect();
    store_rows(&servers.rows, &all).await;
    let redis = servers.timelines("faults:").await;
    store_timelines(&redis, &all[10..]).await;
    let router = service(&redis, &servers.rows, &Switch::new(Mode::Off), Some(lag));
    let deadline = Instant::now() + LIMIT;
    while get(&router, "/v1/users/u/profile").await.1["freshness"]["lag"] != json!(3) {
        assert!(Instant::now() < deadline, "the lag is not told");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    servers.mariadb.kill().unwrap();
    let (status, part) = get(&router, "/v1/users/u/behaviours?limit=40").await;
    assert_eq!((status, &part["source"], &part["complete"]), (StatusCode::OK, &"redis".into(), &false.into()));
    assert_eq!(part["records"].as_array().unwrap().len(), 30);
    servers.redis.kill().unwrap();
    let (status, problem) = get(&router, "/v1/users/u/behaviours?limit=40").await;
    assert_eq!((status, &problem["code"]), (StatusCode::SERVICE_UNAVAILABLE, &"store_unavailable".into()));
    servers.mariadb.restart().await.unwrap();
    let deadline = Instant::now() + LIMIT;
    loop {
        let (status, page) = get(&router, "/v1/users/u/behaviours?limit=40").await;
        if status == StatusCode::OK {
            assert_eq!((&page["source"], page["records"].as_array().unwrap().len()), (&"mysql".into(), 40));
            break;
        }
        assert!(Instant::now() < deadline, "the rows are not found again: {page}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
