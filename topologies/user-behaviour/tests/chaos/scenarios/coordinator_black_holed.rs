//! 4: the group's coordinator is black-holed for 60 s: connections stay open, nothing comes through. It is the only
//! broker, so the workers lose the log as well; the harness reaches it by a listener of its own and sees every commit.

use std::time::Duration;

use squall::testing::Fault;
use tokio::time::sleep;

use crate::outcome::Outcome;
use crate::probe::Phase;
use crate::servers::Lab;
use crate::stage::{Plan, Stage};

pub(super) async fn run(lab: &mut Lab) -> Outcome {
    let (form, mut outcome) = (lab.form, Outcome::default());
    let session = form.pick(Duration::from_secs(3), Duration::from_secs(10));
    let through = lab.servers().await.kafka_proxy.address();
    let overrides = vec![format!("broker.kafka.bootstrap={through}")];
    let plan = Plan { workers: 2, session, overrides, ..Plan::new("chaos4", form.pick(500, 1000)) };
    let stage = Stage::open(lab, plan).await;
    stage.flow(Phase::Before, form.pick(Duration::from_secs(3), Duration::from_secs(20))).await;
    stage.probe.phase(Phase::During);
    let lag = stage.make_busy(form.pick(1000, 5000)).await;
    let proxy = &lab.servers().await.kafka_proxy;
    let swallowed = proxy.swallowed();
    proxy.set(Fault::BlackHole);
    eprintln!("black hole, {lag} records not committed");
    sleep(form.pick(Duration::from_secs(10), Duration::from_secs(60))).await;
    outcome.fault(lag > 0 && proxy.swallowed() > swallowed);
    proxy.set(Fault::None);
    let recovery = stage.recovery().await;
    outcome.set_seconds("recovery_s", recovery);
    outcome.demand(recovery.is_some(), "the backlog was not worked off");
    stage.flow(Phase::After, form.pick(Duration::from_secs(3), Duration::from_secs(20))).await;
    stage.conclude(&mut outcome).await;
    outcome
}
