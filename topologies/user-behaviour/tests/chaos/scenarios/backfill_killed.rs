//! 11: a backlog is skipped, and brought by a backfill beside live traffic, while the workers that do both are killed.
//! Fresh records stay fresh, the job comes to its end by itself, and everything is stored in its newest version.
//!
//! A first job has the share that `skip` gives it: live traffic must hardly notice. How fresh records are without it is
//! measured while it is paused, by turns with while it runs: what stores hold grows by the minute, and with it what a
//! write costs, so that a minute before the backlog tells of other stores. Turns differ by more than what is allowed: their
//! median is told with the range in which it lies, and the verdict is that of the range's low end. Then it is cancelled, and
//! a second job, over the same ranges and in a hurry, is the one that must come to its end.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::args::Form;
use crate::figures::{CpuTime, Range95};
use crate::outcome::Outcome;
use crate::probe::{Phase, Store};
use crate::servers::Lab;
use crate::stage::{Plan, Stage};

/// Within what time fresh records can be read while the backlog is brought: 99 of 100.
const FRESH_MS: u64 = 1_000;
/// How much slower fresh records may be than without the backfill.
const SLOWER: f64 = 1.1;
/// How often the job is looked at while it rests and while it is at work, and how long each.
const TURNS: [usize; 2] = [1, 20];
const TURN: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(15)];
/// What share of the machine its host may give to others in a turn that counts.
const STOLEN: f64 = 0.01;
/// How soon the last run of a paused job is through, and how soon a resumed one is at work.
const SETTLED: Duration = Duration::from_secs(2);
/// How long the backlog may take to get into the log, and the job to its end.
const LIMIT: [Duration; 2] = [Duration::from_secs(100), Duration::from_secs(4800)];
/// How long the live stream may need for what arrived between the skip and its going on.
const CATCH_UP: Duration = Duration::from_secs(20);
/// How often the job is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// The share of the second job.
const HURRIED: &str = "0.9";
const SPOUT: &str = "behaviour";
const STORES: [Store; 2] = [Store::Timelines, Store::Rows];

pub(super) async fn run(lab: &mut Lab) -> Outcome {
    let (form, mut outcome) = (lab.form, Outcome::default());
    let records = lab.backlog.unwrap_or(form.pick(12_000, 5_000_000));
    let rate = form.pick(200, 5_000);
    let stage = Stage::open(lab, Plan::new("chaos11", rate)).await;
    // What servers and caches need to get warm is part of no figure.
    stage.flow(Phase::After, form.pick(Duration::from_secs(1), Duration::from_secs(45))).await;
    let backlog = pile_up(&stage, records, &mut outcome).await;
    outcome.set("backlog", backlog);
    // In the short form slowly, so that the second one is still to come.
    let budget: &[&str] = form.pick(&["--rate", "100", "--chunk", "500", "--share", "1"], &[]);
    let skip = [&["skip", "--reason", "chaos", "--json", "--wait", "60"], budget].concat();
    let Some(skipped) = stage.ask(&skip) else {
        outcome.demand(false, "the backlog was not skipped");
        return outcome;
    };
    outcome.set("skip_ms", skipped["elapsed_ms"].clone());
    outcome.set("skipped", skipped["skipped"].clone());
    let (first, total) = (text(&skipped["backfill"]["id"]), skipped["skipped"].as_u64().unwrap_or_default());
    outcome.demand(stage.ask(&["spout", "resume", SPOUT, "--json"]).is_some(), "the spout did not go on");
    stage.probe.silence(false);
    // What arrived between the skip and now had to wait for this command.
    let caught_up = stage.watch.until(CATCH_UP, |sample| sample.lag() < rate).await;
    outcome.set_seconds("caught_up_s", caught_up);
    outcome.demand(caught_up.is_some(), "what arrived since the skip was not caught up with");
    take_turns(&stage, &first, &mut outcome).await;
    let share = lab.share.as_deref().unwrap_or(HURRIED);
    let hurried = ["--share", share];
    // In the short form so that the kills find it at work.
    let budget = form.pick(["--rate", "1500", "--chunk", "500", "--share", "1"].as_slice(), &hurried);
    let began = Instant::now();
    let Some(job) = begin_anew(&stage, &skipped["backfill"], budget) else {
        outcome.demand(false, "no second job could take the place of the first");
        return outcome;
    };
    stage.flow(Phase::Hurried, form.pick(Duration::from_millis(500), Duration::from_secs(60))).await;
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
    stage.probe.phase(Phase::After);
    stage.probe.silence(true);
    let before: u64 = stage.watch.now().await.ends.iter().sum();
    stage.load.burst(records);
    let limit = stage.form.pick(LIMIT[0], LIMIT[1]);
    let piled = stage.watch.until(limit, |sample| sample.ends.iter().sum::<u64>() >= before + records).await;
    outcome.demand(piled.is_some(), "the backlog did not get into the log");
    stage.watch.now().await.lag()
}

