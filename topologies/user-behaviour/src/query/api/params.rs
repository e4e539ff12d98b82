//! What a caller gives, checked once.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::request::Parts;
use compact_str::CompactString;
use serde::Deserialize;
use squall::service::http::{Code, Deadline, Problem};
use utoipa::ToSchema;

use super::cursor;
use crate::query::QueryState;
use crate::query::read::Ask;
use crate::query::settings::{DEFAULT_LIMIT, MAX_LIMIT, MAX_USERS};
use crate::record::{MAX_ID, MAX_NAME};

/// A question for many users.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "users": ["u-42", "u-43"], "business": "hotel", "limit": 5 }))]
pub(super) struct BatchQuestion {
    /// Whose lists; answered in this order.
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 100)]
    pub(super) users: Vec<CompactString>,
    /// Of this business alone; 1 to 32 bytes.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 32)]
    pub(super) business: Option<CompactString>,
    /// Of this action alone; 1 to 32 bytes.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 32)]
    pub(super) action: Option<CompactString>,
    /// Records of each user at most; 20 where it is not given.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 200)]
    pub(super) limit: Option<u64>,
}

impl BatchQuestion {
    /// What the body holds.
    pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, Problem> {
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            let detail = "the body is read as `application/json`; say so in `content-type`";
            return Err(Problem::new(Code::UnsupportedMediaType, detail));
        }
        let question: Self = serde_json::from_slice(body)
            .map_err(|error| invalid("body", format!("the body is not a question: {error}")))?;
        match question.users.len() {
            1..=MAX_USERS => Ok(question),
            users => Err(invalid("users", format!("users has {users} ids, valid are 1 to {MAX_USERS}"))),
        }
    }

    /// The filters, checked; with an empty user.
    pub(super) fn ask(&self) -> Result<Ask, Problem> {
        Ok(Ask {
            user: CompactString::default(),
            business: self.business.as_deref().map(|text| name("business", text)).transpose()?,
            action: self.action.as_deref().map(|text| name("action", text)).transpose()?,
            before: None,
            limit: limit(self.limit.unwrap_or(DEFAULT_LIMIT as u64))?,
        })
    }
}

/// The page that the pairs of a query string ask for.
///
/// # Errors
/// The first parameter that is unknown, given twice or out of bounds.
pub fn page(user: &str, pairs: &[(String, String)]) -> Result<Ask, Problem> {
    let (mut business, mut action, mut given, mut before) = (None, None, None, None);
    for (key, value) in pairs {
        let place = match key.as_str() {
            "business" => &mut business,
            "action" => &mut action,
            "limit" => &mut given,
            "before" => &mut before,
            _ => return Err(unknown(key)),
        };
        if place.replace(value.as_str()).is_some() {
            return Err(invalid(key, format!("{key} is given twice")));
        }
    }
    let number = |text: &str| text.parse().map_err(|_| out_of_range(text));
    let mut ask = Ask {
        user: user_id(user)?,
        business: business.map(|text| name("business", text)).transpose()?,
        action: action.map(|text| name("action", text)).transpose()?,
        before: None,
        limit: limit(given.map_or(Ok(DEFAULT_LIMIT as u64), number)?)?,
    };
    if let Some(token) = before {
        let place = cursor::place(&ask, token);
        let wrong = "before is not the `next` of an answer to the same user, business and action";
        ask.before = Some(place.ok_or_else(|| invalid("before", wrong))?);
    }
    Ok(ask)
}

/// Refuses what a route without parameters is given.
pub(super) fn no_parameters(pairs: &[(String, String)]) -> Result<(), Problem> {
    pairs.first().map_or(Ok(()), |(key, _)| Err(unknown(key)))
}

/// A user's id.
pub(super) fn user_id(text: &str) -> Result<CompactString, Problem> {
    bounded("user_id", text, MAX_ID)
}

/// What a caller puts up with. Of a request's headers and extensions nothing else is copied for it.
#[derive(Debug, Clone, Copy)]
pub(in crate::query) struct Terms {
    /// How old an answer may be while both stores are away.
    pub(super) stale: Option<Duration>,
    /// Until when it is of use.
    pub(super) deadline: Deadline,
}

impl FromRequestParts<QueryState> for Terms {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &QueryState) -> Result<Self, Infallible> {
        let deadline = state.deadline(parts.extensions.get().copied());
        Ok(Self { stale: max_stale(&parts.headers), deadline })
    }
}

/// How old an answer may be while both stores are away: `Cache-Control: max-stale`, with or without seconds.
fn max_stale(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).find_map(|directive| {
        let (name, seconds) = match directive.split_once('=') {
            Some((name, seconds)) => (name, Some(seconds)),
            None => (directive, None),
        };
        name.trim().eq_ignore_ascii_case("max-stale").then_some(())?;
        match seconds {
            None => Some(Duration::MAX),
            Some(seconds) => seconds.trim().trim_matches('"').parse().ok().map(Duration::from_secs),
        }
    })
}

pub(super) fn invalid(parameter: &str, detail: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidRequest, detail).with("parameter", parameter)
}

fn unknown(key: &str) -> Problem {
    // What a caller sent is told back in part only.
    let shown: String = key.chars().take(32).collect();
    invalid(&shown, format!("there is no parameter `{shown}` here"))
}

fn out_of_range(text: &str) -> Problem {
    let shown: String = text.chars().take(32).collect();
    invalid("limit", format!("limit is `{shown}`, valid are 1 to {MAX_LIMIT}"))
}

fn limit(number: u64) -> Result<usize, Problem> {
    let fits = usize::try_from(number).ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    fits.ok_or_else(|| out_of_range(&number.to_string()))
}

fn name(parameter: &str, text: &str) -> Result<CompactString, Problem> {
    bounded(parameter, text, MAX_NAME)
}

fn bounded(parameter: &str, text: &str, most: usize) -> Result<CompactString, Problem> {
    if !(1..=most).contains(&text.len()) {
        return Err(invalid(parameter, format!("{parameter} has {} bytes, valid are 1 to {most}", text.len())));
    }
    if text.contains('\0') {
        return Err(invalid(parameter, format!("{parameter} must not hold a NUL")));
    }
    Ok(text.into())
}
