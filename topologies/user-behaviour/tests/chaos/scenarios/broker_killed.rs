//! 3: SIGKILL to the broker under load, 5 times.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::outcome::Outcome;
use crate::probe::Phase;
use crate::servers::Lab;
use crate::stage::{Plan, Stage};

/// How long after the broker's return records may stand still.
const STILL: Duration = Duration::from_secs(30);

pub(super) async fn run(lab: &mut Lab) -> Outcome {
    let (form, mut outcome) = (lab.form, Outcome::default());
    let (kills, away) = form.pick((2, Duration::from_secs(1)), (5, Duration::from_secs(5)));
    let stage = Stage::open(lab, Plan { workers: 2, ..Plan::new("chaos3", form.pick(500, 1000)) }).await;
    stage.flow(Phase::Before, form.pick(Duration::from_secs(3), Duration::from_secs(20))).await;
    stage.probe.phase(Phase::During);
    let mut longest = Some(Duration::ZERO);
    for kill in 1..=kills {
        let lag = stage.make_busy(form.pick(1000, 5000)).await;
        let kafka = &mut lab.servers().await.kafka;
        kafka.kill().unwrap();
        outcome.fault(lag > 0);
        sleep(away).await;
        kafka.restart().await.unwrap();
        let back = Instant::now();
        // All that the log held at the broker's return: more than that something moves again.
        let flowing = stage.recovery().await.map(|_| back.elapsed());
        eprintln!(
            "kill {kill} of {kills}: {lag} records not committed, worked off {flowing:.1?} after its return"
        );
        longest = longest.zip(flowing).map(|(longest, flowing)| longest.max(flowing));
    }
    outcome.set_seconds("recovery_s", longest);
    outcome.demand_within(form, "working off what the log held at the return", longest, STILL);
    stage.flow(Phase::After, form.pick(Duration::from_secs(3), Duration::from_secs(20))).await;
    stage.conclude(&mut outcome).await;
    outcome
}
