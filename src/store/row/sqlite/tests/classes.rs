//! What the file can do to a write: its class, and which rows are blamed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, SqliteConnection};

use super::super::super::{Cell, ColumnType::*, RowSink, Rows, Table};
use super::super::{SqliteRows, SqliteSettings};
use crate::testing::store::row::sqlite_migrations;
use crate::topology::{Class, Rejected, Result, Sink};

/// A tuple: key, number, text.
type Line = (String, i64, String);

/// Rules that the store is not told.
const TABLE: &str = "CREATE TABLE lines (
    name TEXT NOT NULL PRIMARY KEY,
    number INTEGER CHECK (number <> 13),
    text TEXT UNIQUE CHECK (length(text) < 3000)
) WITHOUT ROWID";

fn line(name: &str, number: i64, text: &str) -> Line {
    (name.to_owned(), number, text.to_owned())
}

fn cells<'a>(line: &'a Line, out: &mut Vec<Cell<'a>>) {
    let text = if line.2.is_empty() { Cell::Null } else { Cell::Text(&line.2) };
    out.extend([Cell::Text(&line.0), Cell::Int(line.1), text]);
}

/// A store with the table, its sink, and a connection of somebody else.
async fn open(
    folder: &Path,
    settings: SqliteSettings,
) -> (Arc<SqliteRows>, impl Sink<In = Line>, SqliteConnection) {
    let path = folder.join("rows.sqlite");
    let table = Table::new("lines").key("name", Text(64)).value("number", Int).value("text", Text(1 << 20));
    let store = Arc::new(SqliteRows::open(&path, settings, table, sqlite_migrations()).await.unwrap());
    let mut other = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    other.execute(TABLE).await.unwrap();
    let shared: Arc<dyn Rows> = store.clone();
    (store, RowSink::new(shared, cells), other)
}

async fn write<S: Sink<In = Line>>(sink: &mut S, lines: &[Line]) -> Result<Rejected> {
    sink.write(&lines.iter().collect::<Vec<_>>()).await
}

async fn stored<S: Sink<In = Line>>(sink: &mut S, lines: &[Line]) {
    let rejected = write(sink, lines).await.unwrap();
    assert!(rejected.is_empty(), "{rejected:?}");
}

async fn failed<S: Sink<In = Line>>(sink: &mut S, lines: &[Line], class: Class, sign: &str) {
    let error = write(sink, lines).await.unwrap_err();
    assert_eq!(error.class(), class, "{error:?}");
    assert!(error.to_string().contains(sign), "{error:?} does not say {sign}");
}

/// Sets what only the connection that writes has.
async fn pragma(store: &SqliteRows, text: &'static str) {
    store.writer.execute(AssertSqlSafe(format!("PRAGMA {text}"))).await.unwrap();
}

#[tokio::test]
async fn poison_among_many_rows_is_that_row_and_the_others_are_stored() {
    let folder = tempfile::tempdir().unwrap();
    let mut lines: Vec<Line> = (0..300).map(|n| line(&format!("{n:03}"), 1, "")).collect();
    lines[7].1 = 13;
    lines[200].2 = "x".repeat(3000);
    lines[100].2 = "taken".to_owned();
    let (store, mut sink, _) = open(folder.path(), SqliteSettings::default()).await;
    stored(&mut sink, &[line("100", 1, "own"), line("first", 1, "taken")]).await;
    let table = store.table().clone();
    for batch_rows in [512, 64, 1] {
        let settings = SqliteSettings { batch_rows, ..SqliteSettings::default() };
        let path = folder.path().join("rows.sqlite");
        let store = SqliteRows::open(&path, settings, table.clone(), sqlite_migrations()).await.unwrap();
        let mut sink = RowSink::new(Arc::new(store), cells);
        let rejected = write(&mut sink, &lines).await.unwrap();
        let blamed: Vec<_> = rejected.iter().map(|(at, error)| (*at, error.class())).collect();
        assert_eq!(blamed, [(7, Class::Poison), (100, Class::Poison), (200, Class::Poison)], "{batch_rows}");
    }
    assert_eq!(store.count().await.unwrap(), 300 - 2 + 1);
}

#[tokio::test]
async fn a_lock_of_another_process_is_retryable() {
    let folder = tempfile::tempdir().unwrap();
    let settings = SqliteSettings { busy_timeout: Duration::from_millis(50), ..SqliteSettings::default() };
    for batch_rows in [512, 1] {
        let folder = folder.path().join(batch_rows.to_string());
        std::fs::create_dir(&folder).unwrap();
        let (_, mut sink, mut other) = open(&folder, SqliteSettings { batch_rows, ..settings.clone() }).await;
        let lines = [line("a", 1, ""), line("b", 1, "")];
        stored(&mut sink, &lines).await;
        other.execute("BEGIN IMMEDIATE").await.unwrap();
        failed(&mut sink, &lines, Class::Retryable, "database is locked").await;
        other.execute("ROLLBACK").await.unwrap();
        stored(&mut sink, &lines).await;
    }
}

#[tokio::test]
async fn a_file_that_may_not_grow_stops_the_program_and_keeps_what_was_stored() {
    let folder = tempfile::tempdir().unwrap();
    let (store, mut sink, _) = open(folder.path(), SqliteSettings::default()).await;
    stored(&mut sink, &[line("before", 1, "")]).await;
    pragma(&store, "max_page_count = 10").await;
    let lines: Vec<Line> = (0..100).map(|n| line(&n.to_string(), 1, &format!("{n:02000}"))).collect();
    failed(&mut sink, &lines, Class::Fatal, "the disk is full").await;
    assert_eq!(store.count().await.unwrap(), 1);
    pragma(&store, "max_page_count = 1000000").await;
    stored(&mut sink, &lines).await;
}

#[tokio::test]
async fn a_file_that_may_not_be_written_stops_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let (store, mut sink, _) = open(folder.path(), SqliteSettings::default()).await;
    pragma(&store, "query_only = ON").await;
    failed(&mut sink, &[line("a", 1, "")], Class::Fatal, "cannot use the file").await;
    pragma(&store, "query_only = OFF").await;
    stored(&mut sink, &[line("a", 1, "")]).await;
}

#[tokio::test]
async fn another_schema_stops_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let (_, mut sink, mut other) = open(folder.path(), SqliteSettings::default()).await;
    let one = [line("a", 1, "")];
    stored(&mut sink, &one).await;
    other.execute("ALTER TABLE lines DROP COLUMN number").await.unwrap();
    failed(&mut sink, &one, Class::Fatal, "has no column named number").await;
    other.execute("DROP TABLE lines").await.unwrap();
    failed(&mut sink, &one, Class::Fatal, "no such table").await;
}
