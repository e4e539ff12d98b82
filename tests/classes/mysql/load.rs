//! How busy the servers are, which is no error: what they say of it.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection};
use squall::store::{Rows, ServerLoad};

use super::{MySqlRows, MySqlSettings, database, mysql_migrations, own, table};
use crate::DEADLINE;

async fn load_until(rows: &MySqlRows, holds: impl Fn(&ServerLoad) -> bool) -> ServerLoad {
    let began = Instant::now();
    loop {
        let load = rows.load().await.unwrap();
        if holds(&load) {
            return load;
        }
        assert!(began.elapsed() < DEADLINE, "{load:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A primary with queries that run, and a replica that applies what it gets an hour later.
#[tokio::test]
async fn running_threads_and_the_lag_of_replicas_are_read_as_far_as_they_can_be() {
    let (primary, replica) = tokio::join!(own(&["--server-id=1", "--log-bin=log"]), own(&["--server-id=2"]));
    let (url, mut admin) = database(&primary, "load").await;
    let settings = MySqlSettings { replicas: vec![replica.url().to_owned()], ..MySqlSettings::new(&url) };
    let rows = MySqlRows::lazy(settings, table(), mysql_migrations()).unwrap();

    let quiet = rows.load().await.unwrap();
    assert!(quiet.threads_running.is_some_and(|threads| threads > 0), "{quiet:?}");
    assert_eq!(quiet.replication_lag, None, "it replicates nothing");

    let sleepers: Vec<_> = (0..5)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move {
                let mut connection = MySqlConnection::connect(&url).await.unwrap();
                connection.execute("SELECT SLEEP(600)").await.map(drop)
            })
        })
        .collect();
    load_until(&rows, |load| load.threads_running >= Some(6)).await;
    sleepers.iter().for_each(tokio::task::JoinHandle::abort);

    let mut standby = MySqlConnection::connect(replica.url()).await.unwrap();
    let port = primary.socket_address().unwrap().port();
    let source = format!(
        "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {port}, MASTER_USER = 'root', MASTER_DELAY = 3600"
    );
    // Safe: a number is all that is filled in.
    standby.execute(AssertSqlSafe(source)).await.unwrap();
    standby.execute("START SLAVE").await.unwrap();
    admin.execute("INSERT INTO tuples VALUES ('a', 1, 'late')").await.unwrap();
    load_until(&rows, |load| load.replication_lag > Some(Duration::ZERO)).await;

    standby.execute("STOP SLAVE").await.unwrap();
    load_until(&rows, |load| load.replication_lag.is_none()).await;
    let mut gone = replica;
    gone.kill().unwrap();
    let load = load_until(&rows, |load| load.replication_lag.is_none()).await;
    assert!(load.threads_running.is_some(), "a replica that is away says nothing, the primary does: {load:?}");
    drop(primary);
}
