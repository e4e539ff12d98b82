//! Takes behaviour over HTTP and loses nothing of what it has accepted.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`router()`], [`Collector`] | the routes, and what they share |
//! | [`split()`](split::split) | a body into its records: one, an array, or lines; pure |
//! | `verdict` | each record taken, or refused with field and reason; pure |
//! | `body`, `answer` | a request's body within its bounds; what the answers look like |
//! | `dedup` | what became durable a moment ago is not produced again |
//! | [`CollectorConfig`], [`CollectorSettings`] | `[collector]` |
//!
//! # Routes
//!
//! `POST /v1/behaviours` takes one JSON object, an array of them, or NDJSON (`application/x-ndjson`, or told apart by its
//! content), with `Content-Encoding: gzip` or `zstd` if it likes. `202` once **every** accepted record is durable:
//!
//! ```json
//! {"accepted": 2, "ids": ["e-1", "0af7651916cd43dd8448eb211c80319c"],
//!  "rejected": [{"index": 1, "field": "occurred_at", "reason": "is missing"}]}
//! ```
//!
//! - `ids` are the event ids of the accepted records in their order; one that the client left out is derived from the
//!   content, so that the same content sent again is the same event.
//! - `rejected` has the others by `index`, counted from 0 over the records of the body (blank lines are none). `field`
//!   is `null` where the record as a whole cannot be read. They will be refused again: do not resend them.
//! - `400` `invalid_request` when nothing was accepted, with the same `rejected`; or when the body is not what it should
//!   be, with the place as `line`, `column` (from 1) and `offset` (from 0, in bytes).
//! - `413` `too_large` for too many bytes, before or after decompression, or too many records; nothing was accepted.
//! - `503` `log_unavailable` with `Retry-After` when the log is away and the disk in front of it full; `504`
//!   `deadline_exceeded`. Nothing is promised then: send the same again, with the same event ids.
//!
//! With the key of an application only its own records are taken; without one, where that is allowed, those of applications
//! that have no key: the others are refused by `app_id`.
//!
//! `POST /v1/beacon` is for `navigator.sendBeacon`: `text/plain` or JSON, the same bodies and the same durability,
//! `204` instead of `202`, for a browser that is leaving reads no answer.
//!
//! # Resends
//!
//! A record that became durable within `dedup_ms`, with the same user, event id and content, is accepted again without
//! being produced again. Two requests with the same event **at the same time** both produce it: neither answers before
//! the record is durable, and the stores make the two one by their id. The same holds past the time, past
//! `dedup_entries`, and in another process.

mod answer;
mod body;
mod collect;
mod config;
mod cors;
mod dedup;
mod router;
mod settings;
pub mod split;
#[cfg(test)]
mod tests;
mod verdict;

pub use answer::{Accepted, Rejected};
pub use collect::Collector;
pub use config::CollectorConfig;
pub use cors::cors;
pub use router::router;
pub use settings::CollectorSettings;
pub use verdict::{Caller, Verdict, judge};
