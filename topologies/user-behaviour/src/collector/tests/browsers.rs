//! Beacons, and pages of other origins.

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::{World, answer, record, request};

#[tokio::test]
async fn a_beacon_is_as_durable_and_says_nothing() {
    let world = World::new().await;
    for (n, kind) in ["text/plain;charset=UTF-8", "application/json", "application/x-ndjson"].iter().enumerate() {
        let body = format!("{}\n", record(&n.to_string()));
        let answered = answer(world.send(request("/v1/beacon", &[("content-type", kind)], body)).await).await;
        assert_eq!((answered.status, answered.body), (StatusCode::NO_CONTENT, serde_json::Value::Null), "{kind}");
    }
    let mixed = json!([record("3"), {}]).to_string();
    assert_eq!(world.send(request("/v1/beacon", &[], mixed)).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(world.ids().await, ["0", "1", "2", "3"]);
    assert_eq!(world.send(request("/v1/beacon", &[], "[{}]")).await.status(), StatusCode::BAD_REQUEST);
    let form = request("/v1/beacon", &[("content-type", "multipart/form-data; boundary=x")], "x");
    assert_eq!(world.send(form).await.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

async fn preflight(world: &World, origin: &str) -> Option<String> {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type,traceparent"),
    ];
    let mut asked = request("/v1/behaviours", &headers, "");
    *asked.method_mut() = Method::OPTIONS;
    let answered = world.send(asked).await;
    let allowed = answered.headers().get("access-control-allow-origin");
    if allowed.is_some() {
        let headers = answered.headers()["access-control-allow-headers"].to_str().unwrap();
        for own in ["x-app-key", "traceparent", "x-request-timeout-ms"] {
            assert!(headers.contains(own), "{own}: {headers}");
        }
    }
    allowed.map(|origin| origin.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn pages_of_other_origins_may_post_only_where_the_configuration_says_so() {
    let page = "https://shop.example";
    assert_eq!(preflight(&World::new().await, page).await, None);
    let listed = World::with(|settings| settings.cors_origins = vec![page.parse().unwrap()]).await;
    assert_eq!(preflight(&listed, page).await.as_deref(), Some(page));
    assert_eq!(preflight(&listed, "https://other.example").await, None);
    let sent = request("/v1/behaviours", &[("origin", page)], record("a").to_string());
    let answered = listed.send(sent).await;
    assert_eq!(
        (answered.status(), &answered.headers()["access-control-allow-origin"]),
        (StatusCode::ACCEPTED, &page.parse().unwrap())
    );
    assert_eq!(answered.headers()["access-control-expose-headers"], "retry-after,x-request-id");
    let any = World::with(|settings| settings.cors_origins = vec!["*".parse().unwrap()]).await;
    assert_eq!(preflight(&any, page).await.as_deref(), Some("*"));
}
