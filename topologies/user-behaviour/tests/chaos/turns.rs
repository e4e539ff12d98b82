//! How fresh records are beside a backfill: by turns while it rests and while it is at work.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::args::Form;
use super::figures::{CpuTime, Range95};
use super::outcome::Outcome;
use super::probe::{Phase, Store, at_most};
use super::stage::Stage;

/// How long a job is looked at while it rests, and while it is at work: in the full form twice as long as a task rests between
/// two runs at most. The runs that became due in a pause go as soon as it ends, with all that a beginning costs, and nobody
/// looks then; of the next ones a shorter turn would have few.
const TURN: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(60)];
/// What share of the machine its host may give to others in a turn that counts.
const STOLEN: f64 = 0.01;
/// How soon the last run of a paused job is through, how soon a resumed one has begun, and samples have come that are under way.
const SETTLED: Duration = Duration::from_secs(2);
/// Turns that must count.
const ENOUGH: usize = 6;
/// Turns whose samples are looked at together.
const ENOUGH_TO_POOL: usize = 20;
pub(crate) const STORES: [Store; 2] = [Store::Timelines, Store::Rows];

/// What the turns of a job have shown.
pub(crate) struct Turns {
    /// Records that it brought while it was at work.
    pub(crate) brought_per_s: f64,
    /// By store: how many times as high p99 is while it is at work as while it rests, over the turns that count.
    pub(crate) ratios: [Option<Range95>; 2],
    /// By store: p99 while it rests and while it is at work, of all samples of the turns that count.
    pooled: [P99s; 2],
    /// By store: how many times as high the latter is as the former.
    pub(crate) pooled_ratios: [Option<Range95>; 2],
    /// The share of the machine's time that it was busy while the job rests and while it is at work, in the turns that count.
    busy: [f64; 2],
    counted: usize,
    taken: usize,
}

/// While the job rests, and while it is at work.
type P99s = [Option<Duration>; 2];
/// The same of single samples.
type Took = [Vec<Duration>; 2];

impl Turns {
    /// Takes so many turns, first the one and then the other first, in the last of which the job is left at work. In the
    /// full form those in which the machine was not its own are taken again, as often as there are turns: a virtual one
    /// whose host has others to serve is slow in a way that no job is to blame for. Samples of when the job is at work
    /// belong to `working`.
    pub(crate) async fn take(
        stage: &Stage,
        job: &str,
        working: Phase,
        wanted: usize,
        outcome: &mut Outcome,
    ) -> Self {
        let turn = stage.form.pick(TURN[0], TURN[1]);
        let (mut counted, mut taken, mut brought, mut busy) = (Vec::new(), 0, 0, [0.0; 2]);
        while counted.len() < wanted && taken < 2 * wanted {
            let mut order = [false, true];
            if taken % 2 == 1 {
                order.reverse();
            }
            taken += 1;
            let (mut took, mut stolen, mut went_on) = ([Took::default(), Took::default()], 0.0_f64, None);
            let mut busy_now = [0.0; 2];
            for work in order {
                let command = if work { "resume" } else { "pause" };
                let told = stage.ask(&["backfill", command, job, "--json"]);
                outcome.demand(told.is_some(), format!("`backfill {command}` failed"));
                sleep(SETTLED).await;
                let phase = if work { working } else { Phase::Before };
                let (before, from) = (done(stage, job), STORES.map(|store| stage.probe.count(phase, store)));
                let cpu = CpuTime::now();
                stage.flow(phase, turn).await;
                stolen = stolen.max(cpu.stolen_since());
                busy_now[usize::from(work)] = cpu.busy_since();
                stage.probe.phase(Phase::After);
                let more = done(stage, job).zip(before).map(|(after, before)| after - before);
                match work {
                    true => brought += more.unwrap_or_default(),
                    false => went_on = more,
                }
                // So that those that are under way, which are the slow ones, count too.
                sleep(SETTLED).await;
                for (at, took) in took.iter_mut().enumerate() {
                    took[usize::from(work)] = stage.probe.took_since(phase, STORES[at], from[at]);
                }
            }
            let counts = stage.form == Form::Short || stolen <= STOLEN;
            let verdict = if counts { "" } else { ", which does not count" };
            eprintln!(
                "p99 of {STORES:?} while the job rested and while it was at work {:?}; the machine was busy {:?} %, the host \
                 took {:.1} %{verdict}",
                took.clone().map(p99s),
                busy_now.map(percent),
                stolen * 100.0
            );
            if counts {
                outcome.demand(went_on == Some(0), format!("a paused job went on by {went_on:?}"));
                counted.push(took);
                busy.iter_mut().zip(busy_now).for_each(|(busy, now)| *busy += now);
            }
        }
        // It may have rested last.
        let goes_on = stage.ask(&["backfill", "resume", job, "--json"]).is_some();
        outcome.demand(goes_on, "the job came to its end while it was looked at: it needs a larger `--backlog`");
        outcome.demand(brought > 0, "the job brought nothing while fresh records were looked at");
        let lost = taken - counted.len();
        let enough = counted.len() >= wanted.min(ENOUGH);
        outcome.demand(enough, format!("the host took the machine away in {lost} of {taken} turns"));
        let brought_per_s = brought as f64 / (taken as f64 * turn.as_secs_f64());
        let all: Vec<usize> = (0..counted.len()).collect();
        let alone = |at: usize| all.iter().filter_map(|&turn| ratio(pool(&counted, at, &[turn]))).collect();
        let together = |at: usize| Range95::drawn(all.len(), |drawn| ratio(pool(&counted, at, drawn)));
        Self {
            brought_per_s,
            ratios: [0, 1].map(|at| Range95::of(alone(at))),
            pooled: [0, 1].map(|at| pool(&counted, at, &all)),
            pooled_ratios: [0, 1].map(|at| if all.len() < ENOUGH_TO_POOL { None } else { together(at) }),
            busy: busy.map(|busy| busy / counted.len().max(1) as f64),
            counted: counted.len(),
            taken,
        }
    }

