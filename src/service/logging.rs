//! Logs on standard error, coloured only for a terminal.

use std::io::IsTerminal;

use clap::Args;
use tracing_subscriber::EnvFilter;

/// What is logged, and how.
#[derive(Debug, Clone, Default, Args)]
pub struct LogArgs {
    /// What to log: error, warn, info, debug, trace, or a filter such as squall::broker=debug.
    #[arg(
        long,
        global = true,
        env = "SQUALL_LOG",
        default_value = "warn,librdkafka=error",
        value_name = "FILTER"
    )]
    pub log: String,
    /// One JSON object a line.
    #[arg(long, global = true)]
    pub log_json: bool,
}

/// Sends logs to standard error. Only the first call of a process has an effect.
///
/// # Errors
/// The filter, if it is not one.
pub fn init_logging(args: &LogArgs) -> Result<(), String> {
    let filter = EnvFilter::try_new(&args.log).map_err(|error| format!("--log {}: {error}", args.log))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // A second initialisation, as in tests, keeps the first.
    let _already = if args.log_json { builder.json().try_init() } else { builder.try_init() };
    Ok(())
}
