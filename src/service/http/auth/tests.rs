//! Tokens and keys round a router.
#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router as Routes};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;
use crate::service::config::Secret;
use crate::service::http::CheckLayer;

const READ: &str = "a-token-that-reads-0";
const OPERATE: &str = "a-token-that-operates";

fn tokens() -> AdminTokens {
    let (read, operate) = (Secret::from(READ), Secret::from(OPERATE));
    AdminTokens::new([("ann", Role::Read, &read), ("bob", Role::Operate, &operate)]).unwrap()
}

/// Says whose the request is, and fails if a secret came through.
async fn whose(headers: HeaderMap, holder: Option<Extension<Holder>>, app: Option<Extension<AppId>>) -> String {
    assert!(!headers.contains_key(AUTHORIZATION) && !headers.contains_key(APP_KEY));
    let holder = holder.map_or(String::new(), |Extension(holder)| holder.name.to_string());
    holder + app.map_or(String::new(), |Extension(app)| app.as_str().to_owned()).as_str()
}

async fn ask(router: &Router, headers: &[(&str, &str)]) -> Response {
    let mut request = Request::get("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn text(response: Response) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn a_token_says_who_it_is() {
    let router = Routes::new().route("/", get(whose)).layer(CheckLayer::new(tokens()));
    for (value, name) in [
        (format!("Bearer {READ}"), "ann"),
        (format!("bearer {OPERATE}"), "bob"),
        (format!("BEARER   {READ}  "), "ann"),
    ] {
        let answer = ask(&router, &[("authorization", &value)]).await;
        assert_eq!((answer.status(), text(answer).await.as_str()), (StatusCode::OK, name), "{value}");
    }
}

#[tokio::test]
async fn no_token_and_a_wrong_one_are_401_with_a_challenge() {
    let router = Routes::new().route("/", get(whose)).layer(CheckLayer::new(tokens()));
    let good = format!("Bearer {READ}");
    let (longer, shorter) = (format!("{good}0"), good[..good.len() - 1].to_owned());
    let basic = format!("Basic {READ}");
    let (missing, wrong) = ("Bearer realm=\"squall\"", "Bearer realm=\"squall\", error=\"invalid_token\"");
    for (headers, challenge) in [
        (vec![], missing),
        (vec![("authorization", "")], missing),
        (vec![("authorization", "Bearer")], missing),
        (vec![("authorization", "Bearer  ")], missing),
        (vec![("authorization", basic.as_str())], missing),
        (vec![("authorization", READ)], missing),
        (vec![("authorization", good.as_str()), ("authorization", good.as_str())], missing),
        (vec![("authorization", longer.as_str())], wrong),
        (vec![("authorization", shorter.as_str())], wrong),
        (vec![("authorization", "Bearer x")], wrong),
    ] {
        let answer = ask(&router, &headers).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{headers:?}");
        assert_eq!(answer.headers()[WWW_AUTHENTICATE], challenge, "{headers:?}");
        let body = text(answer).await;
        assert!(body.contains("\"unauthorized\"") && !body.contains(READ), "{body}");
    }
}

#[tokio::test]
async fn a_role_is_needed_and_one_that_operates_may_read() {
    let of = |role| {
        let routes = get(whose).route_layer(CheckLayer::new(RequireRole(role)));
        Routes::new().route("/", routes).layer(CheckLayer::new(tokens()))
    };
    for (role, token, status) in [
        (Role::Read, READ, StatusCode::OK),
        (Role::Read, OPERATE, StatusCode::OK),
        (Role::Operate, READ, StatusCode::FORBIDDEN),
        (Role::Operate, OPERATE, StatusCode::OK),
    ] {
        let answer = ask(&of(role), &[("authorization", &format!("Bearer {token}"))]).await;
        assert_eq!(answer.status(), status, "{role:?} {token}");
        if status == StatusCode::FORBIDDEN {
            let challenge = "Bearer realm=\"squall\", error=\"insufficient_scope\"";
            assert_eq!(answer.headers()[WWW_AUTHENTICATE], challenge);
            assert!(text(answer).await.contains("the token `ann` has the role read; this needs operate"));
        }
    }
    // Without the layer that looks for tokens nobody passes.
    let bare = Routes::new().route("/", get(whose).route_layer(CheckLayer::new(RequireRole(Role::Read))));
    assert_eq!(ask(&bare, &[]).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn keys_say_which_app_it_is() {
    let keys = [("shop", "shop-key-old"), ("shop", "shop-key-new"), ("blog", "blog-key-1")];
    let keys = keys.map(|(app, key)| (app, Secret::from(key)));
    let keys = |required| AppKeys::new(keys.iter().map(|(app, key)| (*app, key)), required).unwrap();
    let router = |required| Routes::new().route("/", get(whose)).layer(CheckLayer::new(keys(required)));
    let (open, closed) = (router(false), router(true));
    for (key, app) in [("shop-key-old", "shop"), ("shop-key-new", "shop"), ("blog-key-1", "blog")] {
        for router in [&open, &closed] {
            let answer = ask(router, &[(APP_KEY, key)]).await;
            assert_eq!((answer.status(), text(answer).await.as_str()), (StatusCode::OK, app));
        }
    }
    let answer = ask(&open, &[]).await;
    assert_eq!((answer.status(), text(answer).await.as_str()), (StatusCode::OK, ""));
    let two = [(APP_KEY, "shop-key-old"), (APP_KEY, "blog-key-1")];
    for (router, headers) in
        [(&closed, &[][..]), (&open, &[(APP_KEY, "shop-key-ol")]), (&open, &[(APP_KEY, "")]), (&open, &two)]
    {
        let answer = ask(router, headers).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{headers:?}");
        assert!(answer.headers()[WWW_AUTHENTICATE].to_str().unwrap().starts_with("AppKey "));
    }
}

#[test]
fn secrets_are_not_shown() {
    let (tokens, key) = (tokens(), Secret::from("shop-key-old"));
    let keys = AppKeys::new([("shop", &key)], true).unwrap();
    let shown =
        format!("{tokens:?} {keys:?} {:?} {:?}", CheckLayer::new(tokens.clone()), tokens.holder(READ.as_bytes()));
    for secret in [READ, OPERATE, "shop-key-old"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.contains("ann") && shown.contains("shop"), "{shown}");
}
