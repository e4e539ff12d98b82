//! How the server reads.

use sqlx::{AssertSqlSafe, Connection, MySqlConnection, Row};

use super::super::newest::Shape;
use super::super::sql::{self, Dialect};
use super::super::{Cell, Newest, Rows};
use super::{MySqlRows, MySqlSettings};
use crate::testing::servers::MariaDb;
use crate::testing::store::row::{mysql_migrations, table};

/// Rows of the one user that is read.
const ROWS: i64 = 2_000;

async fn counter(connection: &mut MySqlConnection, name: &str) -> i64 {
    let sql = format!("SHOW GLOBAL STATUS LIKE '{name}'");
    let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(connection).await.unwrap();
    row.get::<String, _>(1).parse().unwrap()
}

/// One range of the index, backwards: neither is anything sorted, nor are more rows read than are answered.
#[tokio::test]
async fn the_newest_are_one_range_of_their_index() {
    let server = MariaDb::start().await.unwrap();
    let url = server.database("store_newest").await.unwrap();
    let store = MySqlRows::connect(MySqlSettings::new(&url), table(), mysql_migrations()).await.unwrap();
    store.migrate().await.unwrap();
    let events: Vec<String> = (0..ROWS).map(|n| format!("e{n:04}")).collect();
    let cells: Vec<Cell<'_>> = events
        .iter()
        .zip(0..)
        .flat_map(|(event, n)| {
            let [user, tie] = [Cell::Text("u"), Cell::Text("")];
            [user, Cell::Text(event), Cell::Int(n), tie, Cell::Null, Cell::Int(n % 2), Cell::Null]
        })
        .collect();
    assert!(store.upsert(&cells).await.unwrap().is_empty());

    let mut connection = MySqlConnection::connect(&url).await.unwrap();
    for index in 0..table().indexes().len() {
        for before in [false, true] {
            let shape = Shape { index, only: None, before };
            let name = table().indexes()[index].name().to_owned();
            let sql = format!("EXPLAIN {}", sql::newest(Dialect::MySql, &table(), shape));
            let mut query = sqlx::query(AssertSqlSafe(sql)).bind("u");
            if index == 1 {
                query = query.bind(1_i64);
            }
            if before {
                for at in sql::range_bindings(Dialect::MySql, 3) {
                    query = if at == 0 { query.bind(ROWS / 2) } else { query.bind("") };
                }
            }
            let plan = query.bind(20_i64).fetch_all(&mut connection).await.unwrap();
            assert_eq!(plan.len(), 1, "one step");
            let (key, extra): (String, String) = (plan[0].get("key"), plan[0].get("Extra"));
            assert_eq!(key, name);
            assert!(!extra.contains("filesort") && !extra.contains("temporary"), "{name}, {before}: {extra}");
        }
    }

    let before = [Cell::Int(ROWS / 2), Cell::Text(""), Cell::Text("")];
    let equal = [Cell::Text("u"), Cell::Int(1)];
    let page = Newest { index: "conformance_newest", equal: &equal, only: None, before: Some(&before), limit: 20 };
    let (read, sorted) =
        (counter(&mut connection, "Rows_read").await, counter(&mut connection, "Sort_rows").await);
    assert_eq!(store.newest(&page).await.unwrap().len(), 20);
    let read = counter(&mut connection, "Rows_read").await - read;
    // The question itself reads a few rows of the status.
    assert!(read < 200, "{read} rows are read for 20");
    assert_eq!(counter(&mut connection, "Sort_rows").await, sorted);
}
