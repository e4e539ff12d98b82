//! The OpenAPI document.

use std::collections::BTreeSet;

use serde_json::Value;
use squall::service::http::Code;

use super::support::World;

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
            object.values().for_each(|value| references(value, found));
        }
        Value::Array(array) => array.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn it_names_all_routes_and_whatever_they_may_answer() {
    let document = World::new().get("/openapi.json").await.json;
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.")), "{document}");
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    let all =
        ["/openapi.json", "/v1/behaviours/query", "/v1/users/{user_id}/behaviours", "/v1/users/{user_id}/profile"];
    assert_eq!(paths, all);
    let every = [
        Code::InvalidRequest,
        Code::Unauthorized,
        Code::RateLimited,
        Code::Internal,
        Code::Overloaded,
        Code::DeadlineExceeded,
    ];
    let of_stores = [Code::StoreUnavailable];
    let with_body = [Code::RequestTimeout, Code::TooLarge, Code::UnsupportedMediaType];
    for (path, method, more) in [
        (all[0], "get", &[][..]),
        (all[1], "post", &with_body),
        (all[2], "get", &of_stores),
        (all[3], "get", &of_stores),
    ] {
        let responses = &document["paths"][path][method]["responses"];
        for code in every.iter().chain(more) {
            let response = &responses[code.status().as_str()];
            let (said, problem) = (response["description"].as_str().unwrap_or_default(), code.as_str());
            assert!(said.contains(problem), "{path}: {problem} is not described: {said}");
            let waits = ["429", "503"].contains(&code.status().as_str());
            assert_eq!(response["headers"]["retry-after"].is_object(), waits, "{path}, {problem}");
            assert!(response["content"]["application/problem+json"].is_object(), "{path}, {problem}");
        }
        assert!(responses["200"]["content"]["application/json"].is_object());
        let said = responses.to_string();
        for code in Code::ALL.iter().filter(|code| !every.contains(code) && !more.contains(code)) {
            assert!(!said.contains(&format!("`{}`", code.as_str())), "{path}: never {code:?}: {said}");
        }
    }
    // What is said of no operation, since it is of none.
    let about = document["info"]["description"].as_str().unwrap();
    for said in ["`404` with `not_found`", "`405` with `method_not_allowed`", "`431`", "`HEAD`", "`/readyz`"] {
        assert!(about.contains(said), "{about}");
    }
    let scheme = &document["components"]["securitySchemes"]["app_key"];
    assert_eq!((&scheme["in"], &scheme["name"]), (&"header".into(), &"x-app-key".into()));
    assert_eq!(document["security"], serde_json::json!([{}, { "app_key": [] }]), "by configuration");
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 5);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    for schema in ["Record", "ProblemDocument", "BatchQuestion", "Freshness"] {
        assert!(document["components"]["schemas"][schema]["example"].is_object(), "{schema} has an example");
    }
}
