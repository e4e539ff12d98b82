//! The `main` of a topology that needs no commands of its own.

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use super::cli::{CommonArgs, GraphFormat, Profile};
use super::logging::{LogArgs, init_logging};
use super::signal::run_until_signal;
use crate::runtime::{Ended, Options, start};
use crate::topology::{Settings, Topology};

#[derive(Debug, Parser)]
struct Cli<A: Args> {
    #[command(flatten)]
    common: CommonArgs,
    #[command(flatten)]
    log: LogArgs,
    #[command(subcommand)]
    command: Command<A>,
}

#[derive(Debug, Subcommand)]
enum Command<A: Args> {
    /// Run the topology until it is done or told to stop.
    Run(A),
    /// Show the topology's graph.
    Describe {
        /// How to show it.
        #[arg(long, value_enum, default_value_t)]
        format: GraphFormat,
        #[command(flatten)]
        args: A,
    },
}

/// Runs a topology's binary: parses the command line, builds the topology with its own arguments `A`, runs or
/// describes it, and says by the exit status how that went.
///
/// The configuration is only bounds ([`Settings`]); `--config FILE` and `--set operators.count.parallelism=4` give them.
pub fn main<A: Args>(build: impl FnOnce(A) -> Topology) -> ExitCode {
    let cli = Cli::<A>::parse();
    match execute(cli, build) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn execute<A: Args>(
    cli: Cli<A>,
    build: impl FnOnce(A) -> Topology,
) -> Result<ExitCode, Box<dyn std::error::Error>> {
    init_logging(&cli.log)?;
    let settings: Settings = cli.common.load(&[Profile { name: "embedded", file: "defaults", text: "" }])?;
    match cli.command {
        Command::Describe { format, args } => {
            let topology = build(args);
            topology.check(&settings)?;
            print!("{}", format.show(&topology.graph(&settings)));
            Ok(ExitCode::SUCCESS)
        }
        Command::Run(args) => {
            let topology = build(args);
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            let report = runtime.block_on(async {
                run_until_signal(start(topology, &settings, Options::default())?)
                    .await
                    .map_err(Box::<dyn std::error::Error>::from)
            })?;
            if let Ended::Failed { operator, error } = &report.ended {
                eprintln!("error: {operator}: {error}");
            }
            Ok(ExitCode::from(report.exit_code()))
        }
    }
}
