//! SIGTERM and SIGINT: drain, then exit.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::runtime::{Report, Running};

/// SIGTERM and SIGINT, from the moment of registration on.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn register() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Runs to the end, which the first SIGTERM or SIGINT brings about gracefully. A second one ends the process at once,
/// with status 130: nothing is lost by it, what was in flight comes again.
///
/// # Errors
/// When the process cannot register for signals.
pub async fn run_until_signal(running: Running) -> std::io::Result<Report> {
    let (stop, mut signals) = (running.stopper(), StopSignals::register()?);
    eprintln!("running; Ctrl-C or SIGTERM drains and stops");
    let mut wait = std::pin::pin!(running.wait());
    tokio::select! {
        report = &mut wait => return Ok(report),
        () = signals.next() => {}
    }
    tracing::info!("asked to stop; draining");
    stop.stop();
    tokio::select! {
        report = &mut wait => Ok(report),
        () = signals.next() => {
            tracing::warn!("asked to stop again; what is in flight is left to the next start");
            std::process::exit(130);
        }
    }
}
