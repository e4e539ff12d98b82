//! A job that is watched until it is over.

use std::io::IsTerminal;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::text::{label, line};
use crate::control::backfill::{BackfillError, Backfills, Status};
use crate::service::progress_count;
use crate::topology::{Class, Classify};

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(1);
/// How often it is told where that is no terminal.
const TELL: Duration = Duration::from_secs(5);
/// For how long the log may be away.
const PATIENCE: Duration = Duration::from_secs(60);

/// Shows on standard error how far a job is, until it is over: a bar on a terminal, else a line every five seconds.
pub(super) async fn watch(backfills: &Backfills, id: &str) -> Result<Status, BackfillError> {
    let mut status = backfills.show(id).await?;
    let bar = std::io::stderr().is_terminal().then(|| progress_count(status.total, "backfilled"));
    // What was done before is no speed.
    bar.iter().for_each(|bar| {
        bar.set_position(status.done);
        bar.reset_eta();
    });
    let (mut told, mut heard) = (None::<Instant>, Instant::now());
    while !status.is_over() {
        match &bar {
            Some(bar) => {
                bar.set_position(status.done);
                bar.set_message(label(&status));
            }
            None if told.is_none_or(|at| at.elapsed() >= TELL) => {
                told = Some(Instant::now());
                eprintln!("{}", line(&status));
            }
            None => {}
        }
        sleep(LOOK).await;
        status = match backfills.show(id).await {
            Ok(status) => {
                heard = Instant::now();
                status
            }
            Err(error) if waits(&error) && heard.elapsed() < PATIENCE => continue,
            Err(error) => return Err(error),
        };
    }
    bar.iter().for_each(|bar| bar.finish_and_clear());
    eprintln!("{}", line(&status));
    Ok(status)
}

/// Whether the log may only be away for a while.
fn waits(error: &BackfillError) -> bool {
    matches!(error, BackfillError::Broker(error) if error.class() == Class::Retryable)
}
