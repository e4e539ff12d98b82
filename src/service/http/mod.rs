//! What services over HTTP share: errors, deadlines, who calls, and where a request belongs.
//!
//! A service is an ordinary [`axum::Router`]. Its handlers answer with a [`Problem`] when something is wrong, and take
//! from the request's extensions, where the parts round the router have put them: the [`Deadline`] that is passed down
//! to the stores, the [`Peer`] that calls, the [`TraceContext`] that the caller gave or that began here.

mod deadline;
mod peer;
mod problem;
mod trace;

pub use deadline::Deadline;
pub use peer::Peer;
pub use problem::{Code, Problem};
pub use trace::{TRACEPARENT, TraceContext};
