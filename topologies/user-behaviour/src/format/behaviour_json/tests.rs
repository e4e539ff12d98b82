use proptest::prelude::*;
use serde_json::{Map, Value, json};
use squall::{Class, Classify, Headers};

use super::*;
use crate::format::decode;
use crate::record::samples::{NOW, hotel, valid};
use crate::record::{Attribute, Decoded, MAX_ATTRIBUTES};

fn read(value: &[u8]) -> Result<Decoded, DecodeError> {
    decode(&BehaviourJson, value, &Headers::default(), NOW)
}

/// The sample as an object, to be changed.
fn object() -> Map<String, Value> {
    let mut bytes = Vec::new();
    hotel().to_json(&mut bytes);
    serde_json::from_slice(&bytes).unwrap()
}

fn read_object(object: Map<String, Value>) -> Result<Decoded, DecodeError> {
    read(Value::Object(object).to_string().as_bytes())
}

/// The sample with `member` instead of the member of the same name, or beside the others.
fn with(member: &str) -> String {
    let mut object = object();
    object.remove(member[1..].split('"').next().unwrap());
    let rest = Value::Object(object).to_string();
    format!("{{{member},{}", &rest[1..])
}

fn refuse(value: &str) -> (Option<String>, String) {
    let error = read(value.as_bytes()).expect_err(value);
    assert_eq!(error.class(), Class::Poison);
    (error.field().map(str::to_owned), error.reason())
}

