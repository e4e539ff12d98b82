//! What the server gets over, and what an administrator has to mend.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection};
use squall::store::row::mysql::MySqlSettings;
use squall::store::{Rows, StoreError};
use squall::testing::{Fault, FaultProxy};
use squall::{Class, Sink};
use tokio::sync::Mutex;

use super::super::{DEADLINE, failed, stored, write};
use super::{Line, database, line, names, number, open, own, settings, shared};

/// The server shows who waits as it was when nobody had asked for a tenth of a second: only one test asks at a time, and
/// rarely.
static ASKING: Mutex<()> = Mutex::const_new(());
const RARELY: Duration = Duration::from_millis(200);

/// Runs a write until it waits for a row that somebody else holds, then `then`; what came of the write.
async fn while_waiting<S: Sink<In = Line>>(
    url: &str,
    sink: &mut S,
    lines: &[Line],
    then: impl AsyncFnOnce(i64),
) -> Result<squall::Rejected, squall::Error> {
    let mut watch = MySqlConnection::connect(url).await.unwrap();
    let waiting = async {
        let deadline = Instant::now() + DEADLINE;
        let query = "SELECT trx_mysql_thread_id FROM information_schema.innodb_trx t
            JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id
            WHERE trx_state = 'LOCK WAIT' AND p.db = DATABASE()";
        let asking = ASKING.lock().await;
        let session = loop {
            tokio::time::sleep(RARELY).await;
            let session: Option<u64> = sqlx::query_scalar(query).fetch_optional(&mut watch).await.unwrap();
            if let Some(session) = session {
                break session.cast_signed();
            }
            assert!(Instant::now() < deadline, "the write must wait");
        };
        drop(asking);
        then(session).await;
    };
    tokio::join!(write(sink, lines), waiting).0
}

fn assert_retryable(result: Result<squall::Rejected, squall::Error>, signs: &[&str]) {
    let error = result.unwrap_err();
    assert_eq!(error.class(), Class::Retryable, "{error:?}");
    let text = error.to_string();
    assert!(signs.iter().any(|sign| text.contains(sign)), "{text} says none of {signs:?}");
}

#[tokio::test]
async fn a_deadlock_is_retryable_and_leaves_nothing_behind() {
    let (url, mut admin) = database(shared().await, "deadlock").await;
    let (store, mut sink) = open(MySqlSettings { batch_rows: 1, ..settings(&url) });
    let both = [line("a", 1, ""), line("b", 1, "")];
    stored(&mut sink, &both).await;
    // The server gives up the one that has written less.
    let mut other = admin.begin().await.unwrap();
    for n in 0..50 {
        other.execute(AssertSqlSafe(format!("INSERT INTO tuples VALUES ('other{n}', 1, NULL)"))).await.unwrap();
    }
    other.execute("UPDATE tuples SET number = 5 WHERE name = 'b'").await.unwrap();
    let newer = [line("a", 2, ""), line("b", 2, "")];
    let result = while_waiting(&url, &mut sink, &newer, async |_| {
        other.execute("UPDATE tuples SET number = 5 WHERE name = 'a'").await.unwrap();
    });
    assert_retryable(result.await, &["(1213)"]);
    other.rollback().await.unwrap();
    assert_eq!(number(&mut admin, "SELECT CAST(SUM(number) AS SIGNED) FROM tuples".into()).await, 2);
    stored(&mut sink, &newer).await;
    assert_eq!(store.count().await.unwrap(), 2);
}

#[tokio::test]
async fn a_held_row_is_retryable_after_the_lock_wait() {
    let (url, mut admin) = database(shared().await, "lock_wait").await;
    let (_, mut sink) = open(MySqlSettings { lock_wait_timeout: Duration::from_secs(1), ..settings(&url) });
    let one = [line("a", 1, "")];
    stored(&mut sink, &one).await;
    let mut other = admin.begin().await.unwrap();
    other.execute("SELECT * FROM tuples FOR UPDATE").await.unwrap();
    failed(&mut sink, &one, Class::Retryable, "(1205)").await;
    other.rollback().await.unwrap();
    stored(&mut sink, &one).await;
}

#[tokio::test]
async fn a_killed_statement_and_a_killed_session_are_retryable() {
    let (url, mut admin) = database(shared().await, "killed").await;
    let (_, mut sink) = open(settings(&url));
    let one = [line("a", 1, "")];
    stored(&mut sink, &one).await;
    for (what, signs) in [("KILL QUERY", &["(1317)"][..]), ("KILL", &["(1927)", "(2013)", "cannot reach mysql"])] {
        let mut other = admin.begin().await.unwrap();
        other.execute("SELECT * FROM tuples FOR UPDATE").await.unwrap();
        let result = while_waiting(&url, &mut sink, &one, async |session| {
            other.execute(AssertSqlSafe(format!("{what} {session}"))).await.unwrap();
        });
        assert_retryable(result.await, signs);
        other.rollback().await.unwrap();
        stored(&mut sink, &one).await;
    }
}

