//! A job that another program works at.

use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{SignalKind, signal};

use super::watch::watch;
use crate::control::backfill::{Backfills, Job, Status};
use crate::service::admin::AdminError;

/// Refuses what cannot be started, before there is a job that nobody can work at. A name alone is searched for in `PATH`.
pub(super) fn check_program(program: &Path) -> Result<(), AdminError> {
    let refused = |why: String| Err(AdminError::Invalid(format!("--program {}: {why}", program.display())));
    let can_be_started = |found: &Metadata| found.is_file() && found.permissions().mode() & 0o111 != 0;
    if program.components().nth(1).is_some() {
        return match program.metadata() {
            Ok(found) if can_be_started(&found) => Ok(()),
            Ok(_) => refused("it is no program that can be started".to_owned()),
            Err(error) => refused(error.to_string()),
        };
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders)
        .filter_map(|folder| folder.join(program).metadata().ok())
        .any(|at| can_be_started(&at));
    if found { Ok(()) } else { refused("no folder of PATH has it; write ./NAME for one that is here".to_owned()) }
}

/// What a program is told to do, after the arguments of its own.
pub(super) fn arguments(job: &Job) -> Vec<String> {
    let runner = job.runner.clone().unwrap_or_default();
    ["run", "--role", "backup", "--job", &job.id, "--runner", &runner].map(ToOwned::to_owned).to_vec()
}

/// Starts the program and waits for its end, which is the end of the job. SIGINT and SIGTERM are passed on as SIGTERM:
/// the first has it drain, a second one ends it at once.
pub(super) async fn run_program(
    backfills: &Backfills,
    job: &Job,
    program: &Path,
    args: &[String],
    watched: bool,
) -> Result<Status, AdminError> {
    let all: Vec<String> = args.iter().cloned().chain(arguments(job)).collect();
    let again = format!("{} {}", program.display(), all.join(" "));
    let failed = |what: String| {
        let id = &job.id;
        AdminError::Refused(format!(
            "{what}; the backfill goes on with `{again}`, or ends with `backfill cancel {id}`"
        ))
    };
    let signals = |kind| signal(kind).map_err(|error| failed(format!("cannot listen for signals: {error}")));
    let (mut interrupt, mut terminate) = (signals(SignalKind::interrupt())?, signals(SignalKind::terminate())?);
    // A group of its own: a Ctrl-C in the terminal would reach it a second time.
    let child = Command::new(program).args(&all).process_group(0).spawn();
    let child = child.map_err(|error| failed(format!("cannot start {}: {error}", program.display())))?;
    let pid = Pid::from_child(&child);
    let mut ended = tokio::task::spawn_blocking(move || wait(child));
    let watching = async {
        if watched && watch(backfills, &job.id).await.is_err() {
            tracing::warn!(job = job.id, "it is not known how far the backfill is");
        }
        std::future::pending::<()>().await;
    };
    let mut watching = std::pin::pin!(watching);
    let status = loop {
        tokio::select! {
            ended = &mut ended => break ended,
            _ = interrupt.recv() => pass_on(pid),
            _ = terminate.recv() => pass_on(pid),
            () = &mut watching => {}
        }
    };
    let status = status.map_err(|error| failed(format!("the program was not waited for: {error}")))?;
    let status = status.map_err(|error| failed(format!("the program was not waited for: {error}")))?;
    let found = backfills.show(&job.id).await?;
    if found.is_over() {
        return Ok(found);
    }
    Err(failed(format!("{} ended before the backfill did ({status})", program.display())))
}

fn wait(mut child: Child) -> std::io::Result<ExitStatus> {
    child.wait()
}

/// Asks the program to stop. One that is gone already needs no asking.
fn pass_on(pid: Pid) {
    let _gone = kill_process(pid, Signal::TERM);
}
