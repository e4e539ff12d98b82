//! 2: SIGSTOP to a worker with records in hand for twice the session timeout, then SIGCONT: by then others have its
//! partitions and have written newer versions, which what it still holds must not replace.

use std::time::Duration;

use tokio::time::sleep;

use crate::outcome::Outcome;
use crate::probe::Phase;
use crate::servers::Lab;
use crate::stage::{Plan, Stage};

pub(super) async fn run(lab: &mut Lab) -> Outcome {
    let (form, mut outcome) = (lab.form, Outcome::default());
    let session = form.pick(Duration::from_secs(3), Duration::from_secs(10));
    // Many newer versions of what the stopped worker holds.
    let plan = Plan { session, revised: 0.5, ..Plan::new("chaos2", form.pick(500, 1000)) };
    let stage = Stage::open(lab, plan).await;
    stage.flow(Phase::Before, form.pick(Duration::from_secs(3), Duration::from_secs(20))).await;
    stage.probe.phase(Phase::During);
    let mut recovery = None;
    for round in 0..form.pick(2, 6) {
        let victim = round % stage.crew.len();
        let lag = stage.make_busy(form.pick(2000, 5000)).await;
        stage.crew.signal(victim, "STOP");
        let stopped = stage.watch.now().await;
        // Longer than a commit takes, shorter than the session: what stands still now is the victim's.
        sleep(session / 2).await;
        let held = stage.watch.now().await.stuck(&stopped);
        eprintln!("worker {victim} stopped with {lag} records not committed, {held} of its own");
        outcome.fault(held > 0);
        sleep(session + session / 2).await;
        stage.crew.signal(victim, "CONT");
        let took = stage.recovery().await;
        outcome.demand(took.is_some(), "the others did not take over");
        recovery = recovery.max(took);
    }
    outcome.set_seconds("recovery_s", recovery);
    stage.flow(Phase::After, form.pick(Duration::from_secs(3), Duration::from_secs(20))).await;
    stage.conclude(&mut outcome).await;
    outcome
}
