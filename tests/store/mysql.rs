//! Versioned rows on MariaDB or MySQL.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::migrate::Migrator;
use sqlx::{Connection, Executor, MySqlConnection};
use squall::store::row::Cell;
use squall::store::row::mysql::{MySqlRows, MySqlSettings};
use squall::store::{Rows, StoreError};
use squall::testing::servers::{MariaDb, MariaDbOptions};
use squall::testing::store::row::{Statement, Subject, mysql_migrations, run_all, table};
use squall::{BoxFuture, Class, Classify};

/// How long a test waits for what must come.
const DEADLINE: Duration = Duration::from_secs(60);

struct OnServer {
    server: MariaDb,
    url: String,
}

impl Subject for OnServer {
    fn fresh(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move { self.url = self.server.database("store_conformance").await.unwrap() })
    }

    fn open(
        &mut self,
        statement: Statement,
        migrations: Migrator,
    ) -> BoxFuture<'_, Result<Arc<dyn Rows>, StoreError>> {
        Box::pin(async move {
            let Statement { rows, bytes } = statement;
            let settings = MySqlSettings { batch_rows: rows, batch_bytes: bytes, ..MySqlSettings::new(&self.url) };
            let store = MySqlRows::connect(settings, table(), migrations).await?;
            Ok(Arc::new(store) as Arc<dyn Rows>)
        })
    }

    fn migrations(&self) -> Migrator {
        mysql_migrations()
    }

    fn restart(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if self.server.pid().is_some() {
                self.server.kill().unwrap();
                self.server.restart().await.unwrap();
            }
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms() {
    // A commit is durable when it is answered: the restart of the suite kills the server.
    let options = MariaDbOptions { flush_log_at_commit: 1, ..MariaDbOptions::default() };
    let server = MariaDb::start_with(options).await.unwrap();
    run_all(&mut OnServer { server, url: String::new() }).await;
}

async fn migrated(server: &MariaDb, name: &str, bounds: impl FnOnce(&mut MySqlSettings)) -> (MySqlRows, String) {
    let url = server.database(name).await.unwrap();
    let mut settings = MySqlSettings::new(&url);
    bounds(&mut settings);
    let store = MySqlRows::connect(settings, table(), mysql_migrations()).await.unwrap();
    store.migrate().await.unwrap();
    (store, url)
}

fn row<'a>(user: &'a str, body: &'a [u8]) -> [Cell<'a>; 7] {
    [Cell::Text(user), Cell::Text("e"), Cell::Int(1), Cell::Text(""), Cell::Null, Cell::Null, Cell::Bytes(body)]
}

async fn written(store: &MySqlRows) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match store.upsert(&row("written", b"")).await {
            Ok(refused) => return assert!(refused.is_empty()),
            Err(error) => assert_eq!(error.class(), Class::Retryable, "{error}"),
        }
        assert!(Instant::now() < deadline, "the store does not come back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn statements_stay_below_the_packet_size() {
    let options =
        MariaDbOptions { arguments: vec!["--max-allowed-packet=65536".into()], ..MariaDbOptions::default() };
    let server = MariaDb::start_with(options).await.unwrap();
    if server.pid().is_none() {
        return;
    }
    let (store, _) = migrated(&server, "store_packets", |_| ()).await;
    let (small, large, oversized) = (vec![0; 3000], vec![0; 60_000], vec![0; 65_000]);
    let users: Vec<String> = (0..100).map(|n| format!("u{n}")).collect();
    let bodies = users.iter().enumerate().map(|(n, user)| match n {
        30 => row(user, &large),
        60 => row(user, &oversized),
        _ => row(user, &small),
    });
    let cells: Vec<Cell<'_>> = bodies.flatten().collect();
    let refused = store.upsert(&cells).await.unwrap();
    assert_eq!(refused.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [60]);
    assert!(matches!(refused[0].1, StoreError::BadRow { .. }), "{refused:?}");
    assert_eq!(store.count().await.unwrap(), 99);
}

