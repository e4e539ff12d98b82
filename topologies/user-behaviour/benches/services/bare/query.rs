//! Answers lists: redis-rs with the same script, and sqlx when Redis has nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use redis::aio::MultiplexedConnection;
use redis::{RedisError, Script};
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::Row;
use sqlx::mysql::{MySqlPool, MySqlPoolOptions, MySqlRow};

/// As many as squall has by its configuration.
const REDIS_CONNECTIONS: usize = 2;
const MYSQL_CONNECTIONS: u32 = 8;

const NEWEST: &str = "select event_id, user_id, app_id, channel, business, action, item_id, occurred_at, attributes \
                      from behaviour where user_id = ? order by occurred_at desc, event_id desc limit ?";

#[derive(Clone)]
struct Stores(Arc<Inner>);

struct Inner {
    redis: Vec<MultiplexedConnection>,
    turn: AtomicUsize,
    read: Script,
    prefix: String,
    mysql: MySqlPool,
}

/// A place in the list, and the record there.
struct Found {
    at_ms: i64,
    id: String,
    body: Box<RawValue>,
}

#[derive(Serialize)]
struct Answer<'a> {
    user_id: &'a str,
    records: Vec<&'a RawValue>,
    next: Option<String>,
    source: &'static str,
    complete: bool,
    freshness: Freshness,
}

#[derive(Serialize)]
struct Freshness {
    newest_at: Option<i64>,
    lag: Option<u64>,
    lag_ms: Option<u64>,
    as_of: u128,
}

/// A row, as its record's JSON.
#[derive(Serialize)]
struct Record<'a> {
    event_id: &'a str,
    user_id: &'a str,
    app_id: &'a str,
    channel: &'a str,
    business: &'a str,
    action: &'a str,
    item_id: &'a str,
    occurred_at: i64,
    attributes: &'a RawValue,
}

pub(super) async fn router(redis: &str, prefix: &str, mysql: &str) -> Router {
    let client = redis::Client::open(redis).expect("a valid URL");
    let mut connections = Vec::new();
    for _ in 0..REDIS_CONNECTIONS {
        connections.push(client.get_multiplexed_async_connection().await.expect("Redis answers"));
    }
    let pool = MySqlPoolOptions::new().max_connections(MYSQL_CONNECTIONS);
    let stores = Inner {
        redis: connections,
        turn: AtomicUsize::new(0),
        read: Script::new(include_str!("../../../../../src/store/timeline/redis/read.lua")),
        prefix: prefix.to_owned(),
        mysql: pool.connect(mysql).await.expect("MariaDB answers"),
    };
    Router::new().route("/v1/users/{user}/behaviours", get(list)).with_state(Stores(Arc::new(stores)))
}

async fn list(
    State(stores): State<Stores>,
    Path(user): Path<String>,
    Query(query): Query<HashMap<String, usize>>,
) -> Result<Response, StatusCode> {
    let limit = query.get("limit").copied().unwrap_or(20);
    let as_of = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let away = |error: &dyn std::error::Error| {
        eprintln!("{error}");
        StatusCode::SERVICE_UNAVAILABLE
    };
    let (mut found, mut source) = (stores.timeline(&user, limit).await.map_err(|error| away(&error))?, "redis");
    if found.len() < limit {
        (found, source) = (stores.rows(&user, limit).await.map_err(|error| away(&error))?, "mysql");
    }
    let last = found.last().filter(|_| found.len() == limit);
    let answer = Answer {
        user_id: &user,
        records: found.iter().map(|found| &*found.body).collect(),
        next: last.map(|last| format!("{}-{}", last.at_ms, last.id)),
        source,
        complete: true,
        freshness: Freshness { newest_at: found.first().map(|found| found.at_ms), lag: None, lag_ms: None, as_of },
    };
    Ok(Json(answer).into_response())
}

impl Stores {
    async fn timeline(&self, user: &str, limit: usize) -> Result<Vec<Found>, RedisError> {
        let stores = &*self.0;
        let turn = stores.turn.fetch_add(1, Ordering::Relaxed) % stores.redis.len();
        let mut connection = stores.redis[turn].clone();
        let mut call = stores.read.key(format!("{}:{{{user}}}", stores.prefix));
        // What it says of the mark is squall's own concern.
        let (_mark, packed): (Vec<u8>, Vec<u8>) =
            call.arg(limit).arg("any run").invoke_async(&mut connection).await?;
        let mut found = Vec::with_capacity(limit);
        let mut rest = &packed[..];
        while let Some((head, texts)) = rest.split_first_chunk::<20>() {
            let four = |at: usize| [head[at], head[at + 1], head[at + 2], head[at + 3]];
            let [line, id, body] = [0, 4, 8].map(|at| u32::from_le_bytes(four(at)) as usize);
            let at_ms = f64::from_le_bytes(head[12..].try_into().expect("eight bytes")) as i64;
            let (text, after) = texts.split_at(line + id + body);
            let text = |from: usize, to: usize| String::from_utf8(text[from..to].to_vec()).expect("it is UTF-8");
            let body = RawValue::from_string(text(line + id, line + id + body)).expect("a body is JSON");
            found.push(Found { at_ms, id: text(line, line + id), body });
            rest = after;
        }
        Ok(found)
    }

    async fn rows(&self, user: &str, limit: usize) -> Result<Vec<Found>, sqlx::Error> {
        let rows = sqlx::query(NEWEST).bind(user.as_bytes()).bind(limit as i64).fetch_all(&self.0.mysql).await?;
        rows.iter().map(found).collect()
    }
}

fn found(row: &MySqlRow) -> Result<Found, sqlx::Error> {
    let text = |column: usize| -> Result<&str, sqlx::Error> {
        let bytes: &[u8] = row.try_get(column)?;
        Ok(std::str::from_utf8(bytes).expect("ids and names are UTF-8"))
    };
    let (id, at_ms) = (text(0)?, row.try_get(7)?);
    let record = Record {
        event_id: id,
        user_id: text(1)?,
        app_id: text(2)?,
        channel: text(3)?,
        business: text(4)?,
        action: text(5)?,
        item_id: text(6)?,
        occurred_at: at_ms,
        attributes: serde_json::from_str(row.try_get(8)?).expect("attributes are JSON"),
    };
    let body = serde_json::value::to_raw_value(&record).expect("a record encodes");
    Ok(Found { at_ms, id: id.to_owned(), body })
}
