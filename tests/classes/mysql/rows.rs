//! What is wrong with a row, and with the table.

use std::time::Instant;

use sqlx::{AssertSqlSafe, Executor};
use squall::Class;
use squall::store::Rows;
use squall::store::row::mysql::MySqlSettings;

use super::super::{DEADLINE, failed, poisoned, stored, write};
use super::{Line, database, line, names, number, open, own, settings, shared};

#[tokio::test]
async fn poison_among_many_rows_is_that_row_and_the_others_are_stored() {
    let (url, _admin) = database(shared().await, "poison").await;
    let (store, mut sink) = open(settings(&url));
    let names_of_lines: Vec<&'static str> = (0..300).map(|n| &*format!("{n:03}").leak()).collect();
    let mut lines: Vec<Line> = names_of_lines.iter().map(|name| line(name, 1, "")).collect();
    lines[7] = line("007", 128, "");
    lines[50] = line("050", 1, &"x".repeat(2001));
    lines[51] = line("051", 13, "");
    lines[200] = line("200", 1, "酒店");
    for batch_rows in [512, 64, 1] {
        let (_, mut sink) = open(MySqlSettings { batch_rows, ..settings(&url) });
        assert_eq!(poisoned(&mut sink, &lines).await, [7, 50, 51, 200]);
        assert_eq!(store.count().await.unwrap(), 296);
    }
    for (at, number) in [(7, "(1264)"), (50, "(1406)"), (51, "(4025)"), (200, "(1366)")] {
        let error = write(&mut sink, &lines[at..=at]).await.unwrap().into_iter().next().unwrap().1;
        assert!(error.to_string().contains(number), "{error:?} has not {number}");
    }
}

#[tokio::test]
async fn a_row_that_duplicates_another_by_a_second_key_is_poison() {
    let (url, _admin) = database(shared().await, "duplicate").await;
    let (store, mut sink) = open(settings(&url));
    stored(&mut sink, &[line("a", 1, "ta"), line("b", 1, "tb")]).await;
    let lines = [line("c", 1, "tc"), line("a", 2, "tb"), line("d", 1, "td")];
    assert_eq!(poisoned(&mut sink, &lines).await, [1]);
    let error = write(&mut sink, &lines[1..2]).await.unwrap().into_iter().next().unwrap().1;
    assert!(error.to_string().contains("(1062)"), "{error:?}");
    assert_eq!(names(&store).await, ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn another_schema_is_fatal() {
    let (url, mut admin) = database(shared().await, "schema").await;
    let (_, mut sink) = open(settings(&url));
    let one = [line("a", 1, "")];
    stored(&mut sink, &one).await;
    admin.execute("ALTER TABLE tuples DROP COLUMN text").await.unwrap();
    failed(&mut sink, &one, Class::Fatal, "(1054)").await;
    admin.execute("DROP TABLE tuples").await.unwrap();
    failed(&mut sink, &one, Class::Fatal, "(1146)").await;
}

#[tokio::test]
async fn a_packet_size_that_shrinks_is_noticed_and_an_oversized_row_is_poison() {
    let server = own(&["--max-allowed-packet=16M"]).await;
    let (url, mut admin) = database(&server, "packets").await;
    admin.execute("ALTER TABLE tuples DROP KEY only_one_text, MODIFY text MEDIUMTEXT").await.unwrap();
    let (store, mut sink) = open(settings(&url));
    let text = |bytes: usize| "x".repeat(bytes);
    stored(&mut sink, &[line("a", 1, &text(1000))]).await;
    admin.execute("SET GLOBAL max_allowed_packet = 1048576").await.unwrap();
    // A session keeps the size that it began with.
    let sessions = "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()";
    let session: i64 = number(&mut admin, sessions.into()).await;
    admin.execute(AssertSqlSafe(format!("KILL {session}"))).await.unwrap();
    let lines: Vec<Line> =
        (0..20).map(|n| (&*format!("{n:02}").leak(), 1, text(if n == 4 { 3_000_000 } else { 100_000 }))).collect();
    let deadline = Instant::now() + DEADLINE;
    let refused = loop {
        match write(&mut sink, &lines).await {
            Ok(rejected) => break rejected,
            Err(error) => assert_eq!(error.class(), Class::Retryable, "{error:?}"),
        }
        assert!(Instant::now() < deadline, "the new size must be noticed");
    };
    let refused: Vec<_> = refused.into_iter().map(|(at, error)| (at, error.class())).collect();
    assert_eq!(refused, [(4, Class::Poison)]);
    assert_eq!(store.count().await.unwrap(), 20);
    // From now on it is known before anything is sent.
    let error = write(&mut sink, &lines[4..5]).await.unwrap().into_iter().next().unwrap().1;
    assert!(error.to_string().contains("a statement may have"), "{error:?}");
}
