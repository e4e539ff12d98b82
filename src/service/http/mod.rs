//! What services over HTTP share: the server, what surrounds its routes, errors, deadlines, who calls, and where a
//! request belongs.
//!
//! A service is an ordinary [`axum::Router`]. Its handlers answer with a [`Problem`] when something is wrong, and take
//! from the request's extensions, where the parts round the router have put them: the [`Deadline`] that is passed down
//! to the stores, the [`Peer`] that calls, the [`TraceContext`] that the caller gave or that began here. [`Shell`] puts
//! those parts round the router, and [`Server`] answers with it.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`Server`] | answers over sockets, within bounds for each phase of a request |
//! | [`Shell`] | puts the common parts round a router |
//! | [`Service`] | all of it, put together |
//! | [`metrics`] | what `/metrics` shows |
//! | [`auth`] | tokens of operators, keys of apps |
//! | [`limit`] | how many requests are taken: by app, by address, by interface, as a whole |
//! | [`Shed`] | as much work at once as can be done, and a fast refusal of what is beyond |
//! | [`admin`] | the routes by which an operator looks and changes |
//! | [`Check`] | what looks at a request before anything else does: each of those but [`Shed`] |
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use squall::service::http::metrics::Exporter;
//! use squall::service::http::{HttpError, HttpSettings, Readiness, Server, Shell};
//!
//! # async fn serve(stop: impl Future<Output = ()>) -> Result<(), HttpError> {
//! let (settings, exporter, readiness) = (HttpSettings::default(), Exporter::new(), Readiness::default());
//! let store = readiness.part("store");
//! let routes = Router::new().route("/v1/hello", get(async || "hello"));
//! let app = Shell::new("hello", &settings, exporter.clone(), readiness.clone()).wrap(routes);
//! let server = Server::bind(settings).await?.with_metrics(exporter.http("hello")).with_readiness(readiness);
//! store.ready();
//! let ended = server.run(app, stop).await;
//! println!("{} requests, {} abandoned", ended.requests, ended.abandoned_requests);
//! # Ok(())
//! # }
//! ```

pub mod admin;
pub mod auth;
mod check;
mod deadline;
mod error;
pub mod limit;
pub mod metrics;
mod network;
mod peer;
mod problem;
mod readiness;
mod server;
mod service;
mod settings;
mod shed;
mod shell;

#[cfg(test)]
mod tests;

pub use crate::topology::{TRACEPARENT, TraceContext};
pub use check::{Check, CheckLayer, Checked};
pub use deadline::Deadline;
pub use error::HttpError;
pub use network::{Network, UnknownNetwork};
pub use peer::Peer;
pub use problem::{Code, Problem};
pub use readiness::{Readiness, ReadyPart};
pub use server::{Ended, Remote, Server};
pub use service::{Service, ServiceSettings, Surroundings};
pub use settings::{AccessLogSettings, HttpSettings, TlsSettings};
pub use shed::{Shed, ShedLayer, ShedSettings, ShedStanding, Shedding, Slot};
pub use shell::{REQUEST_ID, REQUEST_TIMEOUT, Shell, operations};
