use proptest::prelude::*;

use super::samples::{NOW, hotel, valid};
use super::*;

/// A change to [`hotel`], and the field and rule that it breaks.
type Case = (&'static str, fn(&mut Behaviour), Reason);

fn too_long(bytes: usize, limit: usize) -> Reason {
    Reason::TooLong { bytes, limit }
}

fn cases() -> Vec<Case> {
    let time = Reason::OutOfRange { allowed: behaviour::TIME_RANGE };
    vec![
        ("event_id", |r| r.event_id = "".into(), Reason::Empty),
        ("event_id", |r| r.event_id = "x".repeat(65).into(), too_long(65, 64)),
        ("event_id", |r| r.event_id = "a\0".into(), Reason::Nul),
        ("user_id", |r| r.user_id = "".into(), Reason::Empty),
        ("user_id", |r| r.user_id = "用".repeat(22).into(), too_long(66, 64)),
        ("user_id", |r| r.user_id = "\0".into(), Reason::Nul),
        ("app_id", |r| r.app_id = "".into(), Reason::Empty),
        ("app_id", |r| r.app_id = "x".repeat(33).into(), too_long(33, 32)),
        ("app_id", |r| r.app_id = "\0".into(), Reason::Nul),
        ("business", |r| r.business = "".into(), Reason::Empty),
        ("business", |r| r.business = "x".repeat(33).into(), too_long(33, 32)),
        ("business", |r| r.business = "\0".into(), Reason::Nul),
        ("action", |r| r.action = "".into(), Reason::Empty),
        ("action", |r| r.action = "x".repeat(33).into(), too_long(33, 32)),
        ("action", |r| r.action = "\0".into(), Reason::Nul),
        ("item_id", |r| r.item_id = "x".repeat(129).into(), too_long(129, 128)),
        ("item_id", |r| r.item_id = "\0".into(), Reason::Nul),
        ("occurred_at", |r| r.occurred_at = -1, time.clone()),
        ("occurred_at", |r| r.occurred_at = MAX_OCCURRED_AT + 1, time),
        (
            "occurred_at",
            |r| r.occurred_at = NOW + MAX_AHEAD_MS + 1,
            Reason::Future { ahead_ms: MAX_AHEAD_MS + 1, limit_ms: MAX_AHEAD_MS },
        ),
        (
            "attributes.big",
            |r| drop(r.attributes.insert("big", 1e19)),
            Reason::OutOfRange { allowed: behaviour::NUMBER_RANGE },
        ),
        (
            "attributes.nan",
            |r| drop(r.attributes.insert("nan", f64::NAN)),
            Reason::OutOfRange { allowed: behaviour::NUMBER_RANGE },
        ),
        (
            "attributes",
            |r| {
                r.attributes = Attributes::default();
                r.attributes.insert("k", "\"".repeat(2045).as_str());
            },
            too_long(4098, 4096),
        ),
    ]
}

#[test]
fn each_broken_rule_is_reported_with_its_field() {
    for (field, change, reason) in cases() {
        let mut record = hotel();
        change(&mut record);
        let expected = Err(Invalid::new(field, reason));
        assert_eq!(record.check(NOW), expected, "{field}");
        if !record.event_id.is_empty() {
            assert_eq!(Decoded::new(record, NOW).map(drop), expected, "{field}");
        }
    }
}

#[test]
fn limits_themselves_are_allowed() {
    let mut record = hotel();
    record.event_id = "e".repeat(64).into();
    record.user_id = "u".repeat(64).into();
    record.app_id = "a".repeat(32).into();
    record.business = "b".repeat(32).into();
    record.action = "c".repeat(32).into();
    record.item_id = "i".repeat(128).into();
    record.occurred_at = NOW + MAX_AHEAD_MS;
    record.attributes = Attributes::default();
    record.attributes.insert("k", "v".repeat(MAX_ATTRIBUTES - r#"{"k":""}"#.len()).as_str());
    assert_eq!(record.check(NOW), Ok(()));
    assert_eq!(Decoded::new(record.clone(), NOW).unwrap().attributes_json().len(), MAX_ATTRIBUTES);

    record.item_id = "".into();
    record.occurred_at = 0;
    assert_eq!(record.check(NOW), Ok(()));
    record.occurred_at = MAX_OCCURRED_AT;
    assert_eq!(record.check(i64::MAX), Ok(()));
}

#[test]
fn messages_name_the_field_and_the_rule() {
    let mut record = hotel();
    record.app_id = "x".repeat(40).into();
    let error = record.check(NOW).unwrap_err();
    assert_eq!(error.to_string(), "app_id has 40 bytes, at most 32 are allowed");
    let name = "长".repeat(100);
    assert_eq!(Invalid::attribute(&name, Reason::Empty).field.len(), "attributes.".len() + 63);
}

#[test]
fn the_canonical_json_is_stable() {
    let decoded = Decoded::new(hotel(), NOW).unwrap();
    let attributes = r#"{"city":"上海","member":true,"mood":"🏨 \"外滩\"","nights":2,"price":688.5}"#;
    assert_eq!(decoded.attributes_json(), attributes);
    let body = format!(
        r#"{{"event_id":"e-1","user_id":"u-42","app_id":"trip","channel":"app","business":"hotel","action":"view","item_id":"hotel-7","occurred_at":1767225599000,"attributes":{attributes}}}"#
    );
    assert_eq!(decoded.body(), body);
    assert_eq!(decoded.into_body(), body.as_bytes());
}

#[test]
fn a_derived_id_depends_on_every_field_and_on_nothing_else() {
    let changes: [fn(&mut Behaviour); 9] = [
        |_| (),
        |r| r.user_id.push('x'),
        |r| r.app_id.push('x'),
        |r| r.channel = Channel::H5,
        |r| r.business.push('x'),
        |r| r.action.push('x'),
        |r| r.item_id.push('x'),
        |r| r.occurred_at += 1,
        |r| drop(r.attributes.insert("nights", 3)),
    ];
    let ids: std::collections::HashSet<_> = changes
        .iter()
        .map(|change| {
            let mut record = hotel();
            change(&mut record);
            record.derive_event_id()
        })
        .collect();
    assert_eq!(ids.len(), changes.len());

    let mut other_id = hotel();
    other_id.event_id = "".into();
    assert_eq!(other_id.derive_event_id(), hotel().derive_event_id());
    assert_eq!(Decoded::new(other_id, NOW).unwrap().record().event_id, hotel().derive_event_id());
    // Stored ids depend on it: it may never change.
    assert_eq!(hotel().derive_event_id(), "12930862a1a973db0dc167d78c743528");
}

#[test]
fn bytes_that_move_between_fields_change_the_derived_id() {
    let (mut left, mut right) = (hotel(), hotel());
    (left.business, left.action) = ("ab".into(), "c".into());
    (right.business, right.action) = ("a".into(), "bc".into());
    assert_ne!(left.derive_event_id(), right.derive_event_id());
}

#[test]
fn attributes_are_a_sorted_map() {
    let mut attributes = Attributes::default();
    assert!(attributes.is_empty());
    assert_eq!(attributes.insert("b", 1), None);
    assert_eq!(attributes.insert("a", -0.0), None);
    assert_eq!(attributes.insert("b", false), Some(Attribute::Int(1)));
    assert_eq!(attributes.len(), 2);
    assert_eq!(attributes.get("b"), Some(&Attribute::Bool(false)));
    assert_eq!(attributes.get("c"), None);
    let mut json = Vec::new();
    attributes.to_json(&mut json);
    assert_eq!(json, br#"{"a":0.0,"b":false}"#);

    let pairs = |names: &[&str]| names.iter().map(|name| ((*name).into(), Attribute::Int(1))).collect();
    assert_eq!(Attributes::from_pairs(pairs(&["b", "a", "b"])), Err("b".into()));
    assert_eq!(Attributes::from_pairs(pairs(&["b", "a"])).unwrap().iter().next().unwrap().0, "a");
}

#[test]
fn versions_order_by_time_then_id() {
    let (mut older, mut newer) = (hotel(), hotel());
    newer.event_id = "e-2".into();
    assert!(older.version() < newer.version());
    older.occurred_at += 1;
    assert!(older.version() > newer.version());
}

#[test]
fn each_character_is_written_as_serde_writes_it() {
    for character in '\0'..='\u{2100}' {
        for text in [format!("{character}"), format!("0123456789abcdef{character}x")] {
            let mut attributes = Attributes::default();
            attributes.insert(text.as_str(), text.as_str());
            let mut json = Vec::new();
            attributes.to_json(&mut json);
            assert_eq!(json, serde_json::to_vec(&attributes).unwrap(), "{character:?}");
        }
    }
}

proptest! {
    #[test]
    fn the_canonical_json_is_what_serde_says(record in valid()) {
        let mut json = Vec::new();
        record.to_json(&mut json);
        prop_assert_eq!(&json, &serde_json::to_vec(&record).unwrap());
        let decoded = Decoded::new(record.clone(), NOW).unwrap();
        prop_assert_eq!(decoded.body().as_bytes(), &json);
        prop_assert_eq!(decoded.attributes_json(), serde_json::to_string(&record.attributes).unwrap());
        prop_assert_eq!(record.check(NOW), Ok(()));
    }
}
