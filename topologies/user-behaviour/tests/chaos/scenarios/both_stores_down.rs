//! 9: both stores killed, away for 5 min. Workers hold out with flat memory, and everything is stored afterwards.

use std::time::Duration;

use tokio::time::Instant;

use crate::args::Form;
use crate::outcome::Outcome;
use crate::probe::Phase;
use crate::servers::Lab;
use crate::stage::{Plan, Stage};

/// What a worker may take at most.
const MAX_MIB: u64 = 512;

pub(super) async fn run(lab: &mut Lab) -> Outcome {
    let (form, mut outcome) = (lab.form, Outcome::default());
    // Nothing broken: there must be no dead letter at all.
    let plan = Plan { workers: 2, broken: 0.0, ..Plan::new("chaos9", form.pick(300, 1000)) };
    let mut stage = Stage::open(lab, plan).await;
    stage.flow(Phase::Before, form.pick(Duration::from_secs(3), Duration::from_secs(30))).await;
    stage.probe.phase(Phase::During);
    let lag = stage.make_busy(form.pick(500, 5000)).await;
    let servers = lab.servers().await;
    servers.mariadb.kill().unwrap();
    servers.redis.kill().unwrap();
    stage.forget_writes();
    outcome.fault(lag > 0);
    eprintln!("both stores killed, {lag} records not committed");
    let (began, away) = (Instant::now(), form.pick(Duration::from_secs(15), Duration::from_secs(300)));
    stage.flow(Phase::During, away / 2).await;
    let half = stage.watch.now().await.done();
    stage.flow(Phase::During, away / 2).await;
    outcome.demand(stage.watch.now().await.done() > half, "nothing was set aside while both stores were away");
    let of_third =
        |third: u32| stage.crew.peak_mib_between(began + away * third / 3, began + away * (third + 1) / 3);
    let (middle, last) = (of_third(1), of_third(2));
    outcome.set("rss_mib_middle_third", middle);
    outcome.set("rss_mib_last_third", last);
    // A tenth and a little: an allocator does not give everything back at once.
    let flat = form == Form::Short || last <= middle + middle / 10 + 8;
    outcome.demand(flat, format!("memory grew from {middle} to {last} MiB while the stores were away"));
    outcome.set("waiting_during", stage.waiting().await);
    let servers = lab.servers().await;
    servers.redis.restart().await.unwrap();
    servers.mariadb.restart().await.unwrap();
    stage.probe.phase(Phase::After);
    let recovery = stage.rows_complete().await;
    outcome.set_seconds("recovery_s", recovery);
    outcome.demand(recovery.is_some(), "the rows did not catch up");
    let (peak, exits) = (stage.crew.peak_mib(), stage.crew.exits());
    outcome.demand(peak <= MAX_MIB, format!("a worker took {peak} MiB, allowed are {MAX_MIB}"));
    outcome.demand(exits == 0, "a worker gave up");
    let verdict = stage.conclude(&mut outcome).await;
    outcome.demand(verdict.dead_letters == 0, format!("{} dead letters", verdict.dead_letters));
    outcome
}
