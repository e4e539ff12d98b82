//! What is accepted, what is refused, and what is in the log then.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use serde_json::{Value, json};
use squall::Headers;
use squall::service::config::Secret;
use squall::service::http::TraceContext;
use squall::service::http::auth::{AppId, AppKeys};

use super::{World, answer, record, request};
use crate::format::{decode, find};
use crate::record::samples::NOW;

#[tokio::test]
async fn one_an_array_and_lines_are_accepted_and_are_in_the_log() {
    let world = World::new().await;
    let one = world.post(record("a").to_string()).await;
    assert_eq!(
        (one.status, one.body),
        (StatusCode::ACCEPTED, json!({"accepted": 1, "ids": ["a"], "rejected": []}))
    );
    let array = world.post(json!([record("b"), record("c")]).to_string()).await;
    assert_eq!(array.body["ids"], json!(["b", "c"]));
    let lines = format!("{}\n{}\n", record("d"), record("e"));
    assert_eq!(world.post(lines.clone()).await.body["ids"], json!(["d", "e"]), "told apart by content");
    let lines = lines.replace("\"d\"", "\"f\"").replace("\"e\"", "\"g\"");
    let response = world.send(request("/v1/behaviours", &[("content-type", "application/x-ndjson")], lines)).await;
    assert_eq!(answer(response).await.body["accepted"], 2);
    assert_eq!(world.ids().await, ["a", "b", "c", "d", "e", "f", "g"]);
    assert_eq!(world.collector.counts(), [7, 0, 0]);
}

#[tokio::test]
async fn a_record_in_the_log_is_as_the_other_producers_make_it() {
    let world = World::new().await;
    let trace = TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
    let mut sent = request("/v1/behaviours", &[], record("a").to_string());
    sent.extensions_mut().insert(trace);
    assert_eq!(world.send(sent).await.status(), StatusCode::ACCEPTED);
    let stored = world.records().await.remove(0);
    assert_eq!(stored.key.as_deref(), Some(&b"u-42"[..]));
    let header = |name: &str| stored.headers.last(name).map(|value| String::from_utf8_lossy(value).into_owned());
    assert_eq!(header("format").as_deref(), Some("behaviour-json"));
    assert_eq!(header("version").as_deref(), Some("1"));
    assert_eq!(header("traceparent"), Some(trace.to_string()));
    let format = find(&header("format").unwrap()).unwrap();
    let decoded = decode(format, stored.value.as_ref().unwrap(), &stored.headers, NOW).unwrap();
    assert_eq!(decoded.body().as_bytes(), stored.value.as_ref().unwrap(), "it is canonical");
    assert_eq!(decode(format, record("a").to_string().as_bytes(), &Headers::default(), NOW).unwrap(), decoded);
}

/// Whatever has to be escaped in it, or before it.
#[tokio::test]
async fn the_key_is_the_user_as_it_is() {
    let world = World::new().await;
    let cases = [("a", "u-1"), ("\"\\", "u-2"), ("b", "a\"b"), ("c", "\u{1}"), ("\n", "用户"), ("用", "u")];
    for (event, user) in cases {
        let mut sent = record(event);
        sent["user_id"] = json!(user);
        assert_eq!(world.post(sent.to_string()).await.status, StatusCode::ACCEPTED, "{event:?} {user:?}");
    }
    let keys: BTreeSet<_> = world.records().await.iter().map(|record| record.key.clone().unwrap()).collect();
    assert_eq!(keys, cases.map(|(_, user)| Bytes::from(user)).into());
}

/// A trace of which nobody asks takes no room in the log.
#[tokio::test]
async fn a_record_carries_its_callers_trace_and_one_that_is_kept() {
    let world = World::new().await;
    let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0";
    let cases =
        [("a", "0", true, true), ("b", "1", true, true), ("c", "0", false, false), ("d", "1", false, true)];
    for (id, kept, is_given, _) in cases {
        let trace = format!("{given}{kept}");
        let header = [("traceparent", trace.as_str())];
        let headers = if is_given { header.as_slice() } else { &[] };
        let mut sent = request("/v1/behaviours", headers, record(id).to_string());
        sent.extensions_mut().insert(TraceContext::parse(&trace).unwrap());
        assert_eq!(world.send(sent).await.status(), StatusCode::ACCEPTED);
    }
    let carried: Vec<bool> =
        world.records().await.iter().map(|record| record.headers.last("traceparent").is_some()).collect();
    assert_eq!(carried, cases.map(|(.., carries)| carries));
}

