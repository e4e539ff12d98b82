//! What surrounds the routes of every service.
//!
//! [`Shell::wrap`] puts these round a router, the outermost first:
//!
//! | part | does | is there for |
//! | --- | --- | --- |
//! | trace | takes the caller's [`TraceContext`](super::TraceContext) or begins one; the answer carries it as `traceparent` and its trace as `x-request-id` | what comes after it |
//! | peer | finds the [`Peer`](super::Peer), behind trusted proxies too | limits, the log |
//! | account | metrics by route, access log, headers that an API needs | everything below, however it ends |
//! | deadline | [`Deadline`](super::Deadline), lowered by `x-request-timeout-ms`; past it the work is dropped and the answer is `504` | everything below |
//! | panic | a panic is a `500`; the next request is served | everything below |
//! | layers given to [`Shell::before_body`] | tokens, rate limits: who is refused here costs no more than headers | |
//! | body | takes the body whole within its bounds: `413`, `408` | handlers, which never wait for a caller |
//! | layers given to [`Shell::after_body`] | load shedding, decompression: no slow caller holds a place here | |
//! | router | the routes; `404` and `405` as problem documents | |
//!
//! `/healthz`, `/readyz` and `/metrics` stand beside the router, below *panic*: no limit and no shedding touches them.
//!
//! A body is held in memory before its handler runs, so a server holds at most `max_connections` times
//! `max_body_bytes`; limits before the body, and those two numbers, bound it further. The deadline and the measured
//! duration reach to the start of an answer; from there on the connection's own bounds hold.

mod access;
mod account;
mod answers;
mod body;
mod forwarded;
mod ops;
#[allow(clippy::module_inception, reason = "the room is named after what it holds")]
mod shell;
mod timing;

pub use ops::operations;
pub use shell::Shell;
pub use timing::REQUEST_TIMEOUT;
