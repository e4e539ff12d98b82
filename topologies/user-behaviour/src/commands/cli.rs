//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use squall::service::admin::{AdminCommand, VerifyArgs};
use squall::service::{CommonArgs, GraphFormat, LogArgs, OtlpArgs};

use super::locate::WhereArgs;
use super::role::Role;

/// User behaviour from a durable log into timelines and rows.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Cli {
    #[command(flatten)]
    pub(crate) common: CommonArgs,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(flatten)]
    pub(crate) otlp: OtlpArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the topology until told to stop; with --once, over one file to its end.
    Run(RunArgs),
    /// Run the topology over generated records, with a live view, until Ctrl-C.
    Demo(DemoArgs),
    /// Show the topology's graph.
    Describe {
        /// How to show it.
        #[arg(long, value_enum, default_value_t)]
        format: GraphFormat,
    },
    /// Check the configuration and everything that it names.
    Check {
        /// One JSON object instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Generate realistic records, to the topic or to a file.
    Generate(GenerateArgs),
    /// Show a user's timeline and profile.
    Read(ReadArgs),
    /// Say of every record of the log whether it is stored, waits, is dead, or is missing.
    Verify(VerifyArgs),
    /// Say where a record is, and what has happened to it.
    Where(WhereArgs),
    #[command(flatten)]
    Admin(AdminCommand),
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Clone, Args)]
pub(crate) struct RunArgs {
    /// Load a file into the log, process the log to its end, reconcile with the stores, exit.
    #[arg(long, requires = "input")]
    once: bool,
    /// The file to load, one record a line.
    #[arg(long, value_name = "FILE", requires = "once")]
    input: Option<PathBuf>,
    /// Format of the file; that of the configuration if not given.
    #[arg(long, value_name = "NAME", requires = "once")]
    format: Option<String>,
    /// What this process does: one of all, worker, retry and backup, and the services that it answers as, such as
    /// all,collector,query.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "all", conflicts_with = "once")]
    pub(crate) role: Vec<Role>,
    /// With --role backup: only this backfill, and end when it is over.
    #[arg(long, value_name = "ID", conflicts_with = "once")]
    pub(crate) job: Option<String>,
    /// With --role backup: the backfills of this runner, and no others.
    #[arg(long, value_name = "NAME", conflicts_with = "once")]
    pub(crate) runner: Option<String>,
    /// How to report at the end.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) report: ReportFormat,
}

/// A bounded run.
#[derive(Debug, Clone)]
pub(crate) struct Once {
    pub(crate) input: PathBuf,
    pub(crate) format: Option<String>,
    pub(crate) report: ReportFormat,
}

impl RunArgs {
    pub(crate) fn once(self) -> Result<Option<Once>, super::Failure> {
        let Self { once, input, format, report, .. } = self;
        match (once, input) {
            (true, Some(input)) => Ok(Some(Once { input, format, report })),
            (true, None) => Err("--once needs --input FILE".into()),
            (false, _) => Ok(None),
        }
    }
}

#[derive(Debug, Clone, Args)]
pub(crate) struct DemoArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Records a second.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) rate: u64,
    /// Chooses the records.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Stop after this many seconds instead of at Ctrl-C.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) seconds: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object on the last line.
    Json,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct GenerateArgs {
    /// How many records.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) count: u64,
    /// Records a second; as fast as possible if not given.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rate: Option<u64>,
    /// Chooses the records; the same seed gives the same ones.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many users.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) users: u64,
    /// How many items per business.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) items: u64,
    /// Share of records whose event time lies in the past.
    #[arg(long, default_value_t = 0.02)]
    pub(crate) late: f64,
    /// Share of records that repeat a recent one.
    #[arg(long, default_value_t = 0.01)]
    pub(crate) duplicates: f64,
    /// Share of records that no decoder takes.
    #[arg(long, default_value_t = 0.0)]
    pub(crate) broken: f64,
    /// Event time of the first record, in milliseconds since the Unix epoch; so that the last one is now if not given.
    #[arg(long, value_name = "MS")]
    pub(crate) start_ms: Option<i64>,
    /// Write to this file, or to standard output for `-`, instead of the topic.
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
    /// Say what would be written, and write nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ReadArgs {
    /// Whose.
    pub(crate) user_id: String,
    /// Only this business.
    #[arg(long)]
    pub(crate) business: Option<String>,
    /// How many entries at most.
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: usize,
    /// One JSON object instead of tables.
    #[arg(long)]
    pub(crate) json: bool,
}