/// Looks at fresh records while the job rests and while it is at work, by turns, first the one and then the other first. In
/// the full form the turns must not show that they are less fresh than they may be beside it. Turns in which the machine was
/// not its own are taken again: a virtual one whose host has others to serve is slow in a way that no job is to blame for.
async fn take_turns(stage: &Stage, job: &str, outcome: &mut Outcome) {
    let form = stage.form;
    let (turn, wanted) = (form.pick(TURN[0], TURN[1]), form.pick(TURNS[0], TURNS[1]));
    let (mut turns, mut taken, mut brought, mut working) = (Vec::new(), 0, 0, true);
    while turns.len() < wanted && taken < 2 * wanted {
        let mut phases = [Phase::Before, Phase::During];
        if taken % 2 == 1 {
            phases.reverse();
        }
        taken += 1;
        let (mut p99s, mut stolen) = ([[None; 2]; 2], 0.0_f64);
        for phase in phases {
            let work = phase == Phase::During;
            if work != working {
                let command = if work { "resume" } else { "pause" };
                let told = stage.ask(&["backfill", command, job, "--json"]);
                outcome.demand(told.is_some(), format!("`backfill {command}` failed"));
                working = work;
            }
            sleep(SETTLED).await;
            let (before, from) = (done(stage, job), STORES.map(|store| stage.probe.count(phase, store)));
            let cpu = CpuTime::now();
            stage.flow(phase, turn).await;
            stolen = stolen.max(cpu.stolen_since());
            stage.probe.phase(Phase::After);
            let more = done(stage, job).zip(before).map(|(after, before)| after - before);
            match work {
                true => brought += more.unwrap_or_default(),
                false => outcome.demand(more == Some(0), format!("a paused job went on by {more:?}")),
            }
            let p99 = |(store, from)| stage.probe.p99_ms_since(phase, store, from);
            p99s[usize::from(work)] = [p99((STORES[0], from[0])), p99((STORES[1], from[1]))];
        }
        let [before, during] = p99s;
        let counts = form == Form::Short || stolen <= STOLEN;
        let verdict = if counts { "" } else { ", which does not count" };
        eprintln!(
            "p99 of {STORES:?} while the job rested {before:?}, while it was at work {during:?}; \
             the host took {:.1} %{verdict}",
            stolen * 100.0
        );
        if counts {
            turns.push(p99s);
        }
    }
    outcome.demand(brought > 0, "the job brought nothing while fresh records were looked at");
    outcome.set("brought_per_s", (brought as f64 / (taken as f64 * turn.as_secs_f64())).round());
    outcome.set("turns", turns.len());
    outcome.set("turns_taken", taken);
    let enough = turns.len() >= wanted.div_ceil(2);
    outcome.demand(enough, format!("the host took the machine away in {} of {taken} turns", taken - turns.len()));
    for (at, name) in ["timelines_p99_ratio", "rows_p99_ratio"].into_iter().enumerate() {
        let ratio =
            |[before, during]: &[[Option<u64>; 2]; 2]| Some(during[at]? as f64 / before[at]?.max(1) as f64);
        let range = Range95::of(turns.iter().filter_map(ratio).collect());
        outcome.set(name, range.as_ref().map(Range95::to_json));
        let kept = form == Form::Short || range.as_ref().is_some_and(|range| range.low <= SLOWER);
        outcome.demand(kept, format!("{:?}: p99 is {range:?} times as high while the job is at work", STORES[at]));
    }
}

/// Cancels a job and has another, with this budget, do the same; its name.
fn begin_anew(stage: &Stage, job: &Value, budget: &[&str]) -> Option<String> {
    stage.ask(&["backfill", "cancel", job["id"].as_str()?, "--json"])?;
    let bound = |end: &str| {
        let offsets =
            job["ranges"].as_array()?.iter().map(|range| format!("{}:{}", range["partition"], range[end]));
        Some(offsets.collect::<Vec<_>>().join(","))
    };
    let (from, to) = (bound("from")?, bound("to")?);
    let create = ["backfill", "create", "--from", &from, "--to", &to, "--reason", "chaos", "--json"];
    Some(text(&stage.ask(&[&create, budget].concat())?["job"]["id"]))
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

/// In the full form records must be fresh beside any job.
fn judge_freshness(stage: &Stage, form: Form, outcome: &mut Outcome) {
    outcome.set("fresh_p99_ms_hurried", stage.probe.figure(Phase::Hurried));
    for (store, phase) in STORES.iter().flat_map(|store| [(*store, Phase::During), (*store, Phase::Hurried)]) {
        let p99 = stage.probe.p99_ms(phase, store);
        let fresh = form == Form::Short || p99.is_some_and(|ms| ms <= FRESH_MS);
        outcome.demand(fresh, format!("{store:?}: fresh records took {p99:?} ms ({phase:?})"));
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
