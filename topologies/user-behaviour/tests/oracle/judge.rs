//! The oracle itself, on cases that were worked out by hand.

use std::collections::BTreeMap;

use super::oracle::{DAY_MS, Fields, Oracle};

fn event(id: &str, business: &str, action: &str, at: i64) -> Fields {
    Fields {
        event_id: id.to_owned(),
        user_id: "u".to_owned(),
        app_id: "a".to_owned(),
        channel: "app".to_owned(),
        business: business.to_owned(),
        action: action.to_owned(),
        item_id: String::new(),
        occurred_at: at,
        attributes: BTreeMap::new(),
    }
}

fn oracle(events: impl IntoIterator<Item = Fields>) -> Oracle {
    let mut oracle = Oracle::default();
    events.into_iter().for_each(|fields| oracle.add(fields));
    oracle
}

#[test]
fn a_timeline_keeps_the_newest_and_nothing_too_old() {
    let events = ["a", "b", "c", "d"].iter().zip([10, 40, 20, 30]).map(|(id, at)| event(id, "hotel", "view", at));
    let oracle = oracle(events);
    let ids = |keep, age| -> Vec<String> {
        oracle.timeline("u", "hotel", keep, age).into_iter().map(|fields| fields.event_id).collect()
    };
    assert_eq!(ids(10, 1000), ["b", "d", "c", "a"]);
    assert_eq!(ids(2, 1000), ["b", "d"]);
    assert_eq!(ids(10, 20), ["b", "d"], "an entry goes when it is as old as the limit");
    assert!(oracle.timeline("u", "train", 10, 1000).is_empty());
}

#[test]
fn an_event_stands_in_its_newest_version_the_last_of_equal_ones() {
    let oracle =
        oracle([event("a", "hotel", "view", 20), event("a", "hotel", "old", 10), event("a", "hotel", "new", 20)]);
    let timeline = oracle.timeline("u", "hotel", 10, 1000);
    assert_eq!(timeline, [event("a", "hotel", "new", 20)]);
    let row = &oracle.rows()[&("u".to_owned(), "a".to_owned())];
    assert_eq!(row.action, "new");
}

#[test]
fn a_profile_counts_distinct_events_by_day_within_the_window_of_the_user() {
    let oracle = oracle([
        event("a", "hotel", "view", 1),
        event("a", "hotel", "view", 1),
        event("b", "hotel", "view", DAY_MS - 1),
        event("c", "hotel", "view", DAY_MS),
        event("d", "train", "pay", 2 * DAY_MS),
    ]);
    let counts = |days| oracle.profile("u", days)["hotel"].counts.clone();
    assert_eq!(counts(3)["view"], BTreeMap::from([(0, 2), (1, 1)]));
    assert_eq!(counts(2)["view"], BTreeMap::from([(1, 1)]), "another business moves the window");
    assert!(counts(1).is_empty());
    let hotel = &oracle.profile("u", 3)["hotel"];
    assert_eq!((hotel.first_ms, hotel.last_ms), (1, DAY_MS));
    assert_eq!(hotel.latest["view"], (DAY_MS, "c".to_owned()));
}

#[test]
#[should_panic(expected = "two contents, one id")]
fn an_id_that_two_contents_share_is_noticed() {
    let mut oracle = Oracle::default();
    oracle.taobao("1,2,3,pv,4", "id");
    oracle.taobao("1,2,3,pv,5", "id");
}

#[test]
#[should_panic(expected = "one content, two ids")]
fn a_content_with_two_ids_is_noticed() {
    let mut oracle = Oracle::default();
    oracle.taobao("1,2,3,pv,4", "id");
    oracle.taobao("1,2,3,pv,4", "other");
}
