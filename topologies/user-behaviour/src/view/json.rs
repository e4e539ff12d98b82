//! What both renderings share: a stored body is shown as the record that it holds.

use serde_json::{Value, json};

use crate::format::{BehaviourJson, DecodeError, Format};
use crate::record::Behaviour;

/// The record in a stored body.
pub(super) fn record(body: &[u8]) -> Result<Behaviour, DecodeError> {
    BehaviourJson.decode(*BehaviourJson.versions().end(), body)
}

/// A stored body as JSON; one that holds no record says why.
pub(super) fn body(body: &[u8]) -> Value {
    match record(body) {
        Ok(record) => serde_json::to_value(record).expect("a record is always JSON"),
        Err(error) => json!({ "unreadable": error.to_string(), "bytes": body.len() }),
    }
}

/// What stands in the column for details: item and attributes.
pub(super) fn details(body: &[u8]) -> (String, String) {
    match record(body) {
        Ok(record) => {
            let pairs = record.attributes.iter().map(|(name, value)| format!("{name}={}", plain(value)));
            (record.item_id.to_string(), pairs.collect::<Vec<_>>().join(" "))
        }
        Err(error) => (String::new(), format!("({} bytes, unreadable: {error})", body.len())),
    }
}

fn plain(value: &crate::record::Attribute) -> String {
    use crate::record::Attribute;
    match value {
        Attribute::Text(text) => text.to_string(),
        Attribute::Int(number) => number.to_string(),
        Attribute::Float(number) => number.to_string(),
        Attribute::Bool(truth) => truth.to_string(),
    }
}
