//! The four dimensions, by themselves and round a router.
#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::Response;
use axum::routing::get;
use http_body_util::BodyExt;
use proptest::prelude::*;
use tower::ServiceExt;

use super::*;
use crate::guard::{Clock, KeyedSettings, Limit, LiveLimit};
use crate::service::http::Peer;
use crate::service::http::auth::{AppId, AppKeys};

fn limit(per_second: u32, burst: u32) -> Option<Limit> {
    Some(Limit::new(per_second, burst).unwrap())
}

fn caller<'a>(app: Option<&'a str>, host: u8, route: &'a str) -> Caller<'a> {
    Caller { app, address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, host)), route }
}

const AT: Duration = Duration::from_secs(9);

#[tokio::test]
async fn the_first_that_refuses_wins_and_nothing_is_used_up() {
    let settings = LimitSettings {
        app: limit(1, 4),
        ip: limit(1, 3),
        route: limit(1, 2),
        service: limit(1, 1),
        ..LimitSettings::default()
    };
    let live = |dimension: Dimension| LiveLimit::new(settings.of(dimension));
    let lives = HashMap::from(Dimension::ALL.map(|dimension| (dimension, live(dimension))));
    let limits = Limits::over(|dimension| lives[&dimension].clone(), &settings, Clock::new());
    let ask = || limits.pass_at(caller(Some("a"), 1, "r"), AT).map_err(|reached| reached.dimension);
    assert_eq!(ask(), Ok(()));
    for _ in 0..9 {
        assert_eq!(ask(), Err(Dimension::Service));
    }
    // Those refusals used up nothing of the others: each has what its burst has over that of the one after it.
    for (gone, next) in [
        (Dimension::Service, Dimension::Route),
        (Dimension::Route, Dimension::Ip),
        (Dimension::Ip, Dimension::App),
    ] {
        lives[&gone].set(None);
        assert_eq!([ask(), ask(), ask()], [Ok(()), Err(next), Err(next)], "{gone:?}");
    }
}

#[tokio::test]
async fn a_refusal_further_on_leaves_what_was_asked_before_as_it_was() {
    let settings = LimitSettings { app: limit(1, 2), route: limit(1, 1), ..LimitSettings::default() };
    let limits = Limits::fixed(&settings, Clock::new());
    let ask = |route| limits.pass_at(caller(Some("a"), 1, route), AT).map_err(|reached| reached.dimension);
    assert_eq!(ask("one"), Ok(()));
    assert_eq!([(); 5].map(|()| ask("one")), [Err(Dimension::Route); 5]);
    assert_eq!([ask("two"), ask("three")], [Ok(()), Err(Dimension::App)]);
    assert_eq!(limits.pass_at(caller(Some("b"), 1, "three"), AT), Ok(()), "the app that was refused left it");
}

#[tokio::test]
async fn callers_are_told_apart_as_they_should_be() {
    let settings = LimitSettings { app: limit(1, 1), ..LimitSettings::default() };
    let limits = Limits::fixed(&settings, Clock::new());
    let ask = |app, host| limits.pass_at(caller(app, host, "r"), AT).is_ok();
    assert_eq!([ask(Some("a"), 1), ask(Some("b"), 1), ask(Some("a"), 2)], [true, true, false]);
    assert_eq!([ask(None, 1), ask(None, 2)], [true, false], "those without a key are one");

    let settings = LimitSettings { ip: limit(1, 1), ..LimitSettings::default() };
    let limits = Limits::fixed(&settings, Clock::new());
    let ask = |address: &str| {
        let caller = Caller { app: None, address: address.parse().unwrap(), route: "r" };
        limits.pass_at(caller, AT).is_ok()
    };
    assert_eq!([ask("10.0.0.1"), ask("10.0.0.2"), ask("::ffff:10.0.0.1")], [true, true, false]);
    assert_eq!([ask("2001:db8::1"), ask("2001:db8::2"), ask("2001:db8:0:1::1")], [true, false, true]);
}

