//! 11: a backlog is skipped, and brought by a backfill beside live traffic, while the workers that do both are killed.
//! Fresh records stay fresh, the job comes to its end by itself, and everything is stored in its newest version.
//!
//! A first job has the share that `skip` gives it: live traffic must hardly notice. A second one, over the same ranges, has a
//! share that makes a difference which can be seen. How fresh records are without either is measured while it is paused, by
//! turns with while it runs: what stores hold grows by the minute, and with it what a write costs, so that a minute before the
//! backlog tells of other stores. A third one, in a hurry, is the one that must come to its end.

use std::time::Duration;

use serde_json::Value;
use squall::control::backfill::{Budget, Job, Leases, Turn};
use tokio::time::{Instant, sleep};

use crate::args::Form;
use crate::outcome::Outcome;
use crate::probe::Phase;
use crate::servers::Lab;
use crate::stage::{Plan, Stage};
use crate::turns::{STORES, Turns, done};

/// Within what time fresh records can be read while the backlog is brought and workers are killed: 99 of 100.
const FRESH_MS: u64 = 1_000;
/// How much slower fresh records may be than without the backfill.
const SLOWER: f64 = 1.1;
/// How long the live stream may need for what arrived between the skip and its going on.
const CATCH_UP: Duration = Duration::from_secs(20);
/// How often the job is looked at: each look reads all that was ever said of jobs.
const LOOK: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(5)];
/// How workers see to it that fresh records are so fast while the stores have no room for both.
const FIRST: [&str; 2] = ["source.commit_interval_ms=100", "source.backfill_rests_when_behind_ms=300"];
/// The share of the second job.
const SEEN: &str = "0.5";
const SPOUT: &str = "behaviour";

pub(super) async fn run(lab: &mut Lab) -> Outcome {
    let (form, mut outcome) = (lab.form, Outcome::default());
    let records = lab.backlog.unwrap_or(form.pick(12_000, 5_000_000));
    let rate = lab.fresh.unwrap_or(form.pick(200, 5_000));
    let stage =
        Stage::open(lab, Plan { overrides: FIRST.map(Into::into).to_vec(), ..Plan::new("chaos11", rate) }).await;
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
    let last = match lab.turns {
        0 => Some(first),
        turns => compare(&stage, &skipped["backfill"], &first, turns, &mut outcome).await,
    };
    let Some(last) = last else { return outcome };
    let hurried = match form {
        Form::Short => slowly("800").to_vec(),
        Form::Full => lab.budget.iter().map(String::as_str).collect(),
    };
    let began = Instant::now();
    let Some(job) = begin_anew(&stage, &skipped["backfill"], &last, &hurried) else {
        outcome.demand(false, "no last job could take the place of the one before it");
        return outcome;
    };
    stage.probe.phase(Phase::Hurried);
    kill_workers(&stage, &job, total, &mut outcome).await;
    let finished = until_finished(&stage, &job, form, limit(total)).await;
    stage.probe.phase(Phase::After);
    outcome.demand(finished.is_some(), "the job does not come to its end");
    outcome.set_seconds("backfill_s", finished.as_ref().map(|_| began.elapsed()));
    let status = finished.unwrap_or_default();
    outcome.demand(
        status["done"].as_u64() == Some(total),
        format!("the job says that it has done {}", status["done"]),
    );
    outcome.demand(status["lost"].as_array().is_some_and(Vec::is_empty), "the job has lost records");
    judge_freshness(&stage, form, &mut outcome);
    eprintln!("so far: {}", outcome.to_json());
    stage.conclude(&mut outcome).await;
    outcome
}

