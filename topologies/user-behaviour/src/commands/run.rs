//! `run` and `describe`.

use std::path::Path;
use std::process::ExitCode;

use squall::runtime::{Ended, Options, Report, start};
use squall::service::{GraphFormat, run_until_signal};

use super::cli::ReportFormat;
use super::{Failure, topology};
use crate::open::{open, open_control};
use crate::settings::Config;

/// Runs until told to stop. The report is the last measurements.
pub(super) async fn run(config: &Config, data_dir: &Path, format: ReportFormat) -> Result<ExitCode, Failure> {
    let parts = open(config, data_dir).await.map_err(plain)?;
    let control = open_control(parts.broker.clone(), data_dir).await;
    let topology = topology::build(&parts, config.source.settings(), config.format()?)?;
    let running = start(topology, &config.topology, options(config))?;
    let report = run_until_signal(running).await?;
    control.close().await;
    parts.timelines.flush().await?;
    if format == ReportFormat::Json {
        say!("{}", serde_json::to_string(&report.snapshot)?);
    }
    Ok(conclude(&report))
}

/// Shows the graph. Opens nothing.
pub(super) fn describe(config: &Config, format: GraphFormat) -> Result<ExitCode, Failure> {
    let topology = topology::shape(config.format()?);
    topology.check(&config.topology)?;
    say!("{}", format.show(&topology.graph(&config.topology)).trim_end());
    Ok(ExitCode::SUCCESS)
}

pub(super) fn options(config: &Config) -> Options {
    Options { drain: config.run.drain(), faults: None }
}

/// Says on standard error how a run ended, unless all went well, and gives its status.
pub(super) fn conclude(report: &Report) -> ExitCode {
    match &report.ended {
        Ended::Failed { operator, error } => eprintln!("error: {operator}: {error}"),
        Ended::Abandoned => eprintln!("error: the drain deadline passed; what was in flight comes again"),
        Ended::Finished | Ended::Drained if report.exit_code() != 0 => {
            eprintln!("error: some records failed and were not made good; they come again with the next start");
        }
        Ended::Finished | Ended::Drained => {}
    }
    ExitCode::from(report.exit_code())
}

/// An error of the framework as one of a command.
pub(super) fn plain(error: squall::Error) -> Failure {
    error.to_string().into()
}
