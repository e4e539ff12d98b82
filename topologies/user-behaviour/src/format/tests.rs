use bytes::Bytes;
use proptest::prelude::*;
use squall::broker::LogRecord;
use squall::{Class, Classify, Headers, Origin, Record};

use super::*;
use crate::record::samples::{NOW, hotel, valid};
use crate::record::{Attribute, Behaviour, Channel, Reason};

const LINE: &str = "999477,2200475,3607361,pv,1511848894";

fn taobao(line: &[u8]) -> Result<Behaviour, DecodeError> {
    decode(&TaobaoCsv, line, &Headers::default(), NOW).map(|decoded| decoded.into_record())
}

#[test]
fn formats_are_found_by_name() {
    for format in FORMATS {
        assert_eq!(find(format.name()).map(Format::name), Ok(format.name()));
        assert!(!format.versions().is_empty());
    }
    let error = find("avro").map(Format::name).unwrap_err();
    assert_eq!(error.to_string(), "unknown format `avro`, known are behaviour-json, taobao-csv");
    assert_eq!(error.class(), Class::Fatal);
}

#[test]
fn the_header_picks_the_version() {
    let with = |version: &'static [u8]| Headers::default().with(VERSION_HEADER, version);
    let decode = |headers| decode(&TaobaoCsv, LINE.as_bytes(), &headers, NOW).map(drop);
    assert_eq!(decode(Headers::default()), Ok(()));
    assert_eq!(decode(with(b"1")), Ok(()));
    assert_eq!(decode(with(b"2").with(VERSION_HEADER, b"1".as_slice())), Ok(()), "the last header counts");
    for version in [&b"0"[..], b"2", b"", b"+1", b"1.0", b"one", b"\xff", b"99999999999999999999"] {
        let error = decode(with(version)).unwrap_err();
        assert!(matches!(error, DecodeError::UnknownVersion { .. }), "{version:?}: {error}");
        assert_eq!((error.field(), error.class()), (Some("version"), Class::Poison));
    }
    let error = decode(with(b"7")).unwrap_err();
    assert_eq!(error.to_string(), "taobao-csv has no version `7`, known are 1 to 1");
}

#[test]
fn a_record_of_the_log_is_decoded_and_a_tombstone_refused() {
    let origin = Origin { topic: "behaviour".into(), partition: 0, offset: 0, attempt: 0 };
    let mut record: LogRecord = Record::new(origin, Some(Bytes::from_static(LINE.as_bytes())));
    assert_eq!(decode_record(&TaobaoCsv, &record, NOW).unwrap().record().user_id, "999477");
    record.value = None;
    assert_eq!(decode_record(&TaobaoCsv, &record, NOW), Err(DecodeError::NoValue));
}

#[test]
fn a_taobao_line_becomes_a_record() {
    let record = taobao(LINE.as_bytes()).unwrap();
    assert_eq!(record.user_id, "999477");
    assert_eq!(record.item_id, "2200475");
    assert_eq!(record.attributes.get("category"), Some(&Attribute::from("3607361")));
    assert_eq!(record.attributes.len(), 1);
    assert_eq!(record.action, "view");
    assert_eq!(record.occurred_at, 1_511_848_894_000);
    assert_eq!((&*record.business, &*record.app_id, record.channel), ("retail", "taobao", Channel::App));
    assert_eq!(record.event_id, record.derive_event_id());
    for end in ["\n", "\r\n", "\r"] {
        assert_eq!(taobao(format!("{LINE}{end}").as_bytes()).unwrap(), record);
    }
    for (theirs, ours) in [("pv", "view"), ("buy", "order"), ("cart", "cart"), ("fav", "favourite")] {
        assert_eq!(taobao(format!("1,2,3,{theirs},4").as_bytes()).unwrap().action, ours);
    }
    assert_eq!(taobao(b"1,,3,pv,4").unwrap().item_id, "");
}

#[test]
fn each_broken_taobao_line_names_its_field() {
    let long_user = format!("{},2,3,pv,4", "1".repeat(65));
    let long_item = format!("1,{},3,pv,4", "2".repeat(129));
    let long_category = format!("1,2,{},pv,4", "3".repeat(4096));
    let cases: &[(&[u8], Option<&str>, &str)] = &[
        (b"", None, "1 columns instead of 5"),
        (b"1,2,3,pv", None, "4 columns instead of 5"),
        (b"1,2,3,pv,4,5", None, "6 columns instead of 5"),
        (b"1,2,3,pv,4\n1,2,3,pv,4", None, "more than one line"),
        (b"1,\xff,3,pv,4", None, "not UTF-8 after byte 2"),
        (b",2,3,pv,4", Some("user_id"), "must not be empty"),
        (b"a\0,2,3,pv,4", Some("user_id"), "must not contain the character NUL"),
        (long_user.as_bytes(), Some("user_id"), "has 65 bytes, at most 64 are allowed"),
        (long_item.as_bytes(), Some("item_id"), "has 129 bytes, at most 128 are allowed"),
        (b"1,2,,pv,4", Some("attributes.category"), "must not be empty"),
        (long_category.as_bytes(), Some("attributes"), "has 4111 bytes, at most 4096 are allowed"),
        (b"1,2,3,PV,4", Some("action"), "must be one of pv, buy, cart, fav"),
        (b"1,2,3,,4", Some("action"), "must be one of pv, buy, cart, fav"),
        (b"1,2,3,pv,", Some("occurred_at"), "must be whole Unix seconds"),
        (b"1,2,3,pv, 4", Some("occurred_at"), "must be whole Unix seconds"),
        (b"1,2,3,pv,+4", Some("occurred_at"), "must be whole Unix seconds"),
        (b"1,2,3,pv,4.5", Some("occurred_at"), "must be whole Unix seconds"),
        (b"1,2,3,pv,-4", Some("occurred_at"), "is out of range, allowed is 0 to 2^53 milliseconds"),
        (b"1,2,3,pv,9223372036854775", Some("occurred_at"), "is out of range, allowed is 0 to 2^53 milliseconds"),
        (
            b"1,2,3,pv,99999999999999999999",
            Some("occurred_at"),
            "is out of range, allowed is 0 to 2^53 milliseconds",
        ),
        (
            b"1,2,3,pv,1767225901",
            Some("occurred_at"),
            "is 301000 ms ahead of the clock, at most 300000 ms are allowed",
        ),
    ];
    for (line, field, reason) in cases {
        let error = taobao(line).unwrap_err();
        assert_eq!((error.field(), &*error.reason()), (*field, *reason), "{}", line.escape_ascii());
        assert_eq!(error.class(), Class::Poison);
    }
}

