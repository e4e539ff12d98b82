//! A timeline, newest first as the store gives it.

use serde_json::{Value, json};
use squall::store::timeline::StoredEntry;

use super::json;
use super::table::TextTable;
use super::time::moment;

/// One line per entry under a head; only the head when there is none.
pub fn timeline_table(entries: &[StoredEntry]) -> String {
    let mut table = TextTable::new(&["TIME (UTC)", "BUSINESS", "ACTION", "ITEM", "EVENT", "ATTRIBUTES"]);
    for entry in entries {
        let action = json::record(&entry.body).map(|record| record.action.to_string()).unwrap_or_default();
        let (item, attributes) = json::details(&entry.body);
        table.row([&moment(entry.at_ms), &entry.line, &action, &item, &entry.id, &attributes]);
    }
    table.render()
}

/// An array of objects with `business`, `event_id`, `occurred_at` and `record`, in the order of `entries`.
pub fn timeline_json(entries: &[StoredEntry]) -> Value {
    let object = |entry: &StoredEntry| {
        json!({
            "business": entry.line,
            "event_id": entry.id,
            "occurred_at": entry.at_ms,
            "record": json::body(&entry.body),
        })
    };
    Value::Array(entries.iter().map(object).collect())
}