/// Measures how much slower fresh records are beside the first job in so many turns, and where that decides nothing, beside a
/// second one that takes its place; the name of the last.
async fn compare(
    stage: &Stage,
    skipped: &Value,
    first: &str,
    turns: usize,
    outcome: &mut Outcome,
) -> Option<String> {
    let form = stage.form;
    let turns = Turns::take(stage, first, Phase::During, turns, outcome).await;
    outcome.set("default", turns.to_json());
    eprintln!("so far: {}", outcome.to_json());
    if form == Form::Full && turns.decide(SLOWER) {
        judge_pooled(&turns, outcome);
        return Some(first.to_owned());
    }
    // In the short form so slowly that it is at work to the end of its turn.
    let budget = form.pick(slowly("200").as_slice(), &["--share", SEEN]).to_vec();
    let second = begin_anew(stage, skipped, first, &budget);
    outcome.demand(second.is_some(), "no second job could take the place of the first");
    let second = second?;
    let seen = Turns::take(stage, &second, Phase::Seen, form.pick(1, 12), outcome).await;
    judge_slowness([(&turns, Job::SHARE), (&seen, SEEN.parse().expect("a number"))], form, outcome);
    // The rest may take hours: what is known by now is told.
    eprintln!("so far: {}", outcome.to_json());
    Some(second)
}

/// The budget of a job of the short form, by its rate.
fn slowly(rate: &str) -> [&str; 6] {
    ["--rate", rate, "--chunk", "500", "--share", "1"]
}

/// How long so many records may take to get into the log, and a job to bring them: at 500 a second, and a hundred seconds besides.
fn limit(records: u64) -> Duration {
    Duration::from_secs(100 + records / 500)
}

/// Has records pile up while the spout rests; how many it is behind.
async fn pile_up(stage: &Stage, records: u64, outcome: &mut Outcome) -> u64 {
    stage.probe.silence(true);
    stage.probe.phase(Phase::After);
    outcome.demand(stage.ask(&["spout", "pause", SPOUT, "--json"]).is_some(), "the spout was not paused");
    let before: u64 = stage.watch.now().await.ends.iter().sum();
    stage.load.burst(records);
    let limit = limit(records);
    let piled = stage.watch.until(limit, |sample| sample.ends.iter().sum::<u64>() >= before + records).await;
    outcome.demand(piled.is_some(), "the backlog did not get into the log");
    stage.watch.now().await.lag()
}

/// Fresh records must not be slower beside the first job than they may, by turns enough to tell.
fn judge_pooled(turns: &Turns, outcome: &mut Outcome) {
    for (name, range) in ["timelines", "rows"].into_iter().zip(&turns.pooled_ratios) {
        let kept = range.as_ref().is_some_and(|range| range.high <= SLOWER);
        outcome.demand(kept, format!("{name}: p99 beside a job of the default share is {range:?} times as high"));
    }
}

/// In the full form fresh records must not be slower beside the first job than they may: not by its own turns, of which a few
/// mostly differ by more, and not by those of the second one, which makes a difference that can be seen. Of that the first makes
/// a part: what a queue costs grows faster than what is put into it, so that of a part of the records, or of the runs where
/// that is more, is at most that part of the whole cost. Taken is the high end of the range of the second job.
fn judge_slowness(jobs: [(&Turns, f64); 2], form: Form, outcome: &mut Outcome) {
    let [(first, _), (seen, _)] = jobs;
    outcome.set("seen", seen.to_json());
    let [records, runs] = [(|_| 1.0) as fn(f64) -> f64, run_of].map(|size| {
        let [first, seen] = jobs.map(|(turns, share)| turns.brought_per_s / size(share));
        first / seen
    });
    for (at, name) in ["timelines", "rows"].into_iter().enumerate() {
        let slower = seen.ratios[at].as_ref().map(|range| slowness(range.high, records.max(runs)));
        outcome.set(&format!("{name}_p99_ratio_at_most"), slower);
        let shown = first.ratios[at].as_ref().is_some_and(|range| range.low > SLOWER);
        let kept = form == Form::Short || (!shown && slower.is_some_and(|slower| slower <= SLOWER));
        outcome.demand(
            kept,
            format!(
                "{name}: p99 beside a job of the default share is {:?} times as high, by the other one {slower:?}",
                first.ratios[at]
            ),
        );
    }
}

