//! Many at once.

use std::time::Duration;

use squall::store::timeline::Limits;
use tokio::task::JoinSet;

use super::support::{Answer, BASE, Does, World, record, settle, views};
use crate::query::QueryConfig;

const URI: &str = "/v1/users/u/behaviours";

async fn together(world: &World, uris: impl Iterator<Item = String>) -> Vec<Answer> {
    let mut asking = JoinSet::new();
    for uri in uris {
        let world = world.clone();
        asking.spawn(async move { world.get(&uri).await });
    }
    asking.join_all().await
}

#[tokio::test(start_paused = true)]
async fn a_thousand_misses_of_a_user_are_one_query_and_the_user_is_repaired() {
    let world = World::new();
    world.store_rows(&views("u", 0..30));
    world.rows.script.takes(Duration::from_millis(50));
    let uris = (0..1_000).map(|n| format!("{URI}?limit={}", 1 + n % 30));
    let answers = together(&world, uris).await;
    assert!(answers.iter().all(|answer| answer.told().0 == "mysql" && answer.json["complete"] == true));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.rows.script.reads(), 3, "one query for the thousand, two for the repair");
    assert_eq!(world.get(&format!("{URI}?limit=200")).await.told(), ("redis", true, 30));
    assert_eq!(world.get(&format!("{URI}?business=hotel&limit=200")).await.told(), ("redis", true, 30));
    assert_eq!(world.get(&format!("{URI}?business=none")).await.told(), ("redis", true, 0));
    assert_eq!(world.rows.script.reads(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_user_costs_a_query_now_and_then() {
    let world = World::new();
    for _ in 0..3 {
        assert_eq!(world.get(URI).await.told(), ("mysql", true, 0));
        for _ in 0..10 {
            assert_eq!(world.get(URI).await.told(), ("redis", true, 0));
        }
        assert_eq!(world.rows.script.reads(), 1);
        tokio::time::sleep(Duration::from_millis(1_001)).await;
    }
    world.store(&views("u", 0..1)).await;
    assert_eq!(world.get(URI).await.told().2, 1, "what arrives is there at once");
    world.timelines.script.set(Does::Fail);
    world.get("/v1/users/v/behaviours").await;
    world.rows.script.reads();
    assert_eq!(world.get("/v1/users/v/behaviours").await.told(), ("mysql", true, 0));
    assert_eq!(world.rows.script.reads(), 0, "also while the timelines are away");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_loses_what_it_was_known_to_have_is_found_out_at_once() {
    let world = World::new();
    world.store(&views("u", 0..5)).await;
    assert_eq!(world.get(URI).await.told(), ("mysql", true, 5), "nothing is known yet");
    settle().await;
    assert_eq!(world.get(URI).await.told(), ("redis", true, 5));
    world.timelines.wipe();
    world.store(&views("u", 5..15)).await;
    assert_eq!(world.get(URI).await.told(), ("mysql", true, 15));
    settle().await;
    assert_eq!(world.get(URI).await.told(), ("redis", true, 15));
}

#[tokio::test(start_paused = true)]
async fn a_business_that_was_not_there_is_not_taken_to_be_none_for_long() {
    let world = World::new();
    world.store(&views("u", 0..5)).await;
    world.get(URI).await;
    settle().await;
    let flights = [1, 2].map(|event| record("u", "flight", "view", 100 + event, BASE + 100_000));
    world.store(&flights[..1]).await;
    world.timelines.wipe();
    world.store(&flights[1..]).await;
    tokio::time::sleep(Duration::from_millis(1_001)).await;
    assert_eq!(world.get(&format!("{URI}?business=flight")).await.told(), ("mysql", true, 2));
}

#[tokio::test(start_paused = true)]
async fn of_a_thousand_racers_one_finds_out_whether_the_rows_work() {
    let config = QueryConfig { max_mysql_in_flight: Some(2_000), ..QueryConfig::default() };
    let world = World::with(config, Limits::default());
    world.timelines.script.set(Does::Fail);
    world.rows.script.set(Does::Fail);
    let uri = |n: usize| format!("/v1/users/u{n}/behaviours");
    for n in 0..40 {
        world.get(&uri(n)).await.is_problem("store_unavailable");
    }
    assert!(world.rows.script.reads() < 20, "the breaker opens");
    world.get(&uri(0)).await.is_problem("store_unavailable");
    assert_eq!(world.rows.script.reads(), 0);
    tokio::time::sleep(Duration::from_secs(6)).await;
    world.rows.script.takes(Duration::from_millis(50));
    let answers = together(&world, (0..1_000).map(uri)).await;
    assert_eq!(world.rows.script.reads(), 1);
    answers.iter().for_each(|answer| answer.is_problem("store_unavailable"));
}

#[tokio::test(start_paused = true)]
async fn while_the_timelines_are_away_only_some_read_the_rows_and_the_others_hear_it_fast() {
    let config = QueryConfig { max_mysql_in_flight: Some(3), ..QueryConfig::default() };
    let world = World::with(config, Limits::default());
    world.store_rows(&views("u7", 0..3));
    world.timelines.script.set(Does::Fail);
    world.rows.script.takes(Duration::from_millis(400));
    let answers = together(&world, (0..50).map(|n| format!("/v1/users/u{n}/behaviours"))).await;
    let busy = answers.iter().filter(|answer| answer.json["code"] == "overloaded");
    assert_eq!(busy.inspect(|answer| answer.is_problem("overloaded")).count(), 47);
    assert_eq!(world.rows.script.reads(), 3);
}
