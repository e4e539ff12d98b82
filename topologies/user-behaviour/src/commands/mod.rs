//! What the binary can be told to do, one file a command.

/// Prints a line on standard output. A reader that has gone (`| head`) ends the process quietly.
macro_rules! say {
    ($($part:tt)*) => {
        $crate::commands::print_line(format_args!($($part)*))
    };
}

mod admin;
mod check;
mod cli;
pub mod collect;
mod demo;
mod generate;
mod load;
mod locate;
mod once;
mod read;
mod reconcile;
mod role;
mod run;
mod serve;
mod verify;

pub use cli::Cli;

use std::process::ExitCode;

use clap::CommandFactory;
use cli::Command;
use squall::service::{Otlp, init_logging};

use crate::settings::{Config, PROFILES};
use crate::topology;

/// Why a command failed: one line for people.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

fn print_line(line: std::fmt::Arguments<'_>) {
    use std::io::Write;
    if writeln!(std::io::stdout(), "{line}").is_err() {
        std::process::exit(0);
    }
}

/// Carries out a command line; errors become one line on standard error and status 1.
pub fn execute(cli: Cli) -> ExitCode {
    let started = init_logging(&cli.log).and_then(|()| match cli.command {
        Command::Run(_) | Command::Demo(_) => cli.otlp.start("user-behaviour"),
        _ => Ok(Otlp::default()),
    });
    let started = started.map_err(Failure::from);
    let result = started.and_then(|otlp| {
        let result = dispatch(cli);
        otlp.close();
        result
    });
    result.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

fn dispatch(cli: Cli) -> Result<ExitCode, Failure> {
    if let Command::Completions { shell } = cli.command {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "user-behaviour", &mut script);
        say!("{}", String::from_utf8_lossy(&script).trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let config: Config = cli.common.load(PROFILES)?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if config.run.threads > 0 {
        runtime.worker_threads(config.run.threads);
    }
    let runtime = runtime.enable_all().build()?;
    let dir = cli.common.data_dir;
    runtime.block_on(async move {
        config.format()?;
        match cli.command {
            Command::Run(args) => match args.clone().once()? {
                Some(once) => once::once(&config, &dir, &once).await,
                None => run::run(&config, &dir, &args).await,
            },
            Command::Demo(args) => demo::demo(&config, &dir, &args).await,
            Command::Describe { format } => run::describe(&config, format),
            Command::Admin(command) => admin::admin(&config, &dir, &command).await,
            Command::Check { json } => check::check(&config, &dir, json).await,
            Command::Generate(args) => generate::generate(&config, &dir, &args).await,
            Command::Read(args) => read::read(&config, &dir, &args).await,
            Command::Verify(args) => verify::verify(&config, &dir, &args).await,
            Command::Where(args) => locate::locate(&config, &dir, &args).await,
            Command::Completions { .. } => Ok(ExitCode::SUCCESS),
        }
    })
}
