//! 1: SIGKILL to one of three workers every 10 s, 20 times. Each is started again at once, as a supervisor would.

use std::time::Duration;

use tokio::time::sleep;

use crate::outcome::Outcome;
use crate::probe::Phase;
use crate::servers::Lab;
use crate::stage::{Plan, Stage};

/// Share of all row writes that may be writes again.
const DUPLICATES: f64 = 0.2;

pub(super) async fn run(lab: &mut Lab) -> Outcome {
    let (form, mut outcome) = (lab.form, Outcome::default());
    let (kills, pause) = form.pick((3, Duration::from_secs(4)), (20, Duration::from_secs(10)));
    let stage = Stage::open(lab, Plan::new("chaos1", form.pick(500, 1000))).await;
    stage.flow(Phase::Before, form.pick(Duration::from_secs(4), Duration::from_secs(20))).await;
    stage.probe.phase(Phase::During);
    for kill in 0..kills {
        let lag = stage.make_busy(form.pick(500, 1000)).await;
        let victim = kill % stage.crew.len();
        eprintln!("kill {} of {kills}: worker {victim}, {lag} records not committed", kill + 1);
        stage.crew.kill(victim);
        outcome.fault(lag > 0);
        stage.crew.spawn(victim);
        sleep(pause).await;
    }
    let recovery = stage.recovery().await;
    outcome.set_seconds("recovery_s", recovery);
    outcome.demand_within(form, "recovery", recovery, Duration::from_secs(60));
    stage.flow(Phase::After, form.pick(Duration::from_secs(3), Duration::from_secs(20))).await;
    stage.conclude(&mut outcome).await;
    let again = outcome.number("duplicate_ratio");
    outcome.demand(
        again.is_some_and(|share| share < DUPLICATES),
        format!("{again:?} of the row writes were repeated"),
    );
    outcome
}