#[tokio::test(start_paused = true)]
async fn keys_are_guessed_no_faster_than_an_address_may_ask() {
    let settings = LimitSettings { ip: limit(1, 3), service: limit(1, 3), ..LimitSettings::default() };
    let limits = Limits::fixed(&settings, Clock::new());
    let key = crate::service::config::Secret::from("a-long-enough-key");
    let keys = AppKeys::new([("shop", &key)], true).unwrap();
    let router = Router::new()
        .route("/", get(|app: axum::Extension<AppId>| async move { app.as_str().to_owned() }))
        .layer(limits.layer())
        .layer(limits.keys(keys));
    let ask = async |key: Option<&str>, host: u8| {
        let mut request = Request::get("/").body(Body::empty()).unwrap();
        request.extensions_mut().insert(Peer(IpAddr::V4(Ipv4Addr::new(10, 0, 0, host))));
        if let Some(key) = key {
            request.headers_mut().insert("x-app-key", key.parse().unwrap());
        }
        router.clone().oneshot(request).await.unwrap()
    };
    assert_eq!(ask(Some("another-key"), 1).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(ask(None, 1).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(ask(Some("a-third-key"), 1).await.status(), StatusCode::UNAUTHORIZED);
    for key in [Some("a-fourth-key"), None, Some("a-long-enough-key")] {
        let refused = ask(key, 1).await;
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS, "{key:?}");
        assert!(refused.headers().contains_key(RETRY_AFTER));
    }
    // Another address has its own, and the service as a whole has not been used up.
    for _ in 0..3 {
        assert_eq!(ask(Some("a-long-enough-key"), 2).await.status(), StatusCode::OK);
    }
    tokio::time::advance(Duration::from_secs(3)).await;
    assert_eq!(ask(Some("a-long-enough-key"), 1).await.status(), StatusCode::OK);
}

fn router(settings: &LimitSettings) -> Router {
    let limits = Limits::fixed(settings, Clock::new());
    Router::new()
        .route("/users/{id}", get(|| async { "yes" }))
        .route("/other", get(|| async { "yes" }))
        .layer(limits.layer())
}

async fn ask(router: &Router, path: &str, app: Option<&str>, host: Option<u8>) -> Response {
    let mut request = Request::get(path).body(Body::empty()).unwrap();
    if let Some(app) = app {
        request.extensions_mut().insert(AppId::from(app));
    }
    if let Some(host) = host {
        request.extensions_mut().insert(Peer(IpAddr::V4(Ipv4Addr::new(10, 0, 0, host))));
    }
    router.clone().oneshot(request).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_is_beyond_is_429_with_retry_after_and_a_problem_in_every_dimension() {
    let one = limit(10, 1);
    let none = LimitSettings::default();
    for (settings, dimension) in [
        (LimitSettings { app: one, ..none.clone() }, "app"),
        (LimitSettings { ip: one, ..none.clone() }, "ip"),
        (LimitSettings { route: one, ..none.clone() }, "route"),
        (LimitSettings { service: one, ..none.clone() }, "service"),
    ] {
        let router = router(&settings);
        assert_eq!(ask(&router, "/users/1", Some("shop"), Some(1)).await.status(), StatusCode::OK);
        let refused = ask(&router, "/users/2", Some("shop"), Some(1)).await;
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(refused.headers()[RETRY_AFTER], "1");
        let body = refused.into_body().collect().await.unwrap().to_bytes();
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&problem["code"], &problem["limit"]), (&"rate_limited".into(), &dimension.into()));
        assert_eq!(problem["per_second"], 10);
        let other = ask(&router, "/other", Some("blog"), Some(2)).await.status();
        assert_eq!(other.is_success(), dimension != "service", "{dimension}");
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(ask(&router, "/users/3", Some("shop"), Some(1)).await.status(), StatusCode::OK);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_of_which_nothing_is_known_counts_too() {
    let router = router(&LimitSettings { ip: limit(1, 1), ..LimitSettings::default() });
    assert_eq!(ask(&router, "/other", None, None).await.status(), StatusCode::OK);
    assert_eq!(ask(&router, "/other", None, None).await.status(), StatusCode::TOO_MANY_REQUESTS);
    let router = self::router(&LimitSettings { route: limit(1, 1), ..LimitSettings::default() });
    assert_eq!(ask(&router, "/nothing", None, None).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(ask(&router, "/nothing/else", None, None).await.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(ask(&router, "/other", None, None).await.status(), StatusCode::OK);
}

/// When which key passed, for each dimension.
type Passed = HashMap<(Dimension, String), Vec<Duration>>;

/// Fails if more passed in any window than may.
fn check(limit: Limit, times: &[Duration]) -> Result<(), TestCaseError> {
    for (first, from) in times.iter().enumerate() {
        for (last, to) in times.iter().enumerate().skip(first) {
            let earned = u128::from(limit.per_second()) * (*to - *from).as_nanos();
            let most = u128::from(limit.burst()) * 1_000_000_000 + earned;
            prop_assert!((last - first + 1) as u128 * 1_000_000_000 <= most, "{limit}: {first} to {last}");
        }
    }
    Ok(())
}

fn any_limit() -> impl Strategy<Value = Option<Limit>> {
    prop_oneof![
        1 => Just(None),
        3 => (1u32..40, 1u32..12).prop_map(|(per_second, burst)| Limit::new(per_second, burst)),
    ]
}

proptest! {
    #[test]
    fn no_dimension_lets_more_pass_than_its_limit(
        limits in prop::array::uniform4(any_limit()),
        max_keys in 1usize..5,
        calls in prop::collection::vec(
            (prop_oneof![Just(0u64), 0u64..400_000_000], 0usize..4, 0u8..4, 0usize..3),
            1..150,
        ),
    ) {
        const APPS: [Option<&str>; 4] = [None, Some("a"), Some("b"), Some("c")];
        const ROUTES: [&str; 3] = ["/one", "/two", ""];
        let [app, ip, route, service] = limits;
        let keys = KeyedSettings { max_keys };
        let settings = LimitSettings { app, ip, route, service, keys, ..LimitSettings::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let limits = runtime.block_on(async { Limits::fixed(&settings, Clock::new()) });
        let (mut now, mut passed) = (Duration::ZERO, Passed::new());
        for (wait, app, host, route) in calls {
            now += Duration::from_nanos(wait);
            let caller = caller(APPS[app], host, ROUTES[route]);
            match limits.pass_at(caller, now) {
                Ok(()) => {
                    for (dimension, key) in [
                        (Dimension::App, format!("{:?}", caller.app)),
                        (Dimension::Ip, host.to_string()),
                        (Dimension::Route, caller.route.to_owned()),
                        (Dimension::Service, String::new()),
                    ] {
                        passed.entry((dimension, key)).or_default().push(now);
                    }
                }
                Err(reached) => {
                    prop_assert_eq!(settings.of(reached.dimension), Some(reached.exceeded.limit));
                    prop_assert!(!reached.exceeded.wait.is_zero());
                }
            }
        }
        for ((dimension, _), times) in &passed {
            if let Some(limit) = settings.of(*dimension) {
                check(limit, times)?;
            }
        }
    }
}
