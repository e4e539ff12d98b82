use proptest::prelude::*;
use sqlx::{Connection, Row};
use squall::store::row::{Cell, ColumnType, Table, Value};

use super::*;
use crate::record::samples::{NOW, hotel, valid};
use crate::record::{Behaviour, Decoded};

fn decoded(record: &Behaviour) -> Decoded {
    Decoded::new(record.clone(), NOW).unwrap()
}

fn values(record: &Behaviour) -> Vec<Value> {
    let decoded = decoded(record);
    let mut out = Vec::new();
    cells(&decoded, &mut out);
    let own = |cell: &Cell<'_>| match *cell {
        Cell::Null => Value::Null,
        Cell::Int(number) => Value::Int(number),
        Cell::Text(text) => Value::Text(text.to_owned()),
        Cell::Bytes(bytes) => Value::Bytes(bytes.to_owned()),
    };
    out.iter().map(own).collect()
}

#[test]
fn a_row_fits_the_table() {
    let table = table();
    let row = values(&hotel());
    assert_eq!(row.len(), table.width());
    for (value, column) in row.iter().zip(table.columns()) {
        match (value, column.kind) {
            (Value::Int(_), ColumnType::Int) => (),
            (Value::Text(text), ColumnType::Text(limit)) => assert!(text.len() <= limit as usize, "{column:?}"),
            other => panic!("{} holds {other:?}", column.name),
        }
    }
    assert_eq!(table.keys().len(), 2);
    assert_eq!(table.versions()[0].name, "occurred_at");
}

#[test]
fn the_entry_is_that_of_the_record() {
    let decoded = decoded(&hotel());
    let entry = entry(&decoded);
    assert_eq!((entry.owner, entry.line, entry.action), ("u-42", "hotel", "view"));
    assert_eq!((entry.id, entry.at_ms), ("e-1", NOW - 1000));
    assert_eq!(entry.body, decoded.body().as_bytes());
}

#[test]
fn rows_that_were_never_written_so_are_refused_by_column() {
    let good = values(&hotel());
    let at = |name: &str| table().columns().iter().position(|column| column.name == name).unwrap();
    let cases = [
        ("user_id", Value::Null, "user_id must be a text"),
        ("event_id", Value::Text(String::new()), "event_id must not be empty"),
        ("occurred_at", Value::Text("1".into()), "occurred_at must be an integer"),
        ("channel", Value::Text("web".into()), "channel must be one of app, online, h5"),
        ("business", Value::Bytes(vec![1]), "business must be a text"),
        ("attributes", Value::Text("[]".into()), "attributes must be an object"),
        ("attributes", Value::Text(r#"{},"b":1"#.into()), "attributes must be canonical JSON"),
        ("attributes", Value::Text(r#"{ "b":1}"#.into()), "attributes must be canonical JSON"),
        ("attributes", Value::Text("{}},{".into()), "trailing characters at line 1 column 105"),
    ];
    for (column, value, message) in cases {
        let mut row = good.clone();
        row[at(column)] = value;
        assert_eq!(from_values(&row).unwrap_err().to_string(), message);
    }
    assert_eq!(from_values(&good[1..]).unwrap_err().to_string(), "row must be a row of table `behaviour`");
}

proptest! {
    #[test]
    fn a_record_comes_back_from_its_row(record in valid()) {
        prop_assert_eq!(from_values(&values(&record)), Ok(record));
    }
}

/// Upper case and quotes apart, both migrations declare the columns of [`table`] in its order.
#[test]
fn migrations_declare_the_columns_of_the_table() {
    for (migrator, lengths) in [(migrator_mysql(), true), (migrator_sqlite(), false)] {
        let sql: Vec<_> = migrator.iter().map(|migration| migration.sql.as_str()).collect();
        let sql = sql.join("\n");
        let body = sql.split_once("CREATE TABLE behaviour (").unwrap().1;
        let lines = body.lines().map(str::trim).filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
        let declared: Vec<Vec<&str>> = lines.map(|line| line.split_whitespace().collect()).collect();
        let table = table();
        assert_eq!(declared.len(), table.width(), "{sql}");
        for (column, words) in table.columns().iter().zip(&declared) {
            assert_eq!(column.name, words[0]);
            match column.kind {
                ColumnType::Int => assert!(["BIGINT", "INTEGER"].contains(&words[1])),
                ColumnType::Text(limit) if lengths && words[1] != "TEXT" => {
                    assert_eq!(words[1], format!("VARBINARY({limit})"));
                }
                ColumnType::Text(_) => assert_eq!(words[1], "TEXT"),
                ColumnType::Bytes(_) => panic!("no such column"),
            }
        }
    }
}

#[tokio::test]
async fn sqlite_creates_the_table_and_gives_rows_back() {
    let mut db = sqlx::SqliteConnection::connect("sqlite::memory:").await.unwrap();
    migrator_sqlite().run(&mut db).await.unwrap();
    migrator_sqlite().run(&mut db).await.unwrap();

    let mut spaced = hotel();
    spaced.user_id.push(' ');
    for record in [hotel(), spaced.clone()] {
        insert(&mut db, &values(&record)).await.unwrap();
        insert(&mut db, &values(&record)).await.unwrap_err();
    }
    let names: Vec<_> = table().columns().iter().map(|column| column.name.clone()).collect();
    let sql = format!("SELECT {} FROM behaviour ORDER BY user_id", names.join(", "));
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&mut db).await.unwrap();
    let records: Vec<_> = rows.iter().map(|row| from_values(&read(&table(), row)).unwrap()).collect();
    assert_eq!(records, [hotel(), spaced]);
}

async fn insert(db: &mut sqlx::SqliteConnection, row: &[Value]) -> sqlx::Result<()> {
    let marks = vec!["?"; row.len()].join(",");
    let mut query = sqlx::query(sqlx::AssertSqlSafe(format!("INSERT INTO behaviour VALUES ({marks})")));
    for value in row {
        query = match value {
            Value::Int(number) => query.bind(*number),
            Value::Text(text) => query.bind(text.clone()),
            other => panic!("{other:?}"),
        };
    }
    query.execute(db).await.map(drop)
}

fn read(table: &Table, row: &sqlx::sqlite::SqliteRow) -> Vec<Value> {
    let value = |(at, kind): (usize, ColumnType)| match kind {
        ColumnType::Int => Value::Int(row.get(at)),
        ColumnType::Text(_) => Value::Text(row.get(at)),
        ColumnType::Bytes(_) => Value::Bytes(row.get(at)),
    };
    table.columns().iter().map(|column| column.kind).enumerate().map(value).collect()
}