#[tokio::test]
async fn a_server_that_goes_away_is_retryable() {
    let mut server = own(&[]).await;
    let (url, _admin) = database(&server, "gone").await;
    let (_, mut sink) = open(settings(&url));
    let one = [line("a", 1, "")];
    stored(&mut sink, &one).await;
    server.kill().unwrap();
    for _ in 0..2 {
        assert_retryable(write(&mut sink, &one).await, &["cannot reach mysql", "took longer"]);
    }
    server.restart().await.unwrap();
    stored(&mut sink, &one).await;

    let proxy = FaultProxy::start(server.socket_address().unwrap());
    let (store, mut sink) =
        open(MySqlSettings { statement_timeout: Duration::from_millis(500), ..settings(&proxy.reroute(&url)) });
    stored(&mut sink, &one).await;
    for (fault, name) in [(Fault::BlackHole, "hole"), (Fault::DropReplies, "deaf"), (Fault::Cut, "cut")] {
        proxy.set(fault);
        assert_retryable(write(&mut sink, &[line(name, 1, "")]).await, &["cannot reach mysql", "took longer"]);
        proxy.set(Fault::None);
        stored(&mut sink, &[line(name, 1, "")]).await;
    }
    assert_eq!(names(&store).await, ["a", "cut", "deaf", "hole"]);
}

#[tokio::test]
async fn a_read_only_server_is_retryable_and_asked_on_a_new_connection() {
    let server = own(&[]).await;
    let (url, mut admin) = database(&server, "read_only").await;
    admin.execute("CREATE USER plain@'%' IDENTIFIED BY 'p'").await.unwrap();
    admin.execute("GRANT SELECT, INSERT, UPDATE ON squall_test_read_only.* TO plain@'%'").await.unwrap();
    let (_, mut sink) = open(settings(&url.replace("root@", "plain:p@")));
    let one = [line("a", 1, "")];
    stored(&mut sink, &one).await;
    admin.execute("SET GLOBAL read_only = 1").await.unwrap();
    failed(&mut sink, &one, Class::Retryable, "(1290)").await;
    admin.execute("SET GLOBAL read_only = 0").await.unwrap();
    stored(&mut sink, &one).await;

    // What nobody but an administrator mends. A session keeps the privileges that it began with.
    admin.execute("REVOKE INSERT ON squall_test_read_only.* FROM plain@'%'").await.unwrap();
    let (_, mut sink) = open(settings(&url.replace("root@", "plain:p@")));
    failed(&mut sink, &one, Class::Fatal, "(1142)").await;
    admin.execute("ALTER USER plain@'%' IDENTIFIED BY 'other'").await.unwrap();
    let (_, mut sink) = open(settings(&url.replace("root@", "plain:p@")));
    failed(&mut sink, &one, Class::Fatal, "(1045)").await;
}

#[tokio::test]
async fn a_full_disk_is_retryable() {
    // All tables in one file that may not grow, as on a device that is full.
    let server = own(&["--innodb-data-file-path=ibdata1:12M", "--innodb-file-per-table=0"]).await;
    let (url, mut admin) = database(&server, "full").await;
    admin.execute("ALTER TABLE tuples DROP KEY only_one_text").await.unwrap();
    let (store, mut sink) = open(settings(&url));
    let text = "x".repeat(2000);
    let mut batches = 0;
    let error = loop {
        let lines: Vec<Line> = (0..100).map(|n| (&*format!("{batches}-{n}").leak(), 1, text.clone())).collect();
        match write(&mut sink, &lines).await {
            Ok(rejected) => assert!(rejected.is_empty(), "{rejected:?}"),
            Err(error) => break error,
        }
        batches += 1;
        assert!(batches < 1000, "the file must fill up");
    };
    assert_retryable(Err(error), &["(1114)"]);
    assert_eq!(store.count().await.unwrap(), batches * 100, "what was refused left nothing behind");
    admin.execute("TRUNCATE TABLE tuples").await.unwrap();
    stored(&mut sink, &[line("a", 1, "")]).await;
}

#[tokio::test]
async fn no_more_connections_is_retryable() {
    let server = own(&["--max-connections=10"]).await;
    let (url, _admin) = database(&server, "connections").await;
    let mut taken = Vec::new();
    while let Ok(connection) = MySqlConnection::connect(&url).await {
        taken.push(connection);
        assert!(taken.len() < 100, "the server must run out of connections");
    }
    let (_, mut sink) = open(settings(&url));
    let one = [line("a", 1, "")];
    let error = write(&mut sink, &one).await.unwrap_err();
    assert_eq!(error.class(), Class::Retryable, "{error:?}");
    let source = error.source().downcast_ref::<StoreError>().unwrap();
    assert!(matches!(source, StoreError::Timeout { .. } | StoreError::Unavailable { .. }), "{source:?}");
    taken.clear();
    stored(&mut sink, &one).await;
}
