//! SIGTERM and SIGINT: drain, then exit.

use tokio::signal::unix::{SignalKind, signal};

use crate::runtime::{Report, Running};

/// Resolves at the first SIGTERM or SIGINT.
///
/// # Errors
/// When the process cannot register for signals.
pub async fn stop_signal() -> std::io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        biased;
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Runs to the end, which the first SIGTERM or SIGINT brings about gracefully. A second one ends the process at once,
/// with status 130: nothing is lost by it, what was in flight comes again.
///
/// # Errors
/// When the process cannot register for signals.
pub async fn run_until_signal(running: Running) -> std::io::Result<Report> {
    let stop = running.stopper();
    let mut wait = std::pin::pin!(running.wait());
    tokio::select! {
        report = &mut wait => return Ok(report),
        signal = stop_signal() => signal?,
    }
    tracing::info!("asked to stop; draining");
    stop.stop();
    tokio::select! {
        report = &mut wait => Ok(report),
        signal = stop_signal() => {
            signal?;
            tracing::warn!("asked to stop again; what is in flight is left to the next start");
            std::process::exit(130);
        }
    }
}