#[tokio::test]
async fn an_id_that_is_missing_is_derived_and_the_same_for_a_resend() {
    let world = World::new().await;
    let mut sent = record("x");
    sent.as_object_mut().unwrap().remove("event_id");
    let first = world.post(sent.to_string()).await.body["ids"].clone();
    assert_eq!(first[0].as_str().unwrap().len(), 32);
    assert_eq!(world.post(json!([sent]).to_string()).await.body["ids"], first);
    assert_eq!(world.ids().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_good_ones_of_a_batch_are_stored_and_the_bad_ones_listed() {
    let world = World::new().await;
    let mut nameless = record("b");
    nameless.as_object_mut().unwrap().remove("user_id");
    let mut ahead = record("d");
    ahead["occurred_at"] = json!(NOW + 600_000);
    let batch = json!([record("a"), nameless, record("c"), ahead, 7, {"attributes": {"x": null}}]);
    let answered = world.post(batch.to_string()).await;
    assert_eq!(answered.status, StatusCode::ACCEPTED);
    let expected = json!({"accepted": 2, "ids": ["a", "c"], "rejected": [
        {"index": 1, "field": "user_id", "reason": "is missing"},
        {"index": 3, "field": "occurred_at",
         "reason": "is 600000 ms ahead of the clock, at most 300000 ms are allowed"},
        {"index": 4, "field": null, "reason": "not a JSON object"},
        {"index": 5, "field": "attributes.x", "reason": "must be a text, a number, true or false"},
    ]});
    assert_eq!(answered.body, expected);
    assert_eq!(world.ids().await, ["a", "c"]);
    let lines = format!("{}\n{{\"event_id\":\n\n{}", record("e"), record("f"));
    let answered = world.post(lines).await;
    assert_eq!((&answered.body["ids"], &answered.body["rejected"][0]["index"]), (&json!(["e", "f"]), &json!(1)));
    assert_eq!(world.collector.counts(), [4, 5, 0]);
}

#[tokio::test]
async fn a_body_without_any_good_record_is_a_problem() {
    let world = World::new().await;
    let mut wrong = record("a");
    wrong["channel"] = json!("tv");
    let one = world.post(wrong.to_string()).await;
    assert_eq!(
        (one.status, &one.headers[CONTENT_TYPE]),
        (StatusCode::BAD_REQUEST, &"application/problem+json".parse().unwrap())
    );
    assert_eq!(one.body["code"], "invalid_request");
    assert_eq!(one.body["detail"], "the record is not valid: channel must be one of app, online, h5");
    let list = json!([{"index": 0, "field": "channel", "reason": "must be one of app, online, h5"}]);
    assert_eq!(one.body["rejected"], list);
    let many = world.post(json!([wrong, {}]).to_string()).await;
    assert_eq!((many.status, many.body["rejected"].as_array().unwrap().len()), (StatusCode::BAD_REQUEST, 2));
    assert!(world.ids().await.is_empty());
}

#[tokio::test]
async fn what_is_no_json_is_refused_with_the_place() {
    let world = World::new().await;
    let cases: [(&str, Value); 5] = [
        ("hello", json!({"offset": 0, "line": 1, "column": 1})),
        ("[{}\n{}]", json!({"offset": 4, "line": 2, "column": 1})),
        ("{} {}", json!({"offset": 3, "line": 1, "column": 4})),
        ("", json!({"offset": null})),
        ("[]", json!({"offset": null})),
    ];
    for (body, place) in cases {
        let answered = world.post(body).await;
        assert_eq!(
            (answered.status, &answered.body["code"]),
            (StatusCode::BAD_REQUEST, &json!("invalid_request")),
            "{body}"
        );
        for (name, value) in place.as_object().unwrap() {
            assert_eq!(answered.body.get(name).unwrap_or(&Value::Null), value, "{body}: {name}");
        }
    }
    let broken = world.post("{\"user_id\": \"u\", \"app_id\": tru}").await;
    let reason = broken.body["rejected"][0]["reason"].as_str().unwrap();
    assert_eq!(
        (&broken.body["rejected"][0]["field"], reason.contains("at line 1 column")),
        (&json!("app_id"), true),
        "{reason}"
    );
}

#[tokio::test]
async fn records_of_another_application_are_refused() {
    let world = World::new().await;
    let mut other = record("b");
    other["app_id"] = json!("shop");
    let mut sent = request("/v1/behaviours", &[], json!([record("a"), other]).to_string());
    sent.extensions_mut().insert(AppId::from("trip"));
    let answered = answer(world.send(sent).await).await;
    assert_eq!(answered.body["ids"], json!(["a"]));
    let rejected = json!([{"index": 1, "field": "app_id", "reason": "must be `trip`, the application that the key belongs to"}]);
    assert_eq!(answered.body["rejected"], rejected);
    assert_eq!(
        world.post(other.to_string()).await.status,
        StatusCode::ACCEPTED,
        "where nobody has a key nothing is checked"
    );
    // Nobody but itself speaks for an application that has a key.
    let keys = AppKeys::new([("shop", &Secret::from("a-long-enough-key"))], false).unwrap();
    let mut sent = request("/v1/behaviours", &[], json!([record("a"), other]).to_string());
    sent.extensions_mut().insert(keys);
    let answered = answer(world.send(sent).await).await;
    assert_eq!(answered.body["ids"], json!(["a"]));
    let reason = "is that of an application that has a key: send it as `x-app-key`";
    assert_eq!(answered.body["rejected"], json!([{"index": 1, "field": "app_id", "reason": reason}]));
}
