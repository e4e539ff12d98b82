//! 11: a backlog is skipped, and brought by a backfill beside live traffic, while the workers that do both are killed.
//! Fresh records stay fresh, the job comes to its end by itself, and everything is stored in its newest version.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::args::Form;
use crate::outcome::Outcome;
use crate::probe::{Phase, Store};
use crate::servers::Lab;
use crate::stage::{Plan, Stage};

/// Within what time fresh records can be read while the backlog is brought: 99 of 100.
const FRESH_MS: u64 = 1_000;
/// How much slower fresh records may be than before.
const SLOWER: f64 = 1.1;
/// How long the backlog may take to get into the log, and the job to its end.
const LIMIT: [Duration; 2] = [Duration::from_secs(100), Duration::from_secs(4800)];
/// How long the live stream may need for what arrived between the skip and its going on.
const CATCH_UP: Duration = Duration::from_secs(20);
/// How often the job is looked at.
const LOOK: Duration = Duration::from_millis(500);
const SPOUT: &str = "behaviour";

pub(super) async fn run(lab: &mut Lab) -> Outcome {
    let (form, mut outcome) = (lab.form, Outcome::default());
    let records = lab.backlog.unwrap_or(form.pick(8_000, 5_000_000));
    let rate = form.pick(200, 5_000);
    let stage = Stage::open(lab, Plan::new("chaos11", rate)).await;
    // So that what servers and caches need to get warm is not part of the baseline.
    stage.flow(Phase::After, form.pick(Duration::from_secs(1), Duration::from_secs(45))).await;
    stage.flow(Phase::Before, form.pick(Duration::from_secs(3), Duration::from_secs(60))).await;
    let backlog = pile_up(&stage, records, &mut outcome).await;
    outcome.set("backlog", backlog);
    // In the short form slowly, so that the kills find it at work.
    let mut skip = vec!["skip", "--reason", "chaos", "--json", "--wait", "60"];
    skip.extend(form.pick(["--rate", "1500", "--chunk", "500"].as_slice(), [].as_slice()));
    let share = lab.share.clone().or(form.pick(Some("1".to_owned()), None));
    skip.extend(share.iter().flat_map(|share| ["--share", share]));
    let Some(skipped) = stage.ask(&skip) else {
        outcome.demand(false, "the backlog was not skipped");
        return outcome;
    };
    outcome.set("skip_ms", skipped["elapsed_ms"].clone());
    outcome.set("skipped", skipped["skipped"].clone());
    let (job, total) = (text(&skipped["backfill"]["id"]), skipped["skipped"].as_u64().unwrap_or_default());
    outcome.demand(stage.ask(&["spout", "resume", SPOUT, "--json"]).is_some(), "the spout did not go on");
    let began = Instant::now();
    // What arrived between the skip and now had to wait for this command.
    let caught_up = stage.watch.until(CATCH_UP, |sample| sample.lag() < rate).await;
    outcome.set_seconds("caught_up_s", caught_up);
    outcome.demand(caught_up.is_some(), "what arrived since the skip was not caught up with");
    stage.flow(Phase::During, form.pick(Duration::from_secs(1), Duration::from_secs(60))).await;
    stage.probe.phase(Phase::After);
    for kill in 0..form.pick(2, 5) {
        let done = done(&stage, &job).unwrap_or(total);
        let victim = kill % stage.crew.len();
        eprintln!("kill {}: worker {victim}, {done} of {total} brought", kill + 1);
        stage.crew.kill(victim);
        outcome.fault(done < total);
        stage.crew.spawn(victim);
        sleep(form.pick(Duration::from_secs(1), Duration::from_secs(15))).await;
    }
    let finished = until_finished(&stage, &job, form.pick(LIMIT[0], LIMIT[1])).await;
    outcome.demand(finished.is_some(), "the job does not come to its end");
    outcome.set_seconds("backfill_s", finished.as_ref().map(|_| began.elapsed()));
    let status = finished.unwrap_or_default();
    outcome.demand(
        status["done"].as_u64() == Some(total),
        format!("the job says that it has done {}", status["done"]),
    );
    outcome.demand(status["lost"].as_array().is_some_and(Vec::is_empty), "the job has lost records");
    judge_freshness(&stage, form, &mut outcome);
    // The reckoning over millions of records takes long: what is known by now is told.
    eprintln!("so far: {}", outcome.to_json());
    stage.conclude(&mut outcome).await;
    outcome
}

/// Has records pile up while the spout rests; how many it is behind.
async fn pile_up(stage: &Stage, records: u64, outcome: &mut Outcome) -> u64 {
    outcome.demand(stage.ask(&["spout", "pause", SPOUT, "--json"]).is_some(), "the spout was not paused");
    // What is sent while the spout rests waits for that: it is no measure of how fresh records were.
    stage.probe.phase(Phase::After);
    let before: u64 = stage.watch.now().await.ends.iter().sum();
    stage.load.burst(records);
    let limit = stage.form.pick(LIMIT[0], LIMIT[1]);
    let piled = stage.watch.until(limit, |sample| sample.ends.iter().sum::<u64>() >= before + records).await;
    outcome.demand(piled.is_some(), "the backlog did not get into the log");
    stage.watch.now().await.lag()
}

/// How many records the job has brought; `None` when it cannot be asked.
fn done(stage: &Stage, job: &str) -> Option<u64> {
    stage.ask(&["backfill", "show", job, "--json"])?["done"].as_u64()
}

/// Waits for the end of the job; how it stands then.
async fn until_finished(stage: &Stage, job: &str, limit: Duration) -> Option<Value> {
    let began = Instant::now();
    while began.elapsed() < limit {
        match stage.ask(&["backfill", "show", job, "--json"]) {
            Some(status) if !status["finished_ms"].is_null() => return Some(status),
            _ => sleep(LOOK).await,
        }
    }
    None
}

/// In the full form fresh records must be as fresh as they were, and fresh at all.
fn judge_freshness(stage: &Stage, form: Form, outcome: &mut Outcome) {
    for (store, name) in [(Store::Timelines, "timelines_p99_ratio"), (Store::Rows, "rows_p99_ratio")] {
        let p99 = |phase| stage.probe.p99_ms(phase, store);
        let (before, during) = (p99(Phase::Before), p99(Phase::During));
        let ratio = before.zip(during).map(|(before, during)| during as f64 / before.max(1) as f64);
        outcome.set(name, ratio);
        let judged = form == Form::Full;
        let fresh = !judged || during.is_some_and(|ms| ms <= FRESH_MS);
        outcome
            .demand(fresh, format!("{store:?}: fresh records took {during:?} ms while the backlog was brought"));
        let kept = !judged || ratio.is_some_and(|ratio| ratio <= SLOWER);
        outcome.demand(
            kept,
            format!("{store:?}: p99 {before:?} ms before, {during:?} ms while the backlog was brought"),
        );
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
