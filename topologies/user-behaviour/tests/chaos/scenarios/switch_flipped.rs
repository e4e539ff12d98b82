//! 10: the switch of the rows is flipped every second while MariaDB is down. The last value stands, also after every
//! worker was killed; left to itself the switch changes once a dwell at most.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{interval, sleep};

use crate::args::Form;
use crate::outcome::Outcome;
use crate::probe::Phase;
use crate::servers::Lab;
use crate::stage::{Plan, Stage};

const SWITCH: &str = "rows";
/// Who is named in the records of these changes; all others are the workers' own.
const WHO: &str = "chaos";
/// How long an automatic change stands at least.
const DWELL: Duration = Duration::from_secs(30);

pub(super) async fn run(lab: &mut Lab) -> Outcome {
    let (form, mut outcome) = (lab.form, Outcome::default());
    let mut stage = Stage::open(lab, Plan::new("chaos10", form.pick(200, 500))).await;
    stage.flow(Phase::Before, Duration::from_secs(3)).await;
    let lag = stage.make_busy(500).await;
    lab.servers().await.mariadb.kill().unwrap();
    stage.forget_writes();
    outcome.fault(lag > 0);
    stage.probe.phase(Phase::During);
    let mut seconds = interval(Duration::from_secs(1));
    // The last flip is to "off": over a store that is down there is something to do for the switch by itself.
    for flip in 0..form.pick(8, 60) {
        seconds.tick().await;
        let value = if flip % 2 == 0 { "on" } else { "off" };
        outcome.demand(turn(&stage, value), format!("flip {flip} to {value} was not applied by all workers"));
    }
    let away = form.pick(Duration::ZERO, 3 * DWELL);
    outcome.demand(turn(&stage, "auto"), "the switch was not left to itself");
    sleep(away).await;
    let automatic = automatic_changes(&stage);
    outcome.set("automatic_changes", automatic);
    let allowed = 1 + (away.as_secs() / DWELL.as_secs()) as usize;
    let few = automatic.is_some_and(|changes| changes <= allowed);
    outcome.demand(few, format!("{automatic:?} automatic changes, {allowed} fit into the dwell"));
    let any = form == Form::Short || automatic > Some(0);
    outcome.demand(any, "left to itself over a store that is down the switch did not flip");
    outcome.demand(turn(&stage, "on"), "the last flip was not applied by all workers");
    lab.servers().await.mariadb.restart().await.unwrap();
    survive_restart(&stage, &mut outcome).await;
    outcome.demand(turn(&stage, "off"), "the switch did not go off");
    stage.probe.phase(Phase::After);
    let recovery = stage.rows_complete().await;
    outcome.set_seconds("recovery_s", recovery);
    outcome.demand(recovery.is_some(), "the rows did not catch up");
    stage.conclude(&mut outcome).await;
    outcome
}

/// Kills every worker and starts it again: the switch is still on, so records flow and no row is written.
async fn survive_restart(stage: &Stage, outcome: &mut Outcome) {
    (0..stage.crew.len()).for_each(|n| stage.crew.kill(n));
    (0..stage.crew.len()).for_each(|n| stage.crew.spawn(n));
    let (before, rows) = (stage.watch.now().await.ends, stage.rows_now().await);
    let flowing = stage.watch.until(Duration::from_secs(60), |sample| sample.passed(&before)).await;
    outcome.demand(flowing.is_some(), "nothing flows after the restart");
    let value = value_of(stage);
    outcome.demand(value.as_deref() == Some("on"), format!("after the restart the switch is {value:?}"));
    outcome.demand(rows.is_some() && stage.rows_now().await == rows, "rows were written while the switch was on");
}

/// Turns the switch; whether all workers applied it.
fn turn(stage: &Stage, value: &str) -> bool {
    stage.ask(&["switch", value, SWITCH, "--reason", "chaos", "--who", WHO]).is_some()
}

fn value_of(stage: &Stage) -> Option<String> {
    let listed = stage.ask(&["switch", "list", "--json"])?;
    let switches = listed["switches"].as_array()?;
    Some(switches.iter().find(|switch| switch["name"] == SWITCH)?["value"].as_str()?.to_owned())
}

/// How often the switch flipped by itself in the worker where it did so most: each decides for itself.
fn automatic_changes(stage: &Stage) -> Option<usize> {
    let listed = stage.ask(&["audit", "list", "--json", "--limit", "1000"])?;
    let records = listed["audit"].as_array()?.iter();
    let others = records.filter(|record| record["target"] == format!("switch/{SWITCH}") && record["who"] != WHO);
    let mut by_worker = BTreeMap::<&str, usize>::new();
    for record in others {
        *by_worker.entry(record["who"].as_str()?).or_default() += 1;
    }
    Some(by_worker.into_values().max().unwrap_or(0))
}