    /// Whether the turns alone tell for both stores on which side of `limit` the ratio of the pooled p99s is.
    pub(crate) fn decide(&self, limit: f64) -> bool {
        let decides = |range: &Range95| range.high <= limit || range.low > limit;
        self.pooled_ratios.iter().all(|range| range.as_ref().is_some_and(decides))
    }

    pub(crate) fn to_json(&self) -> Value {
        let [timelines, rows] = &self.ratios;
        let [timelines_pooled, rows_pooled] = &self.pooled_ratios;
        let range = |range: &Option<Range95>| range.as_ref().map(Range95::to_json);
        let [timelines_ms, rows_ms] =
            self.pooled.map(|p99s| p99s.map(|took| took.map(|took| took.as_millis() as u64)));
        json!({
            "brought_per_s": self.brought_per_s.round(),
            "turns": self.counted,
            "turns_taken": self.taken,
            "busy_percent": self.busy.map(percent),
            "timelines_p99_ratio": range(timelines),
            "rows_p99_ratio": range(rows),
            "timelines_pooled_p99_ratio": range(timelines_pooled),
            "rows_pooled_p99_ratio": range(rows_pooled),
            "timelines_p99_ms": timelines_ms,
            "rows_p99_ms": rows_ms,
        })
    }
}

/// To a tenth.
fn percent(share: f64) -> f64 {
    (share * 1e3).round() / 10.0
}

/// Of a store, in these turns together.
fn pool(turns: &[[Took; 2]], store: usize, chosen: &[usize]) -> P99s {
    let all = |work: usize| chosen.iter().flat_map(|&turn| turns[turn][store][work].iter().copied()).collect();
    p99s([all(0), all(1)])
}

fn p99s(took: Took) -> P99s {
    took.map(|mut took| at_most(&mut took, 99))
}

fn ratio([rested, worked]: P99s) -> Option<f64> {
    Some(worked?.as_secs_f64() / rested?.max(Duration::from_millis(1)).as_secs_f64())
}

/// How many records the job has brought; `None` when it cannot be asked.
pub(crate) fn done(stage: &Stage, job: &str) -> Option<u64> {
    stage.ask(&["backfill", "show", job, "--json"])?["done"].as_u64()
}
