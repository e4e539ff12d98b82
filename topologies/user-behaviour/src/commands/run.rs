//! `run` and `describe`.

use std::path::Path;
use std::process::ExitCode;

use squall::control::{Control, SpoutSource};
use squall::guard::Clock;
use squall::runtime::{Ended, Options, Report, Running, start};
use squall::service::http::metrics::Exporter;
use squall::service::{
    GraphFormat, GuardWatch, SeekWatch, SkipWatch, run_beside, run_until_signal, skip_deleted, watch_guards,
    watch_lag, watch_load, watch_seeks,
};
use squall::{Settings, Topology};

use super::cli::{ReportFormat, RunArgs};
use super::role::{Role, Roles};
use super::serve::{Shared, serve_alone, watch_topology};
use super::{Failure, topology};
use crate::open::{open_control, open_patiently};
use crate::settings::Config;
use crate::topology::{BACKFILL, Built, Handles, Parts, SPOUT};

/// Runs until told to stop. The report is the last measurements.
pub(super) async fn run(config: &Config, data_dir: &Path, args: &RunArgs) -> Result<ExitCode, Failure> {
    let (roles, format) = (Roles::of(&args.role)?, args.report);
    if roles.work != Some(Role::Backup) && (args.job.is_some() || args.runner.is_some()) {
        return Err("--job and --runner are for --role backup".into());
    }
    let Some(role) = roles.work else { return serve_alone(config, data_dir, roles).await };
    let parts = open_patiently(config, data_dir, role == Role::Backup).await.map_err(plain)?;
    let control = open_control(config, parts.broker.clone(), data_dir, &roles.name()).await;
    let mut wiring = config.wiring(Handles::of(&control, &config.source)).map_err(plain)?;
    wiring.backfill.worker = control.worker().to_owned();
    (wiring.backfill.only, wiring.backfill.runner) = (args.job.clone(), args.runner.clone());
    // What it does not get stored is not for the topology's own workers: they may write to other stores.
    wiring.delivery.divert = args.runner.is_none();
    let built = topology::build(&parts, wiring)?;
    watch(config, &parts, &built);
    watch_source(config, &parts, &control);
    if matches!(role, Role::All | Role::Retry) {
        skip_deleted(&parts.broker, &config.name, &built.pending).await?;
    }
    let shared = Shared::new(config, data_dir, &control);
    let stores = (parts.timelines.clone(), parts.rows.clone());
    let topology = shared.around.readiness.part("topology");
    let mut services = shared.start(roles, parts.broker.clone(), Some(stores)).await.map_err(plain)?;
    services.watch(watch_topology(topology, built.guards.clone()));
    let exporter = &shared.around.exporter;
    exporter.watch_backfills(&config.name, built.jobs.clone());
    let reports = match role {
        Role::Backup => vec![run_until_signal(start_backfill(config, built.backfill, exporter)?).await?],
        Role::Worker => vec![run_until_signal(begin(config, built.main, exporter)?).await?],
        Role::Retry => vec![run_until_signal(start_retry(config, built.retry, exporter)?).await?],
        Role::All | Role::Collector | Role::Query => work_with_backfills(config, built, exporter).await?,
    };
    services.stop().await?;
    control.close().await;
    parts.timelines.flush().await?;
    if format == ReportFormat::Json {
        say!("{}", serde_json::to_string(&reports[0].snapshot)?);
    }
    Ok(conclude_all(&reports))
}

/// [`work`] with backfills beside it. They must not end the live stream: when they fail it goes on, and their chunks are
/// taken over by other processes.
async fn work_with_backfills(
    config: &Config,
    mut built: Built,
    exporter: &Exporter,
) -> Result<Vec<Report>, Failure> {
    let backfill = std::mem::replace(&mut built.backfill, Topology::new(BACKFILL));
    let backfill = start_backfill(config, backfill, exporter)?;
    let stop = backfill.stopper();
    let work = async {
        let reports = work(config, built, exporter, std::future::ready(())).await;
        stop.stop();
        reports
    };
    let beside = async {
        let report = backfill.wait().await;
        if let Ended::Failed { operator, error } = &report.ended {
            tracing::error!(
                operator,
                %error,
                "backfills go on in other processes only; start one with --role backup, or this one again"
            );
        }
        report
    };
    let (reports, _beside) = tokio::join!(work, beside);
    reports
}

