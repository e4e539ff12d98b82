//! 5: SIGKILL to MariaDB, away for 60 s. Timelines stay as fresh as they were, and the rows catch up.

use std::time::Duration;

use crate::args::Form;
use crate::outcome::Outcome;
use crate::probe::{Phase, Store};
use crate::servers::Lab;
use crate::stage::{Plan, Stage};

/// How much slower timelines may become while the rows are away.
const SLOWER: f64 = 1.5;

pub(super) async fn run(lab: &mut Lab) -> Outcome {
    let (form, mut outcome) = (lab.form, Outcome::default());
    let plan = Plan { workers: 2, ..Plan::new("chaos5", form.pick(300, 1000)) };
    let mut stage = Stage::open(lab, plan).await;
    // The baseline has a burst too: what is compared is a store that is away, not a burst.
    stage.make_busy(form.pick(500, 1000)).await;
    stage.flow(Phase::Before, form.pick(Duration::from_secs(5), Duration::from_secs(60))).await;
    stage.probe.phase(Phase::During);
    let lag = stage.make_busy(form.pick(500, 1000)).await;
    lab.servers().await.mariadb.kill().unwrap();
    stage.forget_writes();
    outcome.fault(lag > 0);
    eprintln!("MariaDB killed, {lag} records not committed");
    let half = form.pick(Duration::from_secs(5), Duration::from_secs(30));
    stage.flow(Phase::During, half).await;
    // What was under way at the kill is through or stuck by now.
    let (read, done) = (stage.probe.count(Phase::During, Store::Timelines), stage.watch.now().await.done());
    stage.flow(Phase::During, half).await;
    let grew = stage.probe.count(Phase::During, Store::Timelines) > read;
    outcome.demand(grew, "no timeline grew while MariaDB was away");
    outcome.demand(stage.watch.now().await.done() > done, "nothing was committed while MariaDB was away");
    outcome.set("waiting_during", stage.waiting().await);
    lab.servers().await.mariadb.restart().await.unwrap();
    stage.probe.phase(Phase::After);
    let recovery = stage.rows_complete().await;
    outcome.set_seconds("recovery_s", recovery);
    outcome.demand_within(form, "recovery", recovery, Duration::from_secs(60));
    stage.flow(Phase::After, form.pick(Duration::from_secs(3), Duration::from_secs(20))).await;
    let p99 = |phase| stage.probe.p99_ms(phase, Store::Timelines).map(|ms| ms as f64);
    let ratio = p99(Phase::During).zip(p99(Phase::Before)).map(|(during, before)| during / before.max(1.0));
    outcome.set("timelines_p99_ratio", ratio);
    let kept = form == Form::Short || ratio.is_some_and(|ratio| ratio <= SLOWER);
    outcome.demand(kept, format!("timelines became {ratio:?} times as old"));
    outcome.demand(stage.crew.exits() == 0, "a worker gave up");
    let verdict = stage.conclude(&mut outcome).await;
    let given_up = verdict.dead_letters.saturating_sub(verdict.undecodable);
    outcome.demand(given_up == 0, format!("{given_up} records that decode are dead letters"));
    outcome
}
