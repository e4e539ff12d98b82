//! What services over HTTP share: the server, what surrounds its routes, errors, deadlines, who calls, and where a
//! request belongs.
//!
//! A service is an ordinary [`axum::Router`]. Its handlers answer with a [`Problem`] when something is wrong, and take
//! from the request's extensions, where the parts round the router have put them: the [`Deadline`] that is passed down
//! to the stores, the [`Peer`] that calls, the [`TraceContext`] that the caller gave or that began here. [`Shell`] puts
//! those parts round the router, and [`Server`] answers with it.
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

mod deadline;
mod error;
pub mod metrics;
mod network;
mod peer;
mod problem;
mod readiness;
mod server;
mod settings;
mod shell;
#[cfg(test)]
mod tests;
mod trace;

pub use deadline::Deadline;
pub use error::HttpError;
pub use network::{Network, UnknownNetwork};
pub use peer::Peer;
pub use problem::{Code, Problem};
pub use readiness::{Readiness, ReadyPart};
pub use server::{Ended, Remote, Server};
pub use settings::{AccessLogSettings, HttpSettings, TlsSettings};
pub use shell::{REQUEST_TIMEOUT, Shell, operations};
pub use trace::{TRACEPARENT, TraceContext};
