//! The table `behaviour`, and the way of a record into a row and back.

use squall::store::row::{Cell, ColumnType, Table, Value};

use crate::format::{BehaviourJson, DecodeError, Format};
use crate::record::{Behaviour, Channel, Decoded, Invalid, MAX_ATTRIBUTES, MAX_ID, MAX_ITEM, MAX_NAME, Reason};

/// Name of the table.
pub const TABLE: &str = "behaviour";

/// What the name of the table's index ends in by which the newest of a user and business are read.
pub const NEWEST: &str = "newest";
/// The same for those of a user.
pub const RECENT: &str = "recent";

/// The table as the stores need it; the migrations create the same.
pub fn table() -> Table {
    table_named(TABLE)
}

/// The same under another name.
pub fn table_named(name: &str) -> Table {
    let text = |bytes: usize| ColumnType::Text(u32::try_from(bytes).expect("limits of fields are small"));
    Table::new(name)
        .key("user_id", text(MAX_ID))
        .key("event_id", text(MAX_ID))
        .version("occurred_at", ColumnType::Int)
        .value("app_id", text(MAX_NAME))
        .value("channel", text(8))
        .value("business", text(MAX_NAME))
        .value("action", text(MAX_NAME))
        .value("item_id", text(MAX_ITEM))
        .value("attributes", text(MAX_ATTRIBUTES))
        .index(&format!("{name}_{NEWEST}"), &["user_id", "business"], &["occurred_at", "event_id"])
        .index(&format!("{name}_{RECENT}"), &["user_id"], &["occurred_at", "event_id"])
}

/// Pushes the row of `decoded`, in the order of the columns of [`table`].
pub fn cells<'a>(decoded: &'a Decoded, out: &mut Vec<Cell<'a>>) {
    let record = decoded.record();
    out.extend_from_slice(&[
        Cell::Text(&record.user_id),
        Cell::Text(&record.event_id),
        Cell::Int(record.occurred_at),
        Cell::Text(&record.app_id),
        Cell::Text(record.channel.as_str()),
        Cell::Text(&record.business),
        Cell::Text(&record.action),
        Cell::Text(&record.item_id),
        Cell::Text(decoded.attributes_json()),
    ]);
}

/// The record that a row holds, as it was before [`cells`].
///
/// # Errors
/// The column that [`cells`] would not have written so; a row of another width misses a column.
pub fn from_values(values: &[Value]) -> Result<Behaviour, DecodeError> {
    let [user_id, event_id, occurred_at, app_id, channel, business, action, item_id, attributes] = values else {
        return Err(Invalid::new("row", Reason::WrongType { wanted: "a row of table `behaviour`" }).into());
    };
    let Value::Int(occurred_at) = *occurred_at else {
        return Err(Invalid::new("occurred_at", Reason::WrongType { wanted: "an integer" }).into());
    };
    // Reading the attributes as part of a record keeps one reader and one set of rules for them.
    let mut record = attributes_alone(text("attributes", attributes)?)?;
    record.event_id = text("event_id", event_id)?.into();
    record.user_id = text("user_id", user_id)?.into();
    record.app_id = text("app_id", app_id)?.into();
    record.channel = Channel::from_word(text("channel", channel)?)?;
    record.business = text("business", business)?.into();
    record.action = text("action", action)?.into();
    record.item_id = text("item_id", item_id)?.into();
    record.occurred_at = occurred_at;
    record.check(i64::MAX)?;
    Ok(record)
}

fn text<'v>(column: &'static str, value: &'v Value) -> Result<&'v str, Invalid> {
    match value {
        Value::Text(text) => Ok(text),
        Value::Null | Value::Int(_) | Value::Bytes(_) => {
            Err(Invalid::new(column, Reason::WrongType { wanted: "a text" }))
        }
    }
}

fn attributes_alone(json: &str) -> Result<Behaviour, DecodeError> {
    let object = format!(
        r#"{{"user_id":"-","app_id":"-","channel":"app","business":"-","action":"-","occurred_at":0,"attributes":{json}}}"#
    );
    let record = BehaviourJson.decode(1, object.as_bytes())?;
    let mut canonical = Vec::new();
    record.attributes.to_json(&mut canonical);
    if canonical != json.as_bytes() {
        return Err(Invalid::new("attributes", Reason::WrongType { wanted: "canonical JSON" }).into());
    }
    Ok(record)
}
