//! 6: what MariaDB answers is dropped on its way, so that nobody knows what was written; ten thousand records.

use std::time::Duration;

use squall::testing::{Fault, FaultProxy};
use tokio::time::sleep;

use crate::outcome::Outcome;
use crate::probe::Phase;
use crate::servers::Lab;
use crate::stage::{Plan, Stage};

const RECORDS: u64 = 10_000;

pub(super) async fn run(lab: &mut Lab) -> Outcome {
    let (form, mut outcome) = (lab.form, Outcome::default());
    let (rounds, dropped) = form.pick((4, Duration::from_secs(1)), (10, Duration::from_secs(3)));
    let mariadb = &lab.servers().await.mariadb;
    let proxy = FaultProxy::start(mariadb.socket_address().unwrap());
    // The database that `Stage::open` makes, by way of the proxy.
    let url = proxy.reroute(&format!("{}/squall_test_chaos6", mariadb.url().trim_end_matches('/')));
    let plan = Plan { workers: 2, overrides: vec![format!("rows.mysql.url={url}")], ..Plan::new("chaos6", 200) };
    let stage = Stage::open(lab, plan).await;
    stage.flow(Phase::Before, Duration::from_secs(3)).await;
    stage.probe.phase(Phase::During);
    for round in 1..=rounds {
        let lag = stage.make_busy(RECORDS / rounds).await;
        let swallowed = proxy.swallowed();
        proxy.set(Fault::DropReplies);
        sleep(dropped).await;
        let lost = proxy.swallowed() - swallowed;
        proxy.set(Fault::None);
        eprintln!("round {round} of {rounds}: {lost} bytes of replies dropped, {lag} records not committed");
        outcome.fault(lost > 0);
    }
    let recovery = stage.recovery().await;
    outcome.set_seconds("recovery_s", recovery);
    outcome.demand(recovery.is_some(), "the backlog was not worked off");
    stage.flow(Phase::After, Duration::from_secs(2)).await;
    let verdict = stage.conclude(&mut outcome).await;
    outcome.set("wrong_profiles", verdict.wrong_profiles);
    outcome.demand(verdict.records >= RECORDS, format!("only {} records", verdict.records));
    outcome
}
