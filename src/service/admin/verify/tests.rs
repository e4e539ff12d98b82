use std::collections::BTreeMap;

use proptest::prelude::*;

use super::bound::{Given, parse_bound, parse_since};
use super::found::as_text as found_text;
use super::report::as_text;
use crate::service::admin::moment::Moment;
use crate::service::verify::{
    AtSink, Bound, Found, InLog, Missing, Range, Report, SinkReport, Skip, SkippedBy, Tally, Verdict, Wait,
};

#[test]
fn ends_are_read_as_people_write_them() {
    let offsets = |pairs: &[(u32, u64)]| Ok(Given::Bound(Bound::Offsets(pairs.iter().copied().collect())));
    assert_eq!(parse_bound("earliest"), Ok(Given::Bound(Bound::Earliest)));
    assert_eq!(parse_bound(" latest "), Ok(Given::Bound(Bound::Latest)));
    assert_eq!(parse_bound("3:41"), offsets(&[(3, 41)]));
    assert_eq!(parse_bound("0:5, 1:7"), offsets(&[(0, 5), (1, 7)]));
    assert_eq!(parse_bound("2017-11-28T06:01:34Z"), Ok(Given::Moment(Moment::At(1_511_848_894_000))));
    assert_eq!(parse_bound("2h").map(|given| given.bound(7_200_001)), Ok(Bound::Time(1)));
    assert_eq!(parse_since("1511848894000"), Ok(1_511_848_894_000));
}

#[test]
fn what_is_no_end_says_how_to_write_one() {
    for text in ["", "first", "0:", ":5", "0:x", "0:5,", "1", "0:5;1:5"] {
        let error = parse_bound(text).expect_err(text);
        assert!(error.contains("earliest, latest, P:O,P:O"), "{error}");
    }
    assert!(parse_bound("0:5,0:6").unwrap_err().contains("twice"));
    assert!(parse_bound("0:99999999999999999999").unwrap_err().contains("no place"));
}

proptest! {
    #[test]
    fn nothing_panics(text in "\\PC{0,40}") {
        let _any = parse_bound(&text);
    }

    #[test]
    fn offsets_are_read(pairs in proptest::collection::btree_map(any::<u32>(), any::<u64>(), 1..5)) {
        let text: Vec<_> = pairs.iter().map(|(partition, offset)| format!("{partition}:{offset}")).collect();
        let pairs: BTreeMap<u32, u64> = pairs;
        prop_assert_eq!(parse_bound(&text.join(",")), Ok(Given::Bound(Bound::Offsets(pairs))));
    }
}

fn report() -> Report {
    let mut tally = Tally::default();
    [Verdict::Stored, Verdict::Stored, Verdict::Missing].into_iter().for_each(|verdict| tally.add(verdict));
    Report {
        topic: "orders".to_owned(),
        ranges: vec![(Range { partition: 0, from: 10, to: 13 }, 13)],
        records: 3,
        sinks: vec![SinkReport { sink: "rows".to_owned(), tally }],
        missing: 1,
        first_missing: vec![Missing {
            partition: 0,
            offset: 12,
            name: "order 7".to_owned(),
            sinks: vec!["rows".to_owned()],
        }],
        ..Report::default()
    }
}

#[test]
fn a_report_shows_the_verdicts_and_what_is_missing() {
    let expected = "\
SINK  STORED  NEWER  EXPIRED  WAITING  DEAD  IN FLIGHT  SKIPPED  MISSING
rows  2       0      0        0        0     0          0        1

3 records of orders, 0:10..13
1 missing

OFFSET  MISSING IN  RECORD
0:12    rows        order 7
";
    assert_eq!(as_text(&report(), None, false), expected);
    let many = Report { missing: 31, ..report() };
    assert!(as_text(&many, None, false).contains("and 30 more; --missing FILE"));
    let with_file = as_text(&many, Some("gaps.jsonl".as_ref()), false);
    assert!(with_file.ends_with("all are in gaps.jsonl; `backfill create --ranges` takes it\n"), "{with_file}");
    let none = Report { missing: 0, first_missing: Vec::new(), ..report() };
    assert!(as_text(&none, None, false).ends_with("nothing is missing"));
}

#[test]
fn a_report_for_programs_has_every_verdict() {
    let json = report().json();
    assert_eq!((&json["sinks"]["rows"]["stored"], &json["sinks"]["rows"]["in_flight"]), (&2.into(), &0.into()));
    assert_eq!((&json["missing"], &json["first_missing"][0]["offset"]), (&1.into(), &12.into()));
    assert_eq!(json["ranges"][0]["committed"], 13);
}

#[test]
fn a_record_says_where_it_is() {
    let at = |sink: &str, verdict| AtSink {
        sink: Some(sink.to_owned()),
        verdict: Some(verdict),
        waits: Vec::new(),
        letters: Vec::new(),
    };
    let wait = Wait {
        queue: "retry-10s".to_owned(),
        due_ms: 8_000,
        attempts: 2,
        first_failure_ms: 1_000,
        last_failure_ms: 2_000,
        error: "away\u{1b}[2J".to_owned(),
    };
    let range = Range { partition: 3, from: 0, to: 99 };
    let found = Found {
        log: Some(InLog { partition: 3, offset: 41, time_ms: 0 }),
        committed: Some(true),
        name: Some("u-1/e-1@5".to_owned()),
        undecodable: None,
        sinks: vec![
            at("timelines", Verdict::Skipped),
            AtSink { waits: vec![wait], ..at("rows", Verdict::Waiting) },
        ],
        skip: Some(Skip { range, by: SkippedBy::Backfill { id: "b-1".to_owned() } }),
    };
    let expected = "\
u-1/e-1@5
  log        3:41, 1970-01-01 00:00:00 UTC
  group      committed
  timelines  skipped, backfill b-1 has yet to bring it
  rows       waiting, to be brought back
             retry-10s, due in 5.0 s, 2 tries, last 1 s ago: away\\u{1b}[2J
";
    assert_eq!(found_text(&found, 3_000, false), expected);
}
