//! 6: what MariaDB answers is dropped on its way, so that nobody knows what was written; ten thousand records.
//!
//! Each time the workers leave the store alone for a while, so it takes until all rows are in before it can be hit
//! again. The short form waits less for answers and leaves it alone for a shorter time.

use std::time::Duration;

use squall::testing::{Fault, FaultProxy};
use tokio::time::sleep;

use crate::outcome::Outcome;
use crate::probe::Phase;
use crate::servers::Lab;
use crate::stage::{Plan, Stage};

const RECORDS: u64 = 10_000;
/// What the short form sets.
const SOONER: &[&str] = &[
    "rows.mysql.statement_timeout_ms=2000",
    "guards.rows.breaker.open_for_ms=1000",
    "guards.rows.breaker.ramp_step_ms=500",
    "delivery.ramp_step_ms=500",
];

pub(super) async fn run(lab: &mut Lab) -> Outcome {
    let (form, mut outcome) = (lab.form, Outcome::default());
    let (rounds, dropped) = form.pick((2, Duration::from_secs(1)), (10, Duration::from_secs(3)));
    let mariadb = &lab.servers().await.mariadb;
    let proxy = FaultProxy::start(mariadb.socket_address().unwrap());
    // The database that `Stage::open` makes, by way of the proxy.
    let url = proxy.reroute(&format!("{}/squall_test_chaos6", mariadb.url().trim_end_matches('/')));
    let mut overrides = vec![format!("rows.mysql.url={url}")];
    overrides.extend(form.pick(SOONER, &[]).iter().map(|text| (*text).to_owned()));
    let plan = Plan { workers: 2, overrides, ..Plan::new("chaos6", 200) };
    let stage = Stage::open(lab, plan).await;
    stage.flow(Phase::Before, Duration::from_secs(3)).await;
    stage.probe.phase(Phase::During);
    let mut recovery = None;
    for round in 1..=rounds {
        let lag = stage.make_busy(RECORDS / rounds).await;
        let swallowed = proxy.swallowed();
        proxy.set(Fault::DropReplies);
        sleep(dropped).await;
        let lost = proxy.swallowed() - swallowed;
        proxy.set(Fault::None);
        eprintln!("round {round} of {rounds}: {lost} bytes of replies dropped, {lag} records not committed");
        outcome.fault(lost > 0);
        let took = stage.rows_complete().await;
        outcome.demand(took.is_some(), "the rows did not catch up");
        recovery = recovery.max(took);
    }
    outcome.set_seconds("recovery_s", recovery);
    stage.flow(Phase::After, Duration::from_secs(2)).await;
    let verdict = stage.conclude(&mut outcome).await;
    outcome.set("wrong_profiles", verdict.wrong_profiles);
    outcome.demand(verdict.records >= RECORDS, format!("only {} records", verdict.records));
    outcome
}
