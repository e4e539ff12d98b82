//! The task that tells the operator how this worker stands.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::outage::Outage;
use super::shared::Shared;
use crate::broker::{Append, BrokerError};

/// Sends heartbeats and acknowledgements until told to stop, then takes them all back.
pub(super) async fn report(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    tokio::select! {
        biased;
        // A sender that is gone has aborted this task, or is about to.
        _ = stop.wait_for(|stop| *stop) => {}
        () = report_on(&shared) => {}
    }
    if let Err(error) = send(&shared, shared.farewell()).await {
        tracing::debug!(%error, "the farewell did not reach the log; the worker counts as lost");
    }
}

async fn report_on(shared: &Shared) {
    let mut outage = Outage::of("report to the workers' topic", &shared.settings);
    let mut next_beat = Instant::now();
    loop {
        let moved = tokio::select! {
            () = shared.to_report.notified() => false,
            () = shared.moved.notified() => true,
            () = sleep_until(next_beat) => false,
        };
        let report = shared.take_report(moved || Instant::now() >= next_beat);
        if report.heartbeat.is_some() {
            next_beat = Instant::now() + shared.settings.heartbeat;
        }
        let records = shared.records(&report);
        if records.is_empty() {
            continue;
        }
        match send(shared, records).await {
            Ok(()) => outage.over(),
            Err(error) => {
                shared.return_report(report);
                sleep(outage.failed(&error)).await;
                next_beat = Instant::now();
            }
        }
    }
}

async fn send(shared: &Shared, records: Vec<Append>) -> Result<(), BrokerError> {
    shared.broker.producer()?.append(&shared.names.workers, records).await.map(drop)
}