#[test]
fn each_broken_member_is_reported_with_its_field() {
    let a_text = "must be a text";
    let a_time = "must be whole milliseconds or an RFC 3339 text";
    let time_range = "is out of range, allowed is 0 to 2^53 milliseconds";
    let number_range = "is out of range, allowed is a magnitude below 2^63";
    let an_attribute = "must be a text, a number, true or false";
    let cases = [
        (r#""event_id":"""#, "event_id", "must not be empty"),
        (r#""event_id":null"#, "event_id", a_text),
        (r#""event_id":1"#, "event_id", a_text),
        (r#""user_id":"""#, "user_id", "must not be empty"),
        (r#""user_id":["u"]"#, "user_id", a_text),
        (r#""user_id":{"u":1}"#, "user_id", a_text),
        (r#""user_id":"\u0000""#, "user_id", "must not contain the character NUL"),
        (r#""user_id":1e400"#, "user_id", number_range),
        (r#""app_id":true"#, "app_id", a_text),
        (r#""business":1.5"#, "business", a_text),
        (r#""action":null"#, "action", a_text),
        (r#""item_id":7"#, "item_id", a_text),
        (r#""channel":"APP""#, "channel", "must be one of app, online, h5"),
        (r#""channel":3"#, "channel", a_text),
        (r#""occurred_at":-1"#, "occurred_at", time_range),
        (r#""occurred_at":9007199254740993"#, "occurred_at", time_range),
        (r#""occurred_at":18446744073709551615"#, "occurred_at", time_range),
        (r#""occurred_at":99999999999999999999999"#, "occurred_at", time_range),
        (r#""occurred_at":1e999"#, "occurred_at", time_range),
        (r#""occurred_at":1.5"#, "occurred_at", a_time),
        (r#""occurred_at":true"#, "occurred_at", a_time),
        (r#""occurred_at":"yesterday""#, "occurred_at", "is not an RFC 3339 time"),
        (r#""occurred_at":"1767225600000""#, "occurred_at", "is not an RFC 3339 time"),
        (r#""occurred_at":"2025-12-31T23:59:59""#, "occurred_at", "is not an RFC 3339 time"),
        (r#""attributes":null"#, "attributes", "must be an object"),
        (r#""attributes":[]"#, "attributes", "must be an object"),
        (r#""attributes":"x""#, "attributes", "must be an object"),
        (r#""attributes":{"a":null}"#, "attributes.a", an_attribute),
        (r#""attributes":{"a":[1]}"#, "attributes.a", an_attribute),
        (r#""attributes":{"a":{}}"#, "attributes.a", an_attribute),
        (r#""attributes":{"user_id":{}}"#, "attributes.user_id", an_attribute),
        (r#""attributes":{"a":9223372036854775808}"#, "attributes.a", number_range),
        (r#""attributes":{"a":-9223372036854775809}"#, "attributes.a", number_range),
        (r#""attributes":{"a":1e30}"#, "attributes.a", number_range),
        (r#""attributes":{"a":1e400}"#, "attributes.a", number_range),
        (r#""attributes":{"a":1,"a":1}"#, "attributes.a", "is given twice"),
        (r#""unknown":null"#, "attributes.unknown", an_attribute),
        (r#""unknown":[]"#, "attributes.unknown", an_attribute),
        (r#""unknown":1e400"#, "attributes.unknown", number_range),
        (r#""city":"北京""#, "attributes.city", "is given twice"),
    ];
    for (member, field, reason) in cases {
        assert_eq!(refuse(&with(member)), (Some(field.to_owned()), reason.to_owned()), "{member}");
    }
}

#[test]
fn required_members_are_missed_by_name() {
    for field in ["user_id", "app_id", "channel", "business", "action", "occurred_at"] {
        let mut object = object();
        object.remove(field);
        let value = Value::Object(object).to_string();
        assert_eq!(refuse(&value), (Some(field.to_owned()), "is missing".to_owned()));
    }
}

#[test]
fn every_known_member_is_refused_twice() {
    for (name, value) in object() {
        let rest = Value::Object(object()).to_string();
        let twice = format!("{{{}:{value},{}", Value::from(name.clone()), &rest[1..]);
        assert_eq!(refuse(&twice), (Some(name), "is given twice".to_owned()));
    }
}

#[test]
fn what_is_not_an_object_is_malformed() {
    for value in ["[]", "1", "null", "\"text\"", "true"] {
        assert_eq!(refuse(value), (None, "not a JSON object".to_owned()), "{value}");
    }
    for value in ["", " ", "{", "{}x", "{\"a\":1,}", "{'a':1}", "\u{feff}{}", "{\"\\ud800\":1}"] {
        let error = read(value.as_bytes()).unwrap_err();
        assert!(matches!(error, DecodeError::Malformed { field: None, .. }), "{value}: {error}");
    }
    assert!(matches!(read(b"{\"\xff\":1}"), Err(DecodeError::Malformed { field: None, .. })));
}

#[test]
fn a_value_that_cannot_be_read_names_its_member() {
    for (member, field) in [
        (r#""user_id":tru"#, "user_id"),
        (r#""user_id":"\ud800""#, "user_id"),
        ("\"user_id\":\"\n\"", "user_id"),
        (r#""attributes":{"a":"\x"}"#, "attributes.a"),
        (r#""attributes":{"a" 1}"#, "attributes.a"),
        (r#""attributes":{"a":1]"#, "attributes"),
        (r#""other":01"#, "attributes.other"),
    ] {
        let error = read(with(member).as_bytes()).unwrap_err();
        assert!(matches!(error, DecodeError::Malformed { .. }), "{member}: {error}");
        assert_eq!(error.field(), Some(field), "{error}");
    }
}

#[test]
fn optional_members_may_be_missing() {
    let mut object = object();
    for field in ["event_id", "item_id", "attributes"] {
        object.remove(field);
    }
    let decoded = read_object(object).unwrap();
    assert_eq!(decoded.record().item_id, "");
    assert!(decoded.record().attributes.is_empty());
    assert_eq!(decoded.record().event_id, decoded.record().derive_event_id());
    assert_eq!(decoded.attributes_json(), "{}");
}

#[test]
fn a_resend_without_id_is_the_same_event_however_it_is_written() {
    let mut object = object();
    object.remove("event_id");
    let first = read_object(object.clone()).unwrap();
    object["occurred_at"] = json!("2026-01-01T08:59:59+09:00");
    let city = object["attributes"].as_object_mut().unwrap().remove("city").unwrap();
    object.insert("city".to_owned(), city);
    assert_eq!(read_object(object).unwrap(), first);
}

#[test]
fn unknown_members_are_kept_as_attributes() {
    let mut object = object();
    object.insert("screen".to_owned(), json!("首页"));
    object.insert("version".to_owned(), json!(7));
    let record = read_object(object).unwrap().into_record();
    assert_eq!(record.attributes.get("screen"), Some(&Attribute::from("首页")));
    assert_eq!(record.attributes.get("version"), Some(&Attribute::Int(7)));
    assert_eq!(record.attributes.get("city"), Some(&Attribute::from("上海")));
}

#[test]
fn times_may_be_texts() {
    for (text, milliseconds) in [
        ("2025-12-31T23:59:59Z", NOW - 1000),
        ("2026-01-01T07:59:59.5+08:00", NOW - 500),
        ("2025-12-31T23:59:59.999999999Z", NOW - 1),
        ("1970-01-01T00:00:00Z", 0),
    ] {
        let decoded = read(with(&format!(r#""occurred_at":"{text}""#)).as_bytes()).unwrap();
        assert_eq!(decoded.record().occurred_at, milliseconds, "{text}");
    }
}

#[test]
fn escapes_are_understood_everywhere() {
    let value = with(r#""us\u0065r_id":"\u7528\ud83c\udfe8\n""#).replacen(",\"user_id\":\"u-42\"", "", 1);
    assert_eq!(read(value.as_bytes()).unwrap().record().user_id, "用🏨\n");
}

/// What follows the limit is never looked at, so no more than the limit is held.
#[test]
fn reading_stops_at_the_limit_of_the_attributes() {
    let many = |from: usize| (from..from + 400).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(",");
    let inside = format!(r#"{{"attributes":{{{},{},{},this is not JSON"#, many(100), many(1000), many(2000));
    let outside = format!(r#"{{{},{},{},this is not JSON"#, many(100), many(1000), many(2000));
    let long = format!(r#"{{"attributes":{{"k":"{}",this is not JSON"#, "x".repeat(1 << 20));
    for value in [inside, outside, long] {
        let (field, reason) = refuse(&value);
        assert_eq!(field.as_deref(), Some("attributes"));
        assert!(reason.ends_with("at most 4096 are allowed"), "{reason}");
    }
    let deep = format!(r#"{{"a":{}"#, "[".repeat(1 << 20));
    assert_eq!(refuse(&deep).0.as_deref(), Some("attributes.a"));
    let long_user = format!(r#"{{"user_id":"{}",this is not JSON"#, "x".repeat(1 << 20));
    assert_eq!(refuse(&long_user).1, "has 1048576 bytes, at most 64 are allowed");
    let long_name = format!(r#"{{"{}":null"#, "x".repeat(1 << 20));
    let (field, reason) = refuse(&long_name);
    assert!(field.unwrap().len() < 100 && reason.len() < 100);
}

#[test]
fn the_early_limit_refuses_nothing_that_fits() {
    let text = "v".repeat(MAX_ATTRIBUTES - r#"{"k":""}"#.len());
    let value = with(&format!(r#""attributes":{{"k":"{text}"}}"#));
    assert_eq!(read(value.as_bytes()).unwrap().attributes_json().len(), MAX_ATTRIBUTES);
    let value = with(&format!(r#""attributes":{{"k":"{text}v"}}"#));
    assert_eq!(
        refuse(&value),
        (Some("attributes".to_owned()), "has 4097 bytes, at most 4096 are allowed".to_owned())
    );
}

proptest! {
    /// Order, white space and the place of attributes do not matter.
    #[test]
    fn other_spellings_give_the_same_record(record in valid(), flat in any::<bool>()) {
        let mut bytes = Vec::new();
        record.to_json(&mut bytes);
        let mut object: Map<String, Value> = serde_json::from_slice(&bytes).unwrap();
        if flat {
            let known = object.clone();
            let attributes = object.remove("attributes").unwrap();
            object.extend(attributes.as_object().unwrap().clone().into_iter().filter(|(name, _)| !known.contains_key(name)));
            prop_assume!(object.len() == known.len() - 1 + record.attributes.len());
        }
        let pretty = serde_json::to_string_pretty(&Value::Object(object)).unwrap();
        prop_assert_eq!(read(pretty.as_bytes()).unwrap().into_record(), record);
    }
}
