//! Any text, as a cursor: what names a place is the one token of that place, and of no other question.
#![no_main]

use libfuzzer_sys::fuzz_target;
use user_behaviour::query::api::{cursor_place, cursor_token};
use user_behaviour::query::read::Ask;

fn ask(business: Option<&str>) -> Ask {
    Ask { user: "u-1".into(), business: business.map(Into::into), action: None, before: None, limit: 20 }
}

fuzz_target!(|text: &str| {
    if let Some(place) = cursor_place(&ask(None), text) {
        assert_eq!(cursor_token(&ask(None), &place), text);
        assert_eq!(cursor_place(&ask(Some("hotel")), text), None);
    }
});