/// Records of a run of a job with this share.
fn run_of(share: f64) -> f64 {
    match Budget::new(None, share).turn(Duration::ZERO, Leases::alone(1), usize::MAX) {
        Turn::Pull(records) => records as f64,
        Turn::Rest(_) | Turn::Settle => unreachable!("nothing is under way"),
    }
}

/// By a thousandth too high at most: what is left of a ratio when only a part of the records is brought.
fn slowness(ratio: f64, part: f64) -> f64 {
    ((1.0 + (ratio - 1.0).max(0.0) * part) * 1e3).ceil() / 1e3
}

/// Cancels the job of this name and has another one, with this budget, bring what `job` is for; its name.
fn begin_anew(stage: &Stage, job: &Value, cancelled: &str, budget: &[&str]) -> Option<String> {
    stage.ask(&["backfill", "cancel", cancelled, "--json"])?;
    let bound = |end: &str| {
        let offsets =
            job["ranges"].as_array()?.iter().map(|range| format!("{}:{}", range["partition"], range[end]));
        Some(offsets.collect::<Vec<_>>().join(","))
    };
    let (from, to) = (bound("from")?, bound("to")?);
    let create = ["backfill", "create", "--from", &from, "--to", &to, "--reason", "chaos", "--json"];
    Some(text(&stage.ask(&[&create, budget].concat())?["job"]["id"]))
}

/// Kills workers, one after the other, and starts them again: in the full form each time another sixth of the job is
/// done, so that the fresh records that wait for the next owner of their partition are among those beside it; in the
/// short form at once.
async fn kill_workers(stage: &Stage, job: &str, total: u64, outcome: &mut Outcome) {
    let kills = stage.form.pick(2, 5);
    for kill in 1..=kills {
        let done = match stage.form {
            Form::Short => done(stage, job),
            Form::Full => until_done(stage, job, total * kill / (kills + 1), limit(total / (kills + 1))).await,
        };
        let done = done.unwrap_or(total);
        let victim = kill as usize % stage.crew.len();
        eprintln!("kill {kill}: worker {victim}, {done} of {total} brought");
        stage.crew.kill(victim);
        outcome.fault(done < total);
        stage.crew.spawn(victim);
        if stage.form == Form::Short {
            sleep(Duration::from_secs(1)).await;
        }
    }
}

/// Waits until the job has brought so many records, at most `limit`; how many it has.
async fn until_done(stage: &Stage, job: &str, wanted: u64, limit: Duration) -> Option<u64> {
    let began = Instant::now();
    loop {
        let done = done(stage, job);
        if done >= Some(wanted) || began.elapsed() >= limit {
            return done;
        }
        sleep(LOOK[1]).await;
    }
}

/// Waits for the end of the job; how it stands then.
async fn until_finished(stage: &Stage, job: &str, form: Form, limit: Duration) -> Option<Value> {
    let began = Instant::now();
    while began.elapsed() < limit {
        match stage.ask(&["backfill", "show", job, "--json"]) {
            Some(status) if !status["finished_ms"].is_null() => return Some(status),
            _ => sleep(form.pick(LOOK[0], LOOK[1])).await,
        }
    }
    None
}

/// In the full form records must be fresh beside any job that they were looked at beside.
fn judge_freshness(stage: &Stage, form: Form, outcome: &mut Outcome) {
    outcome.set("fresh_p99_ms_seen", stage.probe.figure(Phase::Seen));
    outcome.set("fresh_p99_ms_hurried", stage.probe.figure(Phase::Hurried));
    let phases = [Phase::During, Phase::Seen, Phase::Hurried];
    for (store, phase) in STORES.iter().flat_map(|store| phases.map(|phase| (*store, phase))) {
        let p99 = stage.probe.p99_ms(phase, store);
        let looked_at = p99.is_some() || phase == Phase::Hurried;
        let fresh = form == Form::Short || !looked_at || p99.is_some_and(|ms| ms <= FRESH_MS);
        outcome.demand(fresh, format!("{store:?}: fresh records took {p99:?} ms ({phase:?})"));
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
