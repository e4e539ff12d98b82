//! MariaDB.

mod load;
mod outage;
mod rows;

use std::sync::Arc;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection};
use squall::Sink;
use squall::store::Rows;
use squall::store::row::mysql::{MySqlRows, MySqlSettings};
use squall::store::row::{Cell, ColumnType::*, RowSink, Table, Value};
use squall::testing::servers::{MariaDb, MariaDbOptions};
use squall::testing::store::row::mysql_migrations;
use tokio::sync::OnceCell;

/// A tuple: key, number, text.
type Line = (&'static str, i64, String);

/// Narrower than what the store is told, with rules that it does not know.
const TABLE: &str = "CREATE TABLE tuples (
    name VARBINARY(64) NOT NULL PRIMARY KEY,
    number TINYINT NOT NULL,
    text VARCHAR(2000) CHARACTER SET latin1,
    CONSTRAINT number_is_not_13 CHECK (number <> 13),
    UNIQUE KEY only_one_text (text)
) ENGINE = InnoDB";

fn line(name: &'static str, number: i64, text: &str) -> Line {
    (name, number, text.to_owned())
}

fn cells<'a>(line: &'a Line, out: &mut Vec<Cell<'a>>) {
    out.extend([
        Cell::Text(line.0),
        Cell::Int(line.1),
        if line.2.is_empty() { Cell::Null } else { Cell::Text(&line.2) },
    ]);
}

/// One server for the tests that do it no harm; it dies with the process.
async fn shared() -> &'static MariaDb {
    static SERVER: OnceCell<MariaDb> = OnceCell::const_new();
    SERVER.get_or_init(|| own(&[])).await
}

async fn own(arguments: &[&str]) -> MariaDb {
    let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
    MariaDb::start_own(MariaDbOptions { arguments, ..MariaDbOptions::default() }).await.unwrap()
}

/// A database with the table; its URL and a connection of somebody else.
async fn database(server: &MariaDb, name: &str) -> (String, MySqlConnection) {
    let url = server.database(name).await.unwrap();
    let mut admin = MySqlConnection::connect(&url).await.unwrap();
    admin.execute(TABLE).await.unwrap();
    (url, admin)
}

fn settings(url: &str) -> MySqlSettings {
    MySqlSettings {
        pool_size: 1,
        acquire_timeout: Duration::from_secs(2),
        lock_wait_timeout: Duration::from_secs(30),
        statement_timeout: Duration::from_secs(30),
        ..MySqlSettings::new(url)
    }
}

fn open(settings: MySqlSettings) -> (Arc<MySqlRows>, impl Sink<In = Line>) {
    let store = Arc::new(MySqlRows::lazy(settings, table(), mysql_migrations()).unwrap());
    (Arc::clone(&store), RowSink::new(store, cells))
}

fn table() -> Table {
    Table::new("tuples").key("name", Text(64)).value("number", Int).value("text", Text(4 << 20))
}

async fn number(admin: &mut MySqlConnection, query: String) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(admin).await.unwrap()
}

async fn names(store: &MySqlRows) -> Vec<String> {
    let rows = store.scan(None, 1000).await.unwrap();
    let name = |row: Vec<Value>| match row.into_iter().next() {
        Some(Value::Text(name)) => name,
        other => panic!("no name: {other:?}"),
    };
    rows.into_iter().map(name).collect()
}
