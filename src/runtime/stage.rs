//! The loop of a task with an inbox.

use tokio::time::Instant;

use crate::topology::plan::{Signal, Stage, Taken};

/// Nanoseconds from a run's start to a point on tokio's clock.
pub(super) fn instant_of(started: Instant, ns: u64) -> Instant {
    started + std::time::Duration::from_nanos(ns)
}

/// Handles batches until the inbox is closed and empty, then closes the operators.
pub(super) async fn drive(mut stage: Box<dyn Stage>, started: Instant) {
    stage.signal(Signal::Prepare).await;
    loop {
        match stage.try_take() {
            Taken::Batch => {
                stage.step().await;
                tokio::task::coop::consume_budget().await;
                if is_due(&*stage, started) {
                    stage.signal(Signal::Timer).await;
                }
            }
            Taken::Empty => {
                stage.signal(Signal::Idle).await;
                wait(&mut *stage, started).await;
            }
            Taken::Closed => break,
        }
    }
    stage.signal(Signal::Close).await;
}

/// Waits for a batch, or until something is due and has been told so.
async fn wait(stage: &mut dyn Stage, started: Instant) {
    let Some(due) = stage.next_due() else {
        return stage.ready().await;
    };
    let due = instant_of(started, due);
    let arrived = tokio::time::timeout_at(due, stage.ready()).await.is_ok();
    if !arrived {
        stage.signal(Signal::Timer).await;
    }
}

fn is_due(stage: &dyn Stage, started: Instant) -> bool {
    stage.next_due().is_some_and(|due| instant_of(started, due) <= Instant::now())
}
