//! Questions for many users, some of whom wait for a store that hangs.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::json;

use super::support::{Answer, Does, World, views};

async fn ask_within(world: &World, ms: u64, users: &[String]) -> Answer {
    let body = Body::from(json!({ "users": users }).to_string());
    let request = Request::post("/v1/behaviours/query").header("content-type", "application/json");
    let answer = world.ask_within(ms, request.body(body).unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.json["results"].as_array().map(Vec::len), Some(users.len()));
    answer
}

#[tokio::test(start_paused = true)]
async fn users_that_wait_for_the_rows_to_the_end_cost_the_others_nothing() {
    const SHORT: usize = 8;
    let world = World::new();
    let users: Vec<String> = (0..100).map(|n| format!("u{n}")).collect();
    let (short, full) = users.split_at(SHORT);
    for user in short {
        world.store_timelines(&views(user, 25..30)).await;
    }
    for user in full {
        world.store(&views(user, 0..30)).await;
        world.vouch(user).await;
    }
    world.rows.script.set(Does::Hang);
    let answer = ask_within(&world, 400, &users).await;
    for (n, user) in users.iter().enumerate() {
        let page = &answer.json["results"][n];
        let expected = if n < SHORT { (false, 5) } else { (true, 20) };
        let records = page["records"].as_array().map_or(0, Vec::len);
        assert_eq!((page["complete"] == true, records), expected, "{user}: {page}");
        assert_eq!((&page["user_id"], &page["source"]), (&json!(user), &json!("redis")), "{page}");
    }
}

#[tokio::test(start_paused = true)]
async fn users_that_are_not_read_in_time_have_a_problem_in_their_place() {
    let world = World::new();
    world.timelines.script.set(Does::Hang);
    world.rows.script.set(Does::Hang);
    let users: Vec<String> = (0..100).map(|n| format!("u{n}")).collect();
    let answer = ask_within(&world, 40, &users).await;
    for (n, user) in users.iter().enumerate() {
        let result = &answer.json["results"][n];
        assert_eq!((&result["user_id"], &result["problem"]["code"]), (&json!(user), &json!("deadline_exceeded")));
    }
}
