//! Any text, as a cursor, and as the place of one: what names a place is the one token of that place, and of no other
//! question.
#![no_main]

use libfuzzer_sys::fuzz_target;
use user_behaviour::query::api::{cursor_place, cursor_token};
use user_behaviour::query::read::{Ask, Place};
use user_behaviour::record::{MAX_ID, MAX_OCCURRED_AT};

fn ask(business: Option<&str>) -> Ask {
    Ask { user: "u-1".into(), business: business.map(Into::into), action: None, before: None, limit: 20 }
}

/// Whose time is the first eight bytes, and whose id the rest.
fn place(text: &str) -> Option<Place> {
    let (time, id) = text.split_at_checked(8).filter(|(_, id)| (1..=MAX_ID).contains(&id.len()))?;
    let at_ms = time.bytes().fold(0, |ms, byte| (ms << 7) | i64::from(byte & 0x7f));
    Some(Place { at_ms: at_ms % (MAX_OCCURRED_AT + 1), id: id.into() })
}

fuzz_target!(|text: &str| {
    if let Some(place) = cursor_place(&ask(None), text) {
        assert_eq!(cursor_token(&ask(None), &place), text);
        assert_eq!(cursor_place(&ask(Some("hotel")), text), None);
    }
    let Some(place) = place(text) else { return };
    let mut token = cursor_token(&ask(None), &place);
    assert_eq!(cursor_place(&ask(Some("hotel")), &token), None);
    assert_eq!(cursor_place(&ask(None), &token).as_ref(), Some(&place));
    let at = place.at_ms as usize % token.len();
    let other = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
    token.replace_range(at..=at, other);
    assert_eq!(cursor_place(&ask(None), &token), None);
});
