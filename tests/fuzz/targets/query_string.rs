//! Any user and query string: what is taken lies within its bounds.
#![no_main]

use axum::extract::Query;
use axum::http::Uri;
use libfuzzer_sys::fuzz_target;
use user_behaviour::query::api::page_of;

fuzz_target!(|parts: (&str, &str)| {
    let (user, query) = parts;
    let Ok(uri) = format!("/v1/users/x/behaviours?{query}").parse::<Uri>() else { return };
    let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::try_from_uri(&uri) else { return };
    if let Ok(ask) = page_of(user, &pairs) {
        assert!((1..=64).contains(&ask.user.len()) && (1..=200).contains(&ask.limit));
        for name in [&ask.business, &ask.action].into_iter().flatten() {
            assert!((1..=32).contains(&name.len()));
        }
    }
});
