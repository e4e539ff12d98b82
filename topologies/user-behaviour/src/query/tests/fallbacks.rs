//! Where answers come from while stores come and go.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use squall::guard::Mode;
use squall::service::http::Deadline;

use super::support::{BASE, Does, World, settle, views};

const URI: &str = "/v1/users/u/behaviours";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Redis {
    /// Has more than a page.
    Full,
    /// Has less than a page, and less than there is.
    Short,
    /// Has nothing of the user.
    Miss,
    /// Is taken out of the path.
    Off,
    Does(Does),
}

async fn world(redis: Redis, mysql: Does) -> World {
    let (world, all) = (World::new(), views("u", 0..30));
    world.store_rows(&all);
    match redis {
        Redis::Short => world.store_timelines(&all[25..]).await,
        Redis::Miss => {}
        _ => {
            world.store_timelines(&all).await;
            world.vouch("u").await;
        }
    }
    set(&world, redis, mysql);
    world
}

fn set(world: &World, redis: Redis, mysql: Does) {
    world.rows.script.set(mysql);
    match redis {
        Redis::Off => _ = world.switch.set(Mode::On),
        Redis::Does(does) => world.timelines.script.set(does),
        _ => {}
    }
}

#[tokio::test(start_paused = true)]
async fn each_state_of_the_stores_has_its_answer() {
    use Does::{Fail, Hang, Work};
    for (redis, mysql, expected, reads_redis, reads_mysql) in [
        (Redis::Full, Work, ("redis", true, 20), 1, 0),
        (Redis::Full, Fail, ("redis", true, 20), 1, 0),
        (Redis::Full, Hang, ("redis", true, 20), 1, 0),
        (Redis::Short, Work, ("mysql", true, 20), 1, 1),
        (Redis::Short, Fail, ("redis", false, 5), 1, 1),
        (Redis::Short, Hang, ("redis", false, 5), 1, 1),
        (Redis::Miss, Work, ("mysql", true, 20), 1, 1),
        (Redis::Miss, Fail, ("redis", false, 0), 1, 1),
        (Redis::Miss, Hang, ("redis", false, 0), 1, 1),
        (Redis::Off, Work, ("mysql", true, 20), 0, 1),
        (Redis::Does(Fail), Work, ("mysql", true, 20), 1, 1),
        (Redis::Does(Hang), Work, ("mysql", true, 20), 1, 1),
    ] {
        let world = world(redis, mysql).await;
        let answer = world.get(URI).await;
        assert_eq!(answer.status, StatusCode::OK, "{redis:?}, {mysql:?}: {answer:?}");
        assert_eq!(answer.told(), expected, "{redis:?}, {mysql:?}");
        let reads = (world.timelines.script.reads(), world.rows.script.reads());
        assert_eq!(reads, (reads_redis, reads_mysql), "{redis:?}, {mysql:?}");
        let newest = if expected.2 == 0 { None } else { Some(BASE + 29_000) };
        assert_eq!(answer.json["freshness"]["newest_at"].as_i64(), newest);
        assert!(
            answer.json["freshness"]["as_of"].as_i64().unwrap() > 0 && answer.json["freshness"]["lag"].is_null()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn with_both_away_only_a_caller_that_allows_it_gets_the_last_answer() {
    use Does::{Fail, Hang};
    for redis in [Redis::Off, Redis::Does(Fail), Redis::Does(Hang)] {
        for mysql in [Fail, Hang] {
            let what = format!("{redis:?}, {mysql:?}");
            let known = world(Redis::Full, Does::Work).await;
            let before = known.get(URI).await;
            set(&known, redis, mysql);
            known.get(URI).await.is_problem("store_unavailable");
            let stale = known.get_stale(URI).await;
            assert_eq!(stale.told(), ("stale", false, 20), "{what}");
            for field in ["user_id", "records", "next", "freshness"] {
                assert_eq!(stale.json[field], before.json[field], "{field}: {what}");
            }
            known.get_stale("/v1/users/u/behaviours?limit=7").await.is_problem("store_unavailable");
            tokio::time::sleep(Duration::from_secs(10)).await;
            let ask = |max: &str| Request::get(URI).header("cache-control", format!("max-stale={max}"));
            let young = known.ask(ask("5").body(Body::empty()).unwrap()).await;
            young.is_problem("store_unavailable");
            assert_eq!(known.ask(ask("60").body(Body::empty()).unwrap()).await.status, StatusCode::OK, "{what}");
            tokio::time::sleep(Duration::from_secs(300)).await;
            known.get_stale(URI).await.is_problem("store_unavailable");

            world(redis, mysql).await.get_stale(URI).await.is_problem("store_unavailable");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_miss_with_the_rows_away_is_answered_from_before_if_that_is_allowed() {
    let world = world(Redis::Full, Does::Work).await;
    world.get(URI).await;
    world.timelines.wipe();
    world.rows.script.set(Does::Fail);
    assert_eq!(world.get(URI).await.told(), ("redis", false, 0));
    assert_eq!(world.get_stale(URI).await.told(), ("stale", false, 20));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_the_request_bounds_both_steps_and_blames_no_store() {
    let world = world(Redis::Does(Does::Hang), Does::Hang).await;
    for _ in 0..30 {
        let mut request = Request::get(URI).body(Body::empty()).unwrap();
        request.extensions_mut().insert(Deadline::after(Duration::from_millis(40)));
        let began = tokio::time::Instant::now();
        let answer = world.ask(request).await;
        answer.is_problem("deadline_exceeded");
        assert_eq!(began.elapsed().as_millis() / 10, 4, "it is not waited for any longer");
    }
    world.timelines.script.set(Does::Work);
    assert_eq!(world.get(URI).await.told(), ("redis", true, 20), "no breaker is open");
}

/// A store that hangs leaves half of the time to the other one, however little there is.
#[tokio::test(start_paused = true)]
async fn a_caller_in_a_hurry_has_its_answer_from_the_rows_while_the_timelines_hang() {
    let world = world(Redis::Does(Does::Hang), Does::Work).await;
    for uri in [URI, "/v1/users/u/profile"] {
        let mut request = Request::get(uri).body(Body::empty()).unwrap();
        request.extensions_mut().insert(Deadline::after(Duration::from_millis(40)));
        let answer = world.ask(request).await;
        assert_eq!(answer.json["source"], "mysql", "{uri}: {answer:?}");
    }
}

/// What the timelines had at once is of no use to a caller that has gone by the time the rows are given up.
#[tokio::test(start_paused = true)]
async fn a_caller_in_a_hurry_has_what_the_timelines_hold_while_the_rows_hang() {
    let world = world(Redis::Short, Does::Hang).await;
    let get = |uri: &str| Request::get(uri).body(Body::empty()).unwrap();
    assert_eq!(world.ask_within(40, get(URI)).await.told(), ("redis", false, 5));
    let profile = world.ask_within(40, get("/v1/users/u/profile")).await.json;
    assert_eq!((&profile["source"], &profile["complete"]), (&"redis".into(), &false.into()), "{profile}");
    assert!(profile["businesses"]["hotel"].is_object(), "{profile}");
}

#[tokio::test(start_paused = true)]
async fn a_caller_in_a_hurry_that_allows_it_has_the_last_answer_while_both_hang() {
    let world = world(Redis::Full, Does::Work).await;
    let get = |uri: &str| Request::get(uri).header("cache-control", "max-stale").body(Body::empty()).unwrap();
    for uri in [URI, "/v1/users/u/profile"] {
        assert_eq!(world.get(uri).await.json["source"], "redis", "{uri}");
    }
    set(&world, Redis::Does(Does::Hang), Does::Hang);
    for uri in [URI, "/v1/users/u/profile"] {
        assert_eq!(world.ask_within(40, get(uri)).await.json["source"], "stale", "{uri}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_interface_that_fails_leaves_the_others_their_breakers() {
    let world = world(Redis::Full, Does::Work).await;
    world.get("/v1/users/u/profile").await;
    settle().await;
    set(&world, Redis::Does(Does::Fail), Does::Work);
    for _ in 0..20 {
        assert_eq!(world.get(URI).await.told().0, "mysql");
    }
    world.timelines.script.set(Does::Work);
    world.timelines.script.reads();
    assert_eq!(world.get(URI).await.told().0, "mysql");
    assert_eq!(world.timelines.script.reads(), 0, "the breaker of the lists is open");
    assert_eq!(world.get("/v1/users/u/profile").await.json["source"], "redis");
    let many = world.post(&serde_json::json!({ "users": ["u"] })).await;
    assert_eq!(many.json["results"][0]["source"], "redis");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.get(URI).await.told().0, "redis", "it finds out that they work again");
}
