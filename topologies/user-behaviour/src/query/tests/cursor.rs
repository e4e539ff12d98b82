//! Cursors and query strings of any kind.

use proptest::prelude::*;

use crate::query::api::{cursor_place, cursor_token, page_of};
use crate::query::read::{Ask, Place};
use crate::record::{MAX_ID, MAX_OCCURRED_AT};

fn ask(user: &str, business: Option<&str>) -> Ask {
    Ask { user: user.into(), business: business.map(Into::into), action: None, before: None, limit: 20 }
}

proptest! {
    #[test]
    fn a_place_comes_back_from_its_token(at_ms in 0..=MAX_OCCURRED_AT, id in "[^\\x00]{1,16}", user in ".{1,9}") {
        let (mine, place) = (ask(&user, Some("hotel")), Place { at_ms, id: id.into() });
        let token = cursor_token(&mine, &place);
        prop_assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        prop_assert_eq!(cursor_place(&Ask { limit: 7, ..mine }, &token), Some(place));
        prop_assert_eq!(cursor_place(&ask(&user, None), &token), None);
    }

    #[test]
    fn no_other_text_is_a_token(token in ".*", bytes in "[A-Za-z0-9_-]{0,120}") {
        prop_assert_eq!(cursor_place(&ask("u", None), &token), None);
        prop_assert_eq!(cursor_place(&ask("u", None), &bytes), None);
    }

    #[test]
    fn any_query_string_is_a_page_within_bounds_or_a_problem(
        user in ".{0,70}",
        pairs in proptest::collection::vec(("business|action|limit|before|.*", "[0-9]{0,4}|.{0,40}"), 0..5),
    ) {
        if let Ok(ask) = page_of(&user, &pairs) {
            prop_assert!((1..=200).contains(&ask.limit) && (1..=64).contains(&ask.user.len()));
            prop_assert!(ask.before.is_none());
        }
    }
}

/// The fuzzer begins with tokens that name a place: by chance it would never come upon one.
#[test]
fn the_fuzzer_knows_tokens() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fuzz/corpus/cursor_token");
    let longest = "x".repeat(MAX_ID);
    for (file, at_ms, id) in [("recent", 1_795_291_311_687, "1a-0"), ("longest", MAX_OCCURRED_AT, &longest)] {
        let token = cursor_token(&ask("u-1", None), &Place { at_ms, id: id.into() });
        let seed = std::fs::read_to_string(format!("{corpus}/{file}")).unwrap_or_default();
        assert_eq!(seed, token, "{file}");
    }
}
