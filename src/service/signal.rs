//! SIGTERM and SIGINT: drain, then exit.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::runtime::{Ended, Report, Running};

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

/// Waits for the first SIGTERM or SIGINT. A second one ends the process at once, with status 130: what was promised is
/// durable, what was not comes again.
///
/// # Errors
/// When the process cannot register for signals.
pub async fn until_signal() -> std::io::Result<()> {
    let mut signals = StopSignals::register()?;
    signals.next().await;
    tokio::spawn(async move {
        signals.next().await;
        std::process::exit(130);
    });
    Ok(())
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

/// [`run_until_signal`] with another run beside it, which ends with it: once `main` is done, `last` is waited for (not
/// when it was stopped or failed), then `beside` is stopped. When `beside` ends first, `main` is stopped.
///
/// # Errors
/// As [`run_until_signal`].
pub async fn run_beside(
    main: Running,
    beside: Running,
    last: impl Future<Output = ()>,
) -> std::io::Result<(Report, Report)> {
    let (stop_main, stop_beside) = (main.stopper(), beside.stopper());
    let main = async {
        let report = run_until_signal(main).await;
        if report.as_ref().is_ok_and(|report| matches!(report.ended, Ended::Finished)) {
            last.await;
        }
        stop_beside.stop();
        report
    };
    let beside = async {
        let report = beside.wait().await;
        stop_main.stop();
        report
    };
    let (main, beside) = tokio::join!(main, beside);
    Ok((main?, beside))
}