/// Starts what works at backfills. The bounds of single operators apply to those that it has, but nothing lingers: a run
/// comes as a whole, and its share is one of the time that stores take for it, not of waits for company.
fn start_backfill(config: &Config, backfill: Topology, exporter: &Exporter) -> Result<Running, Failure> {
    let mut settings = config.topology.clone();
    settings.operators.retain(|name, _| name != "behaviour");
    for tuning in settings.operators.values_mut().chain([&mut settings.defaults]) {
        tuning.linger_ms = Some(0);
    }
    watched(start(backfill, &settings, options(config))?, BACKFILL, exporter)
}

/// Runs the topology with the one that brings records back beside it, until told to stop or until both are done; once
/// the first is done `last` is waited for.
pub(super) async fn work(
    config: &Config,
    built: Built,
    exporter: &Exporter,
    last: impl Future<Output = ()>,
) -> Result<Vec<Report>, Failure> {
    let beside = start_retry(config, built.retry, exporter)?;
    let main = begin(config, built.main, exporter)?;
    let (main, beside) = run_beside(main, beside, last).await?;
    Ok(vec![main, beside])
}

/// Starts the topology.
pub(super) fn begin(config: &Config, main: Topology, exporter: &Exporter) -> Result<Running, Failure> {
    watched(start(main, &config.topology, options(config))?, &config.name, exporter)
}

/// Has `/metrics` show the run under a name.
fn watched(running: Running, name: &str, exporter: &Exporter) -> Result<Running, Failure> {
    exporter.watch_run(name, &running.metrics());
    Ok(running)
}

/// Has the spout skip ahead when it is too far behind, if the configuration says so, and seeks be said to be made.
fn watch_source(config: &Config, parts: &Parts, control: &Control) {
    let (settings, clock) = (config.source.auto_skip(), Clock::wall());
    let (spout, topic, group) = (SPOUT.to_owned(), config.source.topic.clone(), config.source.group.clone());
    let (broker, topology, control) = (parts.broker.clone(), config.name.clone(), control.clone());
    let source = SpoutSource { spout, topic, group };
    watch_lag(SkipWatch {
        broker: broker.clone(),
        topology: topology.clone(),
        source: source.clone(),
        settings,
        control: control.clone(),
        clock,
    });
    watch_seeks(SeekWatch { broker, topology, source, control, clock });
}

/// Has the guards watched until the process ends: they hear of the lag, and of how busy the server of the rows is where
/// they have a gauge; what they do by themselves is in the audit.
pub(super) fn watch(config: &Config, parts: &Parts, built: &Built) {
    watch_guards(GuardWatch {
        broker: parts.broker.clone(),
        topology: config.name.clone(),
        topic: config.source.topic.clone(),
        group: config.source.group.clone(),
        guards: built.guards.to_vec(),
    });
    if let Some(every) = config.guards.rows.sample() {
        let [_, rows] = &built.guards;
        watch_load(parts.rows.clone(), rows.clone(), every);
    }
}

/// Starts what brings records back. The bounds of all operators apply to it; those of single ones name others.
pub(super) fn start_retry(config: &Config, retry: Topology, exporter: &Exporter) -> Result<Running, Failure> {
    let settings = Settings { defaults: config.topology.defaults.clone(), ..Settings::default() };
    watched(start(retry, &settings, options(config))?, "retry", exporter)
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

/// Says how each run ended; the status is that of the first that did not go well.
pub(super) fn conclude_all(reports: &[Report]) -> ExitCode {
    let codes: Vec<_> = reports.iter().map(|report| (report.exit_code(), conclude(report))).collect();
    codes.into_iter().find(|(code, _)| *code != 0).map_or(ExitCode::SUCCESS, |(_, code)| code)
}

/// An error of the framework as one of a command.
pub(super) fn plain(error: squall::Error) -> Failure {
    error.to_string().into()
}
