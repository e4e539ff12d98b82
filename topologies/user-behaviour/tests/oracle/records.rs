//! What the code under test makes of a value, in the oracle's terms.

use std::collections::BTreeMap;

use serde_json::Value;
use squall::Headers;
use squall::store::row;
use user_behaviour::format::{Format, decode};
use user_behaviour::record::Decoded;
use user_behaviour::schema;

use super::oracle::{Fields, Rows};

/// Behind everything that is decoded here.
pub(crate) const NOW: i64 = 2_000_000_000_000;

pub(crate) fn decoded(format: &dyn Format, value: &[u8]) -> Decoded {
    decode(format, value, &Headers::default(), NOW)
        .unwrap_or_else(|error| panic!("{}: {error}", value.escape_ascii()))
}

/// The cells of a row, by the names of their columns.
pub(crate) fn fields_of_row(decoded: &Decoded) -> Fields {
    let mut cells = Vec::new();
    schema::cells(decoded, &mut cells);
    let values = cells.iter().map(|cell| match *cell {
        row::Cell::Null => row::Value::Null,
        row::Cell::Int(number) => row::Value::Int(number),
        row::Cell::Text(text) => row::Value::Text(text.to_owned()),
        row::Cell::Bytes(bytes) => row::Value::Bytes(bytes.to_owned()),
    });
    fields_of_values(values.collect())
}

pub(crate) fn fields_of_values(values: Vec<row::Value>) -> Fields {
    let table = schema::table();
    assert_eq!(values.len(), table.width());
    let mut by_name: BTreeMap<_, _> =
        table.columns().iter().map(|column| column.name.clone()).zip(values).collect();
    let mut text = |name: &str| match by_name.remove(name) {
        Some(row::Value::Text(text)) => text,
        other => panic!("{name} is {other:?}"),
    };
    Fields {
        event_id: text("event_id"),
        user_id: text("user_id"),
        app_id: text("app_id"),
        channel: text("channel"),
        business: text("business"),
        action: text("action"),
        item_id: text("item_id"),
        attributes: serde_json::from_str(&text("attributes")).unwrap(),
        occurred_at: match by_name.remove("occurred_at") {
            Some(row::Value::Int(number)) => number,
            other => panic!("occurred_at is {other:?}"),
        },
    }
}

/// A body that a timeline holds.
pub(crate) fn fields_of_body(body: &[u8]) -> Fields {
    let mut object: BTreeMap<String, Value> = serde_json::from_slice(body).unwrap();
    let mut text = |name: &str| match object.remove(name) {
        Some(Value::String(text)) => text,
        other => panic!("{name} is {other:?}"),
    };
    Fields {
        event_id: text("event_id"),
        user_id: text("user_id"),
        app_id: text("app_id"),
        channel: text("channel"),
        business: text("business"),
        action: text("action"),
        item_id: text("item_id"),
        occurred_at: object["occurred_at"].as_i64().unwrap(),
        attributes: object["attributes"].as_object().unwrap().clone().into_iter().collect(),
    }
}

/// The rows that a table ends with, by the rule of the store: the greater version, the last of equal ones.
pub(crate) fn rows_of<'a>(records: impl IntoIterator<Item = &'a Decoded>) -> Rows {
    let mut rows: BTreeMap<(String, String), (i64, Fields)> = BTreeMap::new();
    for decoded in records {
        let (version, fields) = (decoded.record().version().0, fields_of_row(decoded));
        let key = (fields.user_id.clone(), fields.event_id.clone());
        if rows.get(&key).is_none_or(|(before, _)| version >= *before) {
            rows.insert(key, (version, fields));
        }
    }
    rows.into_iter().map(|(key, (_, fields))| (key, fields)).collect()
}
