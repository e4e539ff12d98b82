use serde_json::json;
use squall::store::timeline::{Latest, LineProfile, Profile, StoredEntry};
use unicode_width::UnicodeWidthStr;

use super::table::printable;
use super::time::{day, moment};
use super::*;
use crate::record::samples::{NOW, hotel};
use crate::record::{Attributes, Behaviour};

fn stored(record: &Behaviour) -> StoredEntry {
    let mut body = Vec::new();
    record.to_json(&mut body);
    StoredEntry {
        line: record.business.to_string(),
        id: record.event_id.to_string(),
        at_ms: record.occurred_at,
        body,
    }
}

fn search() -> Behaviour {
    let mut record = hotel();
    record.event_id = "e-0".into();
    record.action = "search".into();
    record.item_id = "".into();
    record.attributes = Attributes::default();
    record.attributes.insert("query", "上海 🏨 with\u{1b}[2J escape");
    record
}

fn flight() -> Behaviour {
    let mut record = hotel();
    record.business = "机票".into();
    record.item_id = "上海→東京✈️".into();
    record.attributes = Attributes::default();
    record
}

#[test]
fn a_timeline_lines_up() {
    let mut unreadable = stored(&hotel());
    unreadable.body = b"\xffnothing".to_vec();
    let table = timeline_table(&[stored(&hotel()), stored(&flight()), stored(&search()), unreadable]);
    let expected = "\
TIME (UTC)               BUSINESS  ACTION  ITEM         EVENT  ATTRIBUTES
2025-12-31 23:59:59.000  hotel     view    hotel-7      e-1    city=上海 member=true mood=🏨 \"外滩\" nights=2 price=688.5
2025-12-31 23:59:59.000  机票      view    上海→東京✈️  e-1
2025-12-31 23:59:59.000  hotel     search               e-0    query=上海 🏨 with\\u{1b}[2J escape
2025-12-31 23:59:59.000  hotel                          e-1    (8 bytes, unreadable: expected value at line 1 column 1)
";
    assert_eq!(table, expected);
    for line in table.lines() {
        let before = line.find("e-").or(line.find("EVENT")).unwrap();
        assert_eq!(line[..before].width(), table.lines().next().unwrap().find("EVENT").unwrap(), "{line}");
    }
    assert_eq!(timeline_table(&[]), "TIME (UTC)  BUSINESS  ACTION  ITEM  EVENT  ATTRIBUTES\n");
}

#[test]
fn a_long_text_is_cut_between_characters() {
    let mut long = search();
    long.attributes.insert("query", "长".repeat(100).as_str());
    let table = timeline_table(&[stored(&long)]);
    let line = table.lines().nth(1).unwrap();
    assert!(line.ends_with(&format!("query={}…", "长".repeat(26))), "{line}");
}

#[test]
fn a_timeline_as_json_holds_the_records() {
    let mut unreadable = stored(&hotel());
    unreadable.body = b"[]".to_vec();
    let record = json!({
        "event_id": "e-1", "user_id": "u-42", "app_id": "trip", "channel": "app", "business": "hotel",
        "action": "view", "item_id": "hotel-7", "occurred_at": 1_767_225_599_000_i64,
        "attributes": { "city": "上海", "member": true, "mood": "🏨 \"外滩\"", "nights": 2, "price": 688.5 },
    });
    let expected = json!([
        { "business": "hotel", "event_id": "e-1", "occurred_at": 1_767_225_599_000_i64, "record": record },
        {
            "business": "hotel", "event_id": "e-1", "occurred_at": 1_767_225_599_000_i64,
            "record": { "unreadable": "not a JSON object", "bytes": 2 },
        },
    ]);
    assert_eq!(timeline_json(&[stored(&hotel()), unreadable]), expected);
}

fn profile() -> Profile {
    let latest = |record: &Behaviour| Latest {
        at_ms: record.occurred_at,
        id: record.event_id.to_string(),
        body: stored(record).body,
    };
    let hotels = LineProfile {
        first_ms: NOW - 86_400_000,
        last_ms: NOW - 1000,
        latest: [("search".to_owned(), latest(&search())), ("view".to_owned(), latest(&hotel()))].into(),
        counts: [("view".to_owned(), [(20_452, 3), (20_453, 1)].into())].into(),
    };
    let flights = LineProfile {
        first_ms: 0,
        last_ms: NOW - 1000,
        latest: [("view".to_owned(), latest(&flight()))].into(),
        counts: [("view".to_owned(), [(20_453, 12)].into())].into(),
    };
    Profile {
        lines: [("hotel".to_owned(), hotels), ("机票".to_owned(), flights)].into(),
        whole: squall::store::timeline::Whole::Unknown,
    }
}

#[test]
fn a_profile_lines_up() {
    let expected = "\
BUSINESS  ACTION  COUNT  DAYS  LATEST (UTC)             ITEM         SEEN (UTC)
hotel     search  0      0     2025-12-31 23:59:59.000               2025-12-31 00:00:00.000 to 2025-12-31 23:59:59.000
          view    4      2     2025-12-31 23:59:59.000  hotel-7
机票      view    12     1     2025-12-31 23:59:59.000  上海→東京✈️  1970-01-01 00:00:00.000 to 2025-12-31 23:59:59.000
";
    assert_eq!(profile_table(&profile()), expected);
}

#[test]
fn a_profile_as_json_counts_by_date() {
    let json = profile_json(&profile());
    let flights = &json["businesses"]["机票"];
    assert_eq!(flights["counts"], json!({ "view": { "2025-12-31": 12 } }));
    assert_eq!((&flights["first_seen"], &flights["last_seen"]), (&json!(0), &json!(NOW - 1000)));
    assert_eq!(flights["latest"]["view"]["item_id"], "上海→東京✈️");
    let hotels = &json["businesses"]["hotel"];
    assert_eq!(hotels["counts"]["view"], json!({ "2025-12-30": 3, "2025-12-31": 1 }));
    assert_eq!(hotels["latest"]["search"]["event_id"], "e-0");
}

#[test]
fn nothing_reaches_the_terminal_as_a_control_sequence() {
    assert_eq!(printable("a\u{1b}[31m\n\u{202e}b\u{7f}"), "a\\u{1b}[31m\\u{a}\\u{202e}b\\u{7f}");
}

#[test]
fn times_beyond_the_calendar_stay_numbers() {
    assert_eq!(moment(0), "1970-01-01 00:00:00.000");
    assert_eq!(moment(1), "1970-01-01 00:00:00.001");
    assert_eq!(moment(1 << 53), (1_i64 << 53).to_string());
    assert_eq!((day(20_453), day(i64::MAX)), ("2025-12-31".to_owned(), i64::MAX.to_string()));
}
