//! The query service: what users did, over HTTP.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`router`] | the routes: an ordinary [`axum::Router`], to be run inside whatever surrounds services |
//! | [`api`] | parameters, cursors, answers, and the OpenAPI document that is made from them |
//! | [`read`] | where an answer comes from while stores come and go |
//! | [`QueryConfig`] [`QuerySettings`] | `[query]` |
//!
//! A request has `request_ms`, or less when the [`Deadline`](squall::service::http::Deadline) in its extensions is
//! nearer. Errors are [`Problem`](squall::service::http::Problem)s.

pub mod api;
pub mod read;
mod router;
mod settings;
mod state;

pub use router::router;
pub use settings::{QueryConfig, QuerySettings};
pub use state::QueryState;

#[cfg(test)]
mod tests;