#[test]
fn what_taobao_lines_cannot_say_is_refused() {
    let plain = taobao(LINE.as_bytes()).unwrap();
    type Change = (&'static str, fn(&mut Behaviour));
    let changes: [Change; 10] = [
        ("action", |r| r.action = "pay".into()),
        ("attributes", |r| drop(r.attributes.insert("x", 1))),
        ("attributes", |r| drop(r.attributes.insert("category", 1))),
        ("attributes", |r| drop(r.attributes.insert("category", "a,b"))),
        ("app_id", |r| r.app_id = "trip".into()),
        ("channel", |r| r.channel = Channel::H5),
        ("business", |r| r.business = "hotel".into()),
        ("user_id", |r| r.user_id = "a,b".into()),
        ("occurred_at", |r| r.occurred_at += 1),
        ("event_id", |r| r.event_id = "mine".into()),
    ];
    for (field, change) in changes {
        let mut record = plain.clone();
        change(&mut record);
        let mut out = b"before".to_vec();
        let error = TaobaoCsv.encode(&record, &mut out).unwrap_err();
        assert_eq!((&*error.field, error.reason), (field, Reason::Inexpressible { format: "taobao-csv" }));
        assert_eq!(out, b"before");
    }
}

proptest! {
    #[test]
    fn json_round_trips(record in valid()) {
        let mut bytes = Vec::new();
        BehaviourJson.encode(&record, &mut bytes).unwrap();
        let decoded = decode(&BehaviourJson, &bytes, &Headers::default(), NOW).unwrap();
        prop_assert_eq!(decoded.record(), &record);
        prop_assert_eq!(decoded.into_body(), bytes);
    }

    #[test]
    fn taobao_lines_round_trip(
        user in "[0-9a-z用]{1,16}", item in "[0-9]{0,20}", category in "[0-9]{1,20}",
        behaviour in "pv|buy|cart|fav", seconds in 0..1_767_225_600_i64,
    ) {
        let line = format!("{user},{item},{category},{behaviour},{seconds}");
        let record = taobao(line.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        TaobaoCsv.encode(&record, &mut bytes).unwrap();
        prop_assert_eq!(std::str::from_utf8(&bytes).unwrap(), line);
    }

    #[test]
    fn what_encodes_as_a_taobao_line_decodes_to_the_same(record in valid(), seconds in 0..1_767_225_600_i64) {
        let mut record = record;
        record.app_id = "taobao".into();
        record.channel = Channel::App;
        record.business = "retail".into();
        record.action = "order".into();
        record.occurred_at = seconds * 1000;
        record.attributes = crate::record::Attributes::default();
        record.attributes.insert("category", record.event_id.clone());
        record.event_id = "".into();
        let mut line = Vec::new();
        if TaobaoCsv.encode(&record, &mut line).is_ok() {
            record.event_id = record.derive_event_id();
            prop_assert_eq!(taobao(&line), Ok(record));
        } else {
            let texts = [&record.user_id, &record.item_id].map(|text| text.contains([',', '\n', '\r']));
            let category = matches!(record.attributes.get("category"), Some(Attribute::Text(text)) if text.contains([',', '\n', '\r']));
            prop_assert!(texts.contains(&true) || category);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in any::<Vec<u8>>(), text in "\\PC*", line in "[0-9]*,[^,]*,[^,]*,(pv|buy|.*),-?[0-9]*") {
        for format in FORMATS {
            for input in [&bytes[..], text.as_bytes(), line.as_bytes()] {
                if let Ok(decoded) = decode(*format, input, &Headers::default(), NOW) {
                    prop_assert_eq!(decoded.record().check(NOW), Ok(()));
                }
            }
        }
    }

    #[test]
    fn damaged_records_never_panic_and_never_break_a_rule(
        record in valid(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = Vec::new();
        record.to_json(&mut bytes);
        let (at, cut) = (at.index(bytes.len()), cut.index(bytes.len()));
        prop_assert!(decode(&BehaviourJson, &bytes[..cut], &Headers::default(), NOW).is_err());
        bytes[at] = byte;
        if let Ok(decoded) = decode(&BehaviourJson, &bytes, &Headers::default(), NOW) {
            prop_assert_eq!(decoded.record().check(NOW), Ok(()));
        }
    }
}

#[test]
fn the_sample_decodes() {
    let mut bytes = Vec::new();
    hotel().to_json(&mut bytes);
    assert_eq!(decode(&BehaviourJson, &bytes, &Headers::default(), NOW).unwrap().record(), &hotel());
}
