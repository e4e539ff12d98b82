//! Bodies into records.

use proptest::prelude::*;
use serde_json::Value;

use crate::collector::split::{Framing, SplitError, split};

fn texts(body: &str, framing: Framing) -> Vec<&str> {
    let records = split(body.as_bytes(), framing, 10).unwrap_or_else(|error| panic!("{body}: {error}"));
    records.into_iter().map(|record| std::str::from_utf8(record).unwrap()).collect()
}

#[test]
fn records_are_found_however_they_are_put_together() {
    use Framing::{Json, Lines};
    let cases: [(Framing, &str, &[&str]); 15] = [
        (Json, "{}", &["{}"]),
        (Json, " \n {\"a\":\n1} \n", &["{\"a\":\n1}"]),
        (Json, "[{}]", &["{}"]),
        (Json, "[ {\"a\":[1,{}]} ,\n{} ]\n", &["{\"a\":[1,{}]}", "{}"]),
        (Json, r#"[{"a":"]},{"},{"b":"\"\\"}]"#, &[r#"{"a":"]},{"}"#, r#"{"b":"\"\\"}"#]),
        (Json, r#"[1, null,"a,b", [2]]"#, &["1", "null", "\"a,b\"", "[2]"]),
        (Json, "{}\n{}", &["{}", "{}"]),
        (Json, "{\"a\":1}\r\n\r\n{\"b\":2}\r\n", &["{\"a\":1}", "{\"b\":2}"]),
        (Json, "{}\nnot json\n{}", &["{}", "not json", "{}"]),
        (Json, "{\"a\":\n{}\n", &["{\"a\":", "{}"]),
        (Json, "{\"a\":", &["{\"a\":"]),
        (Json, "{\"a\":\"x\n", &["{\"a\":\"x"]),
        (Lines, "{}\n\n \n{}", &["{}", "{}"]),
        (Lines, "[1]\nx", &["[1]", "x"]),
        (Lines, "{\"a\":\n1}", &["{\"a\":", "1}"]),
    ];
    for (framing, body, expected) in cases {
        assert_eq!(texts(body, framing), expected, "{body}");
    }
}

#[test]
fn what_is_no_list_of_records_is_refused_with_the_place() {
    let place = |body: &str| match split(body.as_bytes(), Framing::Json, 10) {
        Err(SplitError::Malformed { offset, line, column, .. }) => (offset, line, column),
        other => panic!("{body}: {other:?}"),
    };
    for (body, expected) in [
        ("hello", (0, 1, 1)),
        ("\n  7", (3, 2, 3)),
        ("\u{feff}{}", (0, 1, 1)),
        ("[{},]", (4, 1, 5)),
        ("[,{}]", (1, 1, 2)),
        ("[{}", (3, 1, 4)),
        ("[{}\n{}]", (4, 2, 1)),
        ("[{}] x", (5, 1, 6)),
        ("[\n{\"a\":\"", (8, 2, 7)),
        ("[{\"a\":1]}]", (8, 1, 9)),
        ("{} {}", (3, 1, 4)),
        ("{}]", (2, 1, 3)),
        ("{\n}\n{}", (4, 3, 1)),
    ] {
        assert_eq!(place(body), expected, "{body}");
    }
    for body in ["", "  \n", "[]", " [ ] "] {
        assert_eq!(split(body.as_bytes(), Framing::Json, 10), Err(SplitError::Empty), "{body}");
    }
    assert_eq!(split(b"\n \n", Framing::Lines, 10), Err(SplitError::Empty));
}

#[test]
fn the_number_of_records_is_bounded() {
    let array = format!("[{}]", ["{}"; 11].join(","));
    assert_eq!(split(array.as_bytes(), Framing::Json, 10), Err(SplitError::TooMany(10)));
    assert_eq!(split(array.as_bytes(), Framing::Json, 11).unwrap().len(), 11);
    let lines = "{}\n".repeat(11);
    assert_eq!(split(lines.as_bytes(), Framing::Lines, 10), Err(SplitError::TooMany(10)));
    assert_eq!(split(lines.as_bytes(), Framing::Json, 11).unwrap().len(), 11);
}

/// Depth costs nothing.
#[test]
fn a_million_brackets_are_one_record() {
    let deep = format!("[{}{}]", "[".repeat(1_000_000), "]".repeat(1_000_000));
    assert_eq!(split(deep.as_bytes(), Framing::Json, 10).unwrap().len(), 1);
    let open = "[".repeat(1_000_000);
    assert!(matches!(split(open.as_bytes(), Framing::Json, 10), Err(SplitError::Malformed { .. })));
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn it_agrees_with_a_parser(values in prop::collection::vec(json(), 1..6), pretty in any::<bool>()) {
        let array = Value::from(values.clone());
        let body = if pretty { serde_json::to_string_pretty(&array) } else { serde_json::to_string(&array) }.unwrap();
        let records = split(body.as_bytes(), Framing::Json, 10).unwrap();
        let read: Vec<Value> = records.iter().map(|record| serde_json::from_slice(record).unwrap()).collect();
        prop_assert_eq!(&read, &values);
        let lines = values.iter().map(|value| value.to_string() + "\n").collect::<String>();
        let records = split(lines.as_bytes(), Framing::Lines, 10).unwrap();
        let read: Vec<Value> = records.iter().map(|record| serde_json::from_slice(record).unwrap()).collect();
        prop_assert_eq!(&read, &values);
    }

    /// Records are parts of the body, in order, and do not overlap; nothing panics, whatever the bytes.
    #[test]
    fn any_bytes_are_taken_or_refused(body in "[\\[\\]{}\",:a1\\\\ \n]{0,40}", raw in prop::collection::vec(any::<u8>(), 0..40)) {
        for (body, framing) in [(body.as_bytes(), Framing::Json), (body.as_bytes(), Framing::Lines), (&raw, Framing::Json)] {
            let Ok(records) = split(body, framing, 10) else { continue };
            prop_assert!(!records.is_empty() && records.len() <= 10);
            let mut after = 0;
            for record in records {
                let at = record.as_ptr() as usize - body.as_ptr() as usize;
                prop_assert!(at >= after && !record.is_empty());
                after = at + record.len();
            }
            prop_assert!(after <= body.len());
        }
    }
}