#[tokio::test]
async fn a_held_row_is_retryable_and_leaves_nothing_open() {
    let server = MariaDb::start().await.unwrap();
    let (store, url) = migrated(&server, "store_locks", |settings| {
        settings.lock_wait_timeout = Duration::from_secs(1);
        settings.batch_rows = 1;
        settings.pool_size = 1;
    })
    .await;
    assert!(store.upsert(&row("held", b"old")).await.unwrap().is_empty());
    let mut holder = MySqlConnection::connect(&url).await.unwrap();
    let mut held = holder.begin().await.unwrap();
    held.execute("SELECT * FROM conformance WHERE user_id = 'held' FOR UPDATE").await.unwrap();
    // Two statements in a transaction, of which the second waits.
    let cells = [row("before", b""), row("held", b"new")].concat();
    let error = store.upsert(&cells).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    assert_eq!(store.count().await.unwrap(), 1, "the first statement is rolled back as well");
    held.rollback().await.unwrap();
    assert!(store.upsert(&cells).await.unwrap().is_empty());
    assert_eq!(store.count().await.unwrap(), 2);
}

#[tokio::test]
async fn a_call_that_was_given_up_leaves_its_connection() {
    let server = MariaDb::start().await.unwrap();
    let (store, url) = migrated(&server, "store_given_up", |settings| {
        settings.statement_timeout = Duration::from_secs(1);
        settings.lock_wait_timeout = Duration::from_secs(60);
        settings.acquire_timeout = Duration::from_secs(20);
        settings.pool_size = 1;
    })
    .await;
    assert!(store.upsert(&row("held", b"old")).await.unwrap().is_empty());
    let mut holder = MySqlConnection::connect(&url).await.unwrap();
    let mut held = holder.begin().await.unwrap();
    held.execute("SELECT * FROM conformance WHERE user_id = 'held' FOR UPDATE").await.unwrap();
    let error = store.upsert(&row("held", b"new")).await.unwrap_err();
    assert!(matches!(error, StoreError::Timeout { .. }), "{error}");
    // The server is still busy with it on the pool's only connection.
    assert_eq!(store.count().await.unwrap(), 1);
    held.rollback().await.unwrap();
    written(&store).await;
}

#[tokio::test]
async fn a_server_that_hangs_or_dies_is_retryable_and_found_again() {
    let mut server = MariaDb::start().await.unwrap();
    if server.pid().is_none() {
        return;
    }
    let (store, _) = migrated(&server, "store_faults", |settings| {
        settings.statement_timeout = Duration::from_millis(500);
        settings.acquire_timeout = Duration::from_millis(500);
        settings.pool_size = 2;
    })
    .await;
    server.suspend().unwrap();
    for _ in 0..3 {
        let error = store.upsert(&row("u", b"")).await.unwrap_err();
        assert!(matches!(error, StoreError::Timeout { .. }), "{error}");
    }
    server.resume().unwrap();
    written(&store).await;
    server.kill().unwrap();
    for _ in 0..3 {
        let error = store.upsert(&row("u", b"")).await.unwrap_err();
        assert_eq!(error.class(), Class::Retryable, "{error}");
    }
    server.restart().await.unwrap();
    written(&store).await;
}

#[tokio::test]
async fn secrets_and_bad_settings_are_not_repeated() {
    let settings = MySqlSettings {
        acquire_timeout: Duration::from_millis(200),
        ..MySqlSettings::new("mysql://user:s3cret@127.0.0.1:1/none")
    };
    assert!(!format!("{settings:?}").contains("s3cret"));
    let error = MySqlRows::connect(settings, table(), mysql_migrations()).await.unwrap_err();
    assert_eq!(error.class(), Class::Retryable, "{error}");
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    for url in ["s3cret", "http://u:s3cret@host/db", "mysql://u:s3cret@host:99999999/db"] {
        let opened = MySqlRows::lazy(MySqlSettings::new(url), table(), mysql_migrations());
        if let Err(error) = opened {
            assert!(matches!(error, StoreError::Config { .. }), "{error}");
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
        }
    }
}
