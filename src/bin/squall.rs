//! The operator's command line: works on any topology, from its configuration and its log alone.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use squall::service::admin::{AdminCommand, AdminContext, open_log};
use squall::service::config::OperatorConfig;
use squall::service::{LogArgs, init_logging};

/// Operate a topology while it runs.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// Name of the topology.
    #[arg(long, global = true, value_name = "NAME")]
    topology: Option<String>,
    /// Its configuration; config/TOPOLOGY.PROFILE.toml if not given.
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "profile")]
    config: Option<PathBuf>,
    /// Which of its configurations in the folder `config`.
    #[arg(long, global = true, default_value = "embedded", value_name = "NAME")]
    profile: String,
    /// Folder of everything that the embedded profile keeps.
    #[arg(long, global = true, default_value = "data", value_name = "DIR")]
    data_dir: PathBuf,
    /// Overrides one value, such as broker.kafka.bootstrap=host:9092; may be repeated.
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    #[command(flatten)]
    log: LogArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Admin(AdminCommand),
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// Why a command failed: one line for people.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    execute(Cli::parse()).unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

fn execute(cli: Cli) -> Result<ExitCode, Failure> {
    init_logging(&cli.log)?;
    match &cli.command {
        Command::Completions { shell } => {
            clap_complete::generate(*shell, &mut Cli::command(), "squall", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        Command::Admin(command) => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(admin(&cli, command))
        }
    }
}

async fn admin(cli: &Cli, command: &AdminCommand) -> Result<ExitCode, Failure> {
    let topology =
        cli.topology.clone().ok_or("--topology NAME is missing; it is the name in the topology's code")?;
    let default = || PathBuf::from("config").join(format!("{topology}.{}.toml", cli.profile));
    let config = OperatorConfig::load(&cli.config.clone().unwrap_or_else(default), &cli.overrides)?;
    let broker = open_log(&config.broker, &cli.data_dir).await?;
    let source = config.source;
    let (dead_letters, topic) = (source.dead_letters, source.topic);
    let context = AdminContext { broker, topology, dead_letters, topic, spouts: Vec::new() };
    Ok(command.run(&context).await?)
}
