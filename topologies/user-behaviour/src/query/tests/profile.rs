//! Profiles.

use axum::http::StatusCode;
use squall::guard::Mode;
use squall::store::Timelines;
use squall::store::timeline::Limits;
use squall::testing::store::{Random, seed};

use super::support::{BASE, Does, World, record, settle, views};
use crate::query::QueryConfig;
use crate::record::Decoded;

const URI: &str = "/v1/users/u/profile";

/// Derived from the rows it says what the timelines would say.
#[tokio::test(start_paused = true)]
async fn it_is_the_same_from_either_store() {
    let seed = seed();
    println!("seed {seed}");
    for round in 0..30 {
        let mut random = Random::new(seed.wrapping_add(round));
        let world = World::new();
        let all: Vec<Decoded> = (0..1 + random.below(700))
            .map(|event| {
                let (business, action) = (random.pick(&["hotel", "flight"]), random.pick(&["view", "buy"]));
                record("u", business, action, event, BASE + 86_400_000 * random.below(60) as i64)
            })
            .collect();
        world.store(&all).await;
        world.get(URI).await;
        settle().await;
        let redis = world.get(URI).await;
        world.switch.set(Mode::On);
        let mysql = world.get(URI).await;
        assert_eq!((&redis.json["source"], &mysql.json["source"]), (&"redis".into(), &"mysql".into()));
        assert_eq!((&redis.json["complete"], &mysql.json["complete"]), (&true.into(), &true.into()));
        assert_eq!(redis.json["businesses"], mysql.json["businesses"], "seed {seed}, round {round}");
        assert_eq!(redis.json["freshness"]["newest_at"], mysql.json["freshness"]["newest_at"]);
    }
}

/// What a node has that lost its data is answered together with what it lost.
#[tokio::test(start_paused = true)]
async fn of_a_user_for_whom_the_timelines_do_not_vouch_both_stores_are_asked() {
    let mut all = views("u", 0..40);
    all.extend((40..60).map(|event| record("u", "flight", "buy", event, BASE)));
    let whole = World::new();
    whole.store(&all).await;
    whole.get(URI).await;
    settle().await;
    let expected = whole.get(URI).await;
    assert_eq!(expected.json["source"], "redis");
    let world = World::new();
    world.store_rows(&all[..58]);
    world.store_timelines(&all[30..]).await;
    let first = world.get(URI).await;
    assert_eq!((&first.json["source"], &first.json["complete"]), (&"mysql".into(), &true.into()));
    // Neither store has all of the last day; the greater count of each is not their sum.
    assert_eq!(first.json["businesses"], expected.json["businesses"]);
    settle().await;
    let second = world.get(URI).await;
    assert_eq!(
        (&second.json["source"], &second.json["businesses"]),
        (&"redis".into(), &expected.json["businesses"])
    );

    let away = World::new();
    away.store_timelines(&all).await;
    away.rows.script.set(Does::Fail);
    let answer = away.get(URI).await;
    assert_eq!((&answer.json["source"], &answer.json["complete"]), (&"redis".into(), &false.into()));
    assert_eq!(answer.json["businesses"], expected.json["businesses"]);
}

#[tokio::test(start_paused = true)]
async fn it_is_bounded_and_says_so() {
    let config = QueryConfig { profile_rows: Some(250), ..QueryConfig::default() };
    let world = World::with(config, Limits::default());
    world.store_rows(&views("u", 0..251));
    let answer = world.get(URI).await;
    assert_eq!((&answer.json["source"], &answer.json["complete"]), (&"mysql".into(), &false.into()));
    assert_eq!(answer.json["businesses"]["hotel"]["first_seen"], BASE + 1_000);
    settle().await;
    let repaired = world.get(URI).await;
    assert_eq!((&repaired.json["source"], &repaired.json["complete"]), (&"redis".into(), &true.into()));
    assert_eq!(repaired.json["businesses"]["hotel"]["first_seen"], BASE);
    assert_eq!(world.timelines.behind().owners().await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn each_state_of_the_stores_has_its_answer() {
    let world = World::new();
    let unknown = world.get(URI).await;
    assert_eq!((&unknown.json["source"], &unknown.json["complete"]), (&"mysql".into(), &true.into()));
    assert_eq!(unknown.json["businesses"], serde_json::json!({}));
    world.rows.script.reads();
    assert_eq!(world.get(URI).await.json["source"], "redis", "that there is nothing is remembered");
    assert_eq!(world.rows.script.reads(), 0);

    world.store(&views("u", 0..9)).await;
    let known = world.get(URI).await;
    assert_eq!(known.json["businesses"]["hotel"]["counts"]["view"]["2026-01-01"], 9, "{known:?}");
    assert_eq!(known.json["businesses"]["hotel"]["latest"]["view"]["event_id"], "e0008");
    world.rows.script.set(Does::Fail);
    assert_eq!(world.get(URI).await.status, StatusCode::OK);
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    world.timelines.script.set(Does::Fail);
    world.get(URI).await.is_problem("store_unavailable");
    let stale = world.get_stale(URI).await;
    assert_eq!((&stale.json["source"], &stale.json["complete"]), (&"stale".into(), &false.into()));
    assert_eq!(stale.json["businesses"], known.json["businesses"]);
    world.timelines.script.set(Does::Work);
    let none = world.get("/v1/users/v/profile").await;
    assert_eq!((&none.json["source"], &none.json["complete"]), (&"redis".into(), &false.into()));
}
