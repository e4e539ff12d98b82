//! Timelines on Redis.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use squall::store::timeline::redis::{RedisSettings, RedisTimelines};
use squall::store::timeline::{Entry, Limits, Whole};
use squall::store::{StoreError, Timelines};
use squall::testing::servers::{Redis, RedisOptions};
use squall::testing::store::timeline::{Subject, run_all};
use squall::{BoxFuture, Class, Classify};

/// How long a test waits for what must come.
const DEADLINE: Duration = Duration::from_secs(30);

const ENTRY: Entry<'static> =
    Entry { owner: "u", line: "l", action: "a", id: "i", at_ms: 1, body: "酒店".as_bytes() };

/// Settings with a prefix of their own.
fn settings(server: &Redis) -> RedisSettings {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let prefix = format!("test[*]-{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
    RedisSettings { prefix, ..RedisSettings::new(server.url()) }
}

async fn call<T: redis::FromRedisValue>(server: &Redis, words: &[&str]) -> T {
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    command.query_async(&mut connection).await.unwrap()
}

async fn written(store: &RedisTimelines) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match store.apply(&[ENTRY]).await {
            Ok(refused) => return assert!(refused.is_empty()),
            Err(error) => assert_eq!(error.class(), Class::Retryable, "{error}"),
        }
        assert!(Instant::now() < deadline, "the store does not come back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

struct OnServer {
    server: Redis,
    settings: RedisSettings,
    limits: Limits,
}

impl OnServer {
    async fn open(&self) -> Arc<dyn Timelines> {
        Arc::new(RedisTimelines::connect(self.settings.clone(), self.limits).await.unwrap())
    }
}

impl Subject for OnServer {
    fn fresh(&mut self, limits: Limits) -> BoxFuture<'_, Arc<dyn Timelines>> {
        Box::pin(async move {
            (self.settings, self.limits) = (settings(&self.server), limits);
            self.open().await
        })
    }

    fn restart(&mut self) -> BoxFuture<'_, Option<Arc<dyn Timelines>>> {
        Box::pin(async move {
            if self.server.pid().is_some() {
                self.server.kill().unwrap();
                self.server.restart().await.unwrap();
            }
            Some(self.open().await)
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms() {
    let options = RedisOptions { append_only: true, ..RedisOptions::default() };
    let server = Redis::start_with(options).await.unwrap();
    let settings = settings(&server);
    run_all(&mut OnServer { server, settings, limits: Limits::default() }).await;
}

/// It may have lost what it had not written to its disk.
#[tokio::test]
async fn a_server_that_was_started_again_vouches_for_nobody() {
    let options = RedisOptions { append_only: true, ..RedisOptions::default() };
    let mut server = Redis::start_with(options).await.unwrap();
    if server.pid().is_none() {
        return;
    }
    let store = RedisTimelines::connect(settings(&server), Limits::default()).await.unwrap();
    assert!(store.apply(&[ENTRY]).await.unwrap().is_empty());
    let read = async || loop {
        // The first call after a restart finds the connection gone.
        if let Ok(read) = store.read("u", None, 9).await {
            break (read.entries.len(), read.whole);
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let begin = async |repair| store.begin_repair("u", repair).await.unwrap();
    let end = async |repair| store.end_repair("u", repair, Whole::All).await.unwrap();
    assert!(begin(1).await == Some(1) && end(1).await);
    assert_eq!(read().await, (1, Whole::All));
    server.kill().unwrap();
    server.restart().await.unwrap();
    assert_eq!(read().await, (1, Whole::Unknown));
    assert_eq!(store.profile("u").await.unwrap().unwrap().whole, Whole::Unknown);
    // Nor does a repair end in another run than it began in, or is taken part in.
    assert_eq!(begin(2).await, Some(2));
    server.kill().unwrap();
    server.restart().await.unwrap();
    assert_eq!(read().await, (1, Whole::Unknown));
    assert!(!end(2).await);
    assert!(begin(3).await == Some(3) && end(3).await);
    assert_eq!(store.profile("u").await.unwrap().unwrap().whole, Whole::All);
    call::<()>(&server, &["FLUSHALL"]).await;
    assert!(store.apply(&[ENTRY]).await.unwrap().is_empty());
    assert_eq!(read().await, (1, Whole::Unknown));
}

/// A user of the server may be kept from asking it about itself.
#[tokio::test]
async fn a_server_that_does_not_tell_of_itself_is_used_all_the_same() {
    let server = Redis::start().await.unwrap();
    if server.pid().is_none() {
        return;
    }
    call::<()>(&server, &["ACL", "SETUSER", "default", "-info"]).await;
    let store = RedisTimelines::connect(settings(&server), Limits::default()).await.unwrap();
    assert!(store.apply(&[ENTRY]).await.unwrap().is_empty());
    assert_eq!(store.begin_repair("u", 1).await.unwrap(), Some(1));
    assert!(store.end_repair("u", 1, Whole::All).await.unwrap());
    assert_eq!(store.read("u", None, 9).await.unwrap().whole, Whole::All);
}

#[tokio::test]
async fn a_server_that_forgot_the_scripts_gets_them_again() {
    let server = Redis::start().await.unwrap();
    let store = RedisTimelines::connect(settings(&server), Limits::default()).await.unwrap();
    for _ in 0..2 {
        call::<()>(&server, &["SCRIPT", "FLUSH"]).await;
        assert!(store.apply(&[ENTRY]).await.unwrap().is_empty());
        call::<()>(&server, &["SCRIPT", "FLUSH"]).await;
        assert_eq!(store.timeline("u", None, 9).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn all_keys_of_an_owner_share_a_slot_and_one_expiry() {
    let server = Redis::start().await.unwrap();
    let settings = settings(&server);
    let limits = Limits { count_days: 2, ..Limits::default() };
    let store = RedisTimelines::connect(settings.clone(), limits).await.unwrap();
    for day in 0..5 {
        let entry = Entry { owner: "a}{b%", at_ms: day * 86_400_000, ..ENTRY };
        store.apply(&[entry, Entry { line: "m", ..entry }]).await.unwrap();
    }
    let keys: Vec<String> = call(&server, &["KEYS", "test*"]).await;
    let keys: Vec<String> = keys.into_iter().filter(|key| key.starts_with(&settings.prefix)).collect();
    assert_eq!(keys.len(), 1 + 2 * 2 + 2, "two lines and two days: {keys:?}");
    let mut expiries = std::collections::BTreeSet::new();
    for key in &keys {
        assert!(key.starts_with(&format!("{}:{{a%7D{{b%25}}", settings.prefix)), "{key}");
        expiries.insert(call::<i64>(&server, &["EXPIRETIME", key]).await);
    }
    assert_eq!(expiries.len(), 1, "{expiries:?}");
    let (now, _): (i64, i64) = call(&server, &["TIME"]).await;
    let left = (expiries.pop_first().unwrap() - now) / 86_400;
    assert!((90..=101).contains(&left), "{left} days");
}

#[tokio::test]
async fn a_full_server_is_not_the_fault_of_the_record() {
    let options =
        RedisOptions { arguments: ["--maxmemory", "3mb"].map(String::from).into(), ..Default::default() };
    let server = Redis::start_with(options).await.unwrap();
    if server.pid().is_none() {
        return;
    }
    let store = RedisTimelines::connect(settings(&server), Limits::default()).await.unwrap();
    let body = vec![7; 100_000];
    let mut stored = 0;
    let error = loop {
        let owner = format!("u{stored}");
        match store.apply(&[Entry { owner: &owner, body: &body, ..ENTRY }]).await {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 1000, "the server must fill up");
    };
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    assert_eq!(store.owners().await.unwrap(), stored, "the refused write left nothing behind");
    call::<()>(&server, &["CONFIG", "SET", "maxmemory", "0"]).await;
    written(&store).await;
}

#[tokio::test]
async fn a_server_that_hangs_or_dies_is_retryable_and_found_again() {
    let mut server = Redis::start().await.unwrap();
    if server.pid().is_none() {
        return;
    }
    let settings = RedisSettings { response_timeout: Duration::from_millis(200), ..settings(&server) };
    let store = RedisTimelines::connect(settings, Limits::default()).await.unwrap();
    server.suspend().unwrap();
    let error = store.apply(&[ENTRY]).await.unwrap_err();
    assert!(matches!(error, StoreError::Timeout { .. }), "{error}");
    server.resume().unwrap();
    written(&store).await;
    server.kill().unwrap();
    for _ in 0..5 {
        let error = store.apply(&[ENTRY]).await.unwrap_err();
        assert_eq!(error.class(), Class::Retryable, "{error}");
    }
    server.restart().await.unwrap();
    written(&store).await;
}

#[tokio::test]
async fn secrets_and_bad_settings_are_not_repeated() {
    let settings = RedisSettings::new("redis://user:s3cret@127.0.0.1:1/0");
    assert!(!format!("{settings:?}").contains("s3cret"));
    let error = RedisTimelines::connect(settings, Limits::default()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    for url in ["s3cret", "http://:s3cret@host", "redis://:s3cret@host:99999999"] {
        let error = RedisTimelines::lazy(RedisSettings::new(url), Limits::default()).unwrap_err();
        assert!(matches!(error, StoreError::Config { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    }
    let braces = RedisSettings { prefix: "a{b".into(), ..RedisSettings::new("redis://127.0.0.1") };
    assert!(RedisTimelines::lazy(braces, Limits::default()).is_err());
}
