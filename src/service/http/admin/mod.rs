//! The routes by which an operator looks and changes: what the [command line](crate::service::admin) does, over HTTP.
//!
//! | route | role | answer |
//! | --- | --- | --- |
//! | `GET /admin/v1/status` | read | how many workers there are, and what every switch, spout and limit is |
//! | `GET /admin/v1/workers` | read | as `workers list --json` |
//! | `GET /admin/v1/switches` | read | as `switch list --json` |
//! | `GET /admin/v1/spouts` | read | as `spout list --json` |
//! | `GET /admin/v1/limits` | read | as `limit list --json` |
//! | `GET /admin/v1/lag` | read | as `lag --json`; `?over_ms=` takes rates over so long, at most 5,000; else none |
//! | `GET /admin/v1/backfills` | read | as `backfill list --json` |
//! | `PUT /admin/v1/switches/{name}` | operate | as `switch on --json` and the like |
//! | `PUT /admin/v1/spouts/{name}` | operate | as `spout pause --json` and the like |
//! | `PUT /admin/v1/limits/{name}` | operate | as `limit set --json` and the like |
//!
//! A change has the body `{"value": "on", "reason": "upgrade", "for_ms": 1800000}`. `reason` must be there and say
//! something; without `for_ms`, which is at most ten years, it is for good. `"dry_run": true` changes nothing,
//! `"force": true` takes a name that no worker knows. Who made it is the name of the token. It is answered once every
//! live worker has applied it, with `200`; after five seconds, or when the request's [`Deadline`](super::Deadline) comes
//! near, with `202` while some have not.
//!
//! Every request needs a [token](super::auth::AdminTokens), also for what is not there. The router comes of one table,
//! in which each route stands with its role, so that none can be without. Nothing stands beside it at the admin address
//! ([`Service::bind_admin`](super::Service::bind_admin)): `/healthz`, `/readyz` and `/metrics` are at the addresses of
//! the services and of operations.

mod api;
mod body;
mod change;
mod look;
mod problem;
mod table;
#[cfg(test)]
mod tests;

pub use api::AdminApi;
