//! What every topology's binary shares: the command line, configuration, logging, signals, the live view.
//!
//! The smallest binary is [`main`] with a function that builds a topology. One with commands of its own takes the
//! parts: [`CommonArgs`] and [`config`] for its settings, [`connect`] for log and stores, [`run_until_signal`] to run,
//! [`Live`] to watch, [`watch_load`] to know how busy a server is, [`watch_lag`] to skip ahead, [`watch_seeks`] to say that
//! seeks are made, [`admin`] for the operator's commands, [`http`] for services, [`mod@read`] for what they read, [`spill`]
//! to be durable while the log is away, [`verify`] to say of every record of the log where it is, `OtlpArgs` (feature
//! `otlp`) to send spans to an OpenTelemetry collector.

pub mod admin;
pub mod cli;
pub mod config;
pub mod connect;
pub mod http;
mod live;
mod logging;
mod main;
#[cfg(feature = "otlp")]
mod otlp;
mod progress;
pub mod read;
mod signal;
mod source;
pub mod spill;
pub mod verify;
mod watch;

pub use cli::{CommonArgs, GraphFormat};
pub use live::Live;
pub use logging::{LogArgs, init_logging};
pub use main::main;
#[cfg(feature = "otlp")]
pub use otlp::{Otlp, OtlpArgs};
pub use progress::{ProgressBar, progress_bytes, progress_count};
pub use signal::{run_beside, run_until_signal, until_signal};
pub use source::{SeekWatch, SkipWatch, watch_lag, watch_seeks};
pub use watch::{GuardWatch, skip_deleted, watch_guards, watch_load};
