//! 3: SIGKILL to the broker under load, 5 times.

use std::time::Duration;

use tokio::time::sleep;

use crate::outcome::Outcome;
use crate::probe::Phase;
use crate::servers::Lab;
use crate::stage::{Plan, Stage};

/// How long after the broker's return records may stand still.
const STILL: Duration = Duration::from_secs(30);
/// How long is waited for them at all.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) async fn run(lab: &mut Lab) -> Outcome {
    let (form, mut outcome) = (lab.form, Outcome::default());
    let (kills, away) = form.pick((2, Duration::from_secs(1)), (5, Duration::from_secs(5)));
    let stage = Stage::open(lab, Plan { workers: 2, ..Plan::new("chaos3", form.pick(500, 1000)) }).await;
    stage.flow(Phase::Before, form.pick(Duration::from_secs(3), Duration::from_secs(20))).await;
    stage.probe.phase(Phase::During);
    let mut longest = Some(Duration::ZERO);
    for kill in 1..=kills {
        let lag = stage.make_busy(form.pick(1000, 5000)).await;
        let before = stage.watch.now().await.done();
        let kafka = &mut lab.servers().await.kafka;
        kafka.kill().unwrap();
        outcome.fault(lag > 0);
        sleep(away).await;
        kafka.restart().await.unwrap();
        let still = stage.watch.until(PATIENCE, |sample| sample.done() > before).await;
        eprintln!("kill {kill} of {kills}: {lag} records not committed, commits again after {still:.1?}");
        longest = longest.zip(still).map(|(longest, still)| longest.max(still));
        outcome.demand(stage.recovery().await.is_some(), "the backlog was not worked off");
    }
    outcome.set_seconds("recovery_s", longest);
    outcome.demand_within(form, "the return of commits", longest, STILL);
    stage.flow(Phase::After, form.pick(Duration::from_secs(3), Duration::from_secs(20))).await;
    stage.conclude(&mut outcome).await;
    outcome
}
