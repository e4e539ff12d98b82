//! What is measured, as Prometheus reads it: requests, connections, and the topologies that run in this process.
//!
//! One [`Exporter`] per process; each server takes an [`HttpMetrics`] of it under its own name, each run is given to it
//! with [`Exporter::watch_run`], its backfills with [`Exporter::watch_backfills`], and whatever else counts registers itself
//! with [`Exporter::register`]. The format is OpenMetrics text. Labels hold names of this program and of its jobs only: the
//! route as it was written, never a path, and no id of a user.

mod backfills;
mod exporter;
mod http;
mod labels;
pub mod names;
mod page;
mod runs;
mod spans;

pub use exporter::{CONTENT_TYPE, Exporter};
pub(super) use http::method_label;
pub use http::{BodyHeld, ConnectionOpen, Cut, HttpMetrics, RequestInFlight};
