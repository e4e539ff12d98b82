//! What services over HTTP share: errors, deadlines, who calls, and where a request belongs.
//!
//! A service is an ordinary [`axum::Router`]. Its handlers answer with a [`Problem`] when something is wrong, and take
//! from the request's extensions, where the parts round the router have put them: the [`Deadline`] that is passed down
//! to the stores, the [`Peer`] that calls, the [`TraceContext`] that the caller gave or that began here.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`auth`] | tokens of operators, keys of apps |
//! | [`limit`] | how many requests are taken: by app, by address, by interface, as a whole |
//! | [`Shed`] | as much work at once as can be done, and a fast refusal of what is beyond |
//! | [`admin`] | the routes by which an operator looks and changes |
//! | [`Check`] | what looks at a request before anything else does: each of those but [`Shed`] |
//!
//! A request is best asked for its app first, then held against the limits, and then let to work, so that what is refused
//! takes no place from what is not: `router.layer(shed.layer()).layer(limits.layer()).layer(CheckLayer::new(app_keys))`,
//! as the layer that is laid last is met first.

pub mod admin;
pub mod auth;
mod check;
mod deadline;
pub mod limit;
mod peer;
mod problem;
mod shed;
mod trace;

pub use check::{Check, CheckLayer, Checked};
pub use deadline::Deadline;
pub use peer::Peer;
pub use problem::{Code, Problem};
pub use shed::{Shed, ShedLayer, ShedSettings, ShedStanding, Shedding, Slot};
pub use trace::{TRACEPARENT, TraceContext};
