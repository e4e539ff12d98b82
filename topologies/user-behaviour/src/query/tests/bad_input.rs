//! What callers get wrong.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use super::support::{Does, World, views};

#[tokio::test(start_paused = true)]
async fn every_parameter_is_checked_and_named() {
    let world = World::new();
    let (id, name) = ("x".repeat(65), "x".repeat(33));
    let of = |query: &str| format!("/v1/users/u/behaviours?{query}");
    for (uri, parameter) in [
        (format!("/v1/users/{id}/behaviours"), "user_id"),
        (format!("/v1/users/{}/behaviours", "%E9%85%92".repeat(22)), "user_id"),
        ("/v1/users/%00/behaviours".to_owned(), "user_id"),
        ("/v1/users/%FF/behaviours".to_owned(), "user_id"),
        (format!("/v1/users/{id}/profile"), "user_id"),
        ("/v1/users/%00/profile".to_owned(), "user_id"),
        ("/v1/users/u/profile?limit=1".to_owned(), "limit"),
        (of("business="), "business"),
        (of(&format!("business={name}")), "business"),
        (of("business=a%00b"), "business"),
        (of("business=a&business=a"), "business"),
        (of("action="), "action"),
        (of(&format!("action={name}")), "action"),
        (of("action=a&action=b"), "action"),
        (of("limit=0"), "limit"),
        (of("limit=201"), "limit"),
        (of("limit=-1"), "limit"),
        (of("limit="), "limit"),
        (of("limit=1.5"), "limit"),
        (of("limit=99999999999999999999"), "limit"),
        (of("limit=5&limit=5"), "limit"),
        (of("before="), "before"),
        (of("before=AAAA"), "before"),
        (of("before=*"), "before"),
        (of(&format!("before={}", "A".repeat(5_000))), "before"),
        (of("user=v"), "user"),
        (of("Limit=5"), "Limit"),
    ] {
        let answer = world.get(&uri).await;
        answer.is_problem("invalid_request");
        assert_eq!(answer.json["parameter"], parameter, "{uri}: {answer:?}");
        assert!(answer.json.to_string().len() < 600, "{answer:?}");
    }
    assert_eq!((world.timelines.script.reads(), world.rows.script.reads()), (0, 0), "no store is asked");
    let good = format!("/v1/users/{}/behaviours?business={}&limit=200", "x".repeat(64), "x".repeat(32));
    assert_eq!(world.get(&good).await.status, StatusCode::OK);
    assert_eq!(world.get("/v1/users/%E9%85%92%2F%F0%9F%8F%A8/behaviours").await.json["user_id"], "酒/🏨");
}

#[tokio::test(start_paused = true)]
async fn a_question_for_many_is_checked_as_a_whole() {
    let world = World::new();
    let users = |count: usize| vec!["u"; count];
    for (body, parameter) in [
        (json!([]), "body"),
        (json!({}), "body"),
        (json!({ "users": "u" }), "body"),
        (json!({ "users": ["u"], "before": "x" }), "body"),
        (json!({ "users": ["u"], "limit": -1 }), "body"),
        (json!({ "users": ["u"], "limit": 1.5 }), "body"),
        (json!({ "users": [] }), "users"),
        (json!({ "users": users(101) }), "users"),
        (json!({ "users": ["u"], "limit": 0 }), "limit"),
        (json!({ "users": ["u"], "limit": 201 }), "limit"),
        (json!({ "users": ["u"], "business": "" }), "business"),
        (json!({ "users": ["u"], "action": "x".repeat(33) }), "action"),
    ] {
        let answer = world.post(&body).await;
        answer.is_problem("invalid_request");
        assert_eq!(answer.json["parameter"], parameter, "{body}: {answer:?}");
    }
    let post = |kind: Option<&str>, body: Vec<u8>| {
        let request = Request::post("/v1/behaviours/query");
        let request = kind.into_iter().fold(request, |request, kind| request.header("content-type", kind));
        request.body(Body::from(body)).unwrap()
    };
    for body in [&b"{"[..], b"", b"{\"users\":[\"\xff\"]}", b"null", b"{\"users\":[\"u\"]} x"] {
        world.ask(post(Some("application/json"), body.to_vec())).await.is_problem("invalid_request");
    }
    let good = br#"{"users":["u"]}"#.to_vec();
    for kind in [None, Some("text/plain"), Some("application/jsonp")] {
        world.ask(post(kind, good.clone())).await.is_problem("unsupported_media_type");
    }
    let charset = world.ask(post(Some("Application/JSON; charset=utf-8"), good)).await;
    assert_eq!(charset.status, StatusCode::OK);
    world.ask(post(Some("application/json"), vec![b' '; 70_000])).await.is_problem("too_large");
}

#[tokio::test(start_paused = true)]
async fn a_user_that_fails_fails_alone() {
    let world = World::new();
    let mut users = vec!["x".repeat(65), String::new()];
    for n in 0..98 {
        world.store(&views(&format!("u{n}"), 0..n)).await;
        users.push(format!("u{n}"));
    }
    let answer = world.post(&json!({ "users": users, "business": "hotel", "limit": 7 })).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let results = answer.json["results"].as_array().unwrap();
    assert_eq!(results.len(), 100);
    for (result, user) in results.iter().zip(&users) {
        assert_eq!(result["user_id"], user.as_str());
    }
    for bad in &results[..2] {
        assert_eq!(
            (&bad["problem"]["code"], &bad["problem"]["parameter"]),
            (&"invalid_request".into(), &"user_id".into())
        );
    }
    for (n, good) in results[2..].iter().enumerate() {
        assert_eq!(good["records"].as_array().map(Vec::len), Some(n.min(7)), "{good}");
        assert_eq!(good["next"].is_string(), n > 7);
    }
    world.timelines.script.set(Does::Fail);
    world.rows.script.set(Does::Fail);
    let away = world.post(&json!({ "users": ["u1", ""] })).await;
    assert_eq!(away.status, StatusCode::OK);
    let codes: Vec<&Value> =
        away.json["results"].as_array().unwrap().iter().map(|one| &one["problem"]["code"]).collect();
    assert_eq!(codes, ["store_unavailable", "invalid_request"]);
}
