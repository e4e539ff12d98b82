//! The handlers.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use squall::service::http::{Code, Problem};
use tokio::task::JoinSet;
use utoipa::OpenApi;

use super::answer::{BatchAnswer, BatchResult, PageAnswer, ProfileAnswer};
use super::document::{ApiDocument, BodyProblems, Problems, ShedProblems, StoreProblems};
use super::params::{self, BatchQuestion, Terms, invalid};
use crate::query::QueryState;
use crate::query::read::{Ask, Interface, before_the_end};

type Pairs = Result<Query<Vec<(String, String)>>, QueryRejection>;

/// What a user did, newest first.
///
/// A page ends where `limit` says, or at the end of all that is stored; `next` leads on.
#[utoipa::path(
    get,
    path = "/v1/users/{user_id}/behaviours",
    params(
        ("user_id" = String, Path, description = "Whose; 1 to 64 bytes", min_length = 1, max_length = 64, example = "u-42"),
        ("business" = Option<String>, Query, description = "Of this business alone; 1 to 32 bytes", min_length = 1, max_length = 32, example = "hotel"),
        ("action" = Option<String>, Query, description = "Of this action alone; 1 to 32 bytes", min_length = 1, max_length = 32, example = "view"),
        ("limit" = Option<u32>, Query, description = "Records at most; 20 where it is not given", minimum = 1, maximum = 200, example = 20),
        ("before" = Option<String>, Query, description = "`next` of an answer to the same user, business and action"),
        ("cache-control" = Option<String>, Header, description = "`max-stale` or `max-stale=<seconds>`: an answer that is as old will do while both stores are away", example = "max-stale=60"),
    ),
    responses((status = 200, description = "A page", body = PageAnswer), Problems, StoreProblems)
)]
pub(in crate::query) async fn behaviours(
    State(state): State<QueryState>,
    user: Result<Path<String>, PathRejection>,
    pairs: Pairs,
    Terms { stale, deadline }: Terms,
) -> Result<Json<PageAnswer>, Problem> {
    let ask = params::page(&user_of(user)?, &pairs_of(pairs)?)?;
    let found = state.reader().page(Interface::Behaviours, &ask, stale, deadline).await?;
    Ok(Json(PageAnswer::new(&state, &ask, found)))
}

/// What is known of a user.
///
/// While Redis does not have it, it is made from the user's newest records in MySQL, and `complete` tells whether these
/// were all.
#[utoipa::path(
    get,
    path = "/v1/users/{user_id}/profile",
    params(
        ("user_id" = String, Path, description = "Whose; 1 to 64 bytes", min_length = 1, max_length = 64, example = "u-42"),
        ("cache-control" = Option<String>, Header, description = "`max-stale` or `max-stale=<seconds>`: an answer that is as old will do while both stores are away", example = "max-stale=60"),
    ),
    responses((status = 200, description = "The profile", body = ProfileAnswer), Problems, StoreProblems)
)]
pub(in crate::query) async fn profile(
    State(state): State<QueryState>,
    user: Result<Path<String>, PathRejection>,
    pairs: Pairs,
    Terms { stale, deadline }: Terms,
) -> Result<Json<ProfileAnswer>, Problem> {
    params::no_parameters(&pairs_of(pairs)?)?;
    let user = params::user_id(&user_of(user)?)?;
    let found = state.reader().profile(&user, stale, deadline).await?;
    Ok(Json(ProfileAnswer::new(&state, user, found)))
}

/// What many users did, newest first.
///
/// A user that fails, or is not read in time, has a problem in its place; the others have their pages. While both stores
/// are away that is every user, in an answer that is a `200` all the same.
#[utoipa::path(
    post,
    path = "/v1/behaviours/query",
    params(
        ("cache-control" = Option<String>, Header, description = "`max-stale` or `max-stale=<seconds>`: an answer that is as old will do while both stores are away", example = "max-stale=60"),
    ),
    request_body(content = BatchQuestion, content_type = "application/json"),
    responses(
        (status = 200, description = "One result for each user", body = BatchAnswer),
        Problems,
        ShedProblems,
        BodyProblems
    )
)]
pub(in crate::query) async fn many(
    State(state): State<QueryState>,
    pairs: Pairs,
    Terms { stale, deadline }: Terms,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<BatchAnswer>, Problem> {
    params::no_parameters(&pairs_of(pairs)?)?;
    let question = BatchQuestion::read(&headers, &body.map_err(|rejection| unread(&rejection))?)?;
    let like = question.ask()?;
    // All of them end while there is time to answer: a few that wait for a store would cost the others their pages.
    let deadline = before_the_end(deadline);
    let mut results: Vec<Option<BatchResult>> = question.users.iter().map(|_| None).collect();
    let (mut users, mut reading) = (question.users.into_iter().enumerate(), JoinSet::new());
    loop {
        let free = state.settings().batch_in_flight.saturating_sub(reading.len());
        for (at, user) in users.by_ref().take(free) {
            let (state, ask) = (state.clone(), Ask { user: user.clone(), ..like.clone() });
            if let Err(problem) = params::user_id(&user) {
                results[at] = Some(BatchResult::failed(user, &problem));
                continue;
            }
            reading.spawn(async move {
                let found = state.reader().page(Interface::Batch, &ask, stale, deadline).await;
                (
                    at,
                    match found {
                        Ok(found) => BatchResult::Found(PageAnswer::new(&state, &ask, found)),
                        Err(away) => BatchResult::failed(user, &away.into()),
                    },
                )
            });
        }
        match reading.join_next().await {
            Some(Ok((at, result))) => results[at] = Some(result),
            Some(Err(_)) => return Err(Problem::new(Code::Internal, "a user could not be read")),
            None if users.len() == 0 => break,
            None => {}
        }
    }
    Ok(Json(BatchAnswer { results: results.into_iter().flatten().collect() }))
}

/// This document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    responses((status = 200, description = "The OpenAPI document", body = Object), Problems, ShedProblems)
)]
pub(in crate::query) async fn openapi() -> Json<utoipa::openapi::OpenApi> {
    Json(ApiDocument::openapi())
}

fn user_of(user: Result<Path<String>, PathRejection>) -> Result<String, Problem> {
    user.map(|Path(user)| user).map_err(|_| invalid("user_id", "user_id is not percent-encoded UTF-8"))
}

fn pairs_of(pairs: Pairs) -> Result<Vec<(String, String)>, Problem> {
    pairs.map(|Query(pairs)| pairs).map_err(|_| invalid("query", "the query string cannot be read"))
}

fn unread(rejection: &BytesRejection) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Code::TooLarge, "a question has at most 65536 bytes"),
        _ => Problem::new(Code::InvalidRequest, "the body did not arrive as a whole").with("parameter", "body"),
    }
}
