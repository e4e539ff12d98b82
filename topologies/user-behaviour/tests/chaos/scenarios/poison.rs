//! 14: one record in a thousand is poison. Each has one dead letter after one attempt, and the others are no slower:
//! a backlog is worked off with and without them, in turns.

use std::sync::Arc;
use std::time::Duration;

use user_behaviour::open::{create_data_dir, ensure_topics, open_rows};

use crate::args::Form;
use crate::ledger::Ledger;
use crate::outcome::Outcome;
use crate::servers::Lab;
use crate::support::cluster::config;
use crate::support::verify::verify_seeing;
use crate::traffic::{Made, Mix, Traffic};
use crate::watch::Watch;
use crate::workers::Crew;

/// Share of poison.
const SHARE: f64 = 0.001;
/// Records of one append.
const BATCH: usize = 2000;
/// How much of the throughput must remain.
const KEPT: f64 = 0.95;
/// How long working off the backlog may take at all.
const LIMIT: [Duration; 2] = [Duration::from_secs(90), Duration::from_secs(900)];

pub(super) async fn run(lab: &mut Lab) -> Outcome {
    let (form, mut outcome) = (lab.form, Outcome::default());
    let records = form.pick(30_000, 1_000_000);
    // Each side comes first once: a machine that changes its pace in between favours neither.
    let turns = form.pick(vec![0.0, SHARE], vec![0.0, SHARE, SHARE, 0.0]);
    let (mut plain, mut poisoned, mut peak) = (0.0_f64, 0.0_f64, 0);
    for (turn, share) in turns.into_iter().enumerate() {
        let (rate, mib) = work_off(lab, &format!("chaos14_{turn}"), records, share, &mut outcome).await;
        eprintln!("{records} records, {share} of them poison: {rate:.0} a second");
        let best = if share > 0.0 { &mut poisoned } else { &mut plain };
        *best = best.max(rate);
        peak = peak.max(mib);
    }
    outcome.set("records", records);
    outcome.set("plain_records_per_s", plain.round());
    outcome.set("poisoned_records_per_s", poisoned.round());
    let ratio = poisoned / plain.max(1.0);
    outcome.set("throughput_ratio", (ratio * 1000.0).round() / 1000.0);
    outcome.set("peak_rss_mib", peak);
    let kept = form == Form::Short || ratio >= KEPT;
    outcome.demand(kept, format!("{poisoned:.0} records a second with poison, {plain:.0} without"));
    outcome
}

/// Fills a topic, lets two workers empty it, and checks what they made of it: records a second, and their memory.
async fn work_off(lab: &mut Lab, name: &str, records: usize, share: f64, outcome: &mut Outcome) -> (f64, u64) {
    let (form, dir) = (lab.form, lab.dir().join(name));
    create_data_dir(&dir).unwrap();
    let overrides = lab.servers().await.overrides(name).await;
    let config = config("cluster", &overrides);
    let broker = config.broker.open(&dir).await.unwrap();
    ensure_topics(&*broker, &config).await.unwrap();
    open_rows(&config, &dir).await.unwrap().migrate().await.unwrap();
    let ledger = Ledger::default();
    let mix = Mix { seed: lab.seed, users: 20_000, revised: 0.0, broken: share };
    let (producer, mut traffic) = (broker.producer().unwrap(), Traffic::new(mix).take(records));
    loop {
        let batch: Vec<Made> = traffic.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            break;
        }
        let versions: Vec<_> = batch.iter().map(|made| made.version).collect();
        let appends = batch.into_iter().map(|made| made.append).collect();
        let positions = producer.append(&config.source.topic, appends).await.unwrap();
        ledger.note(positions.into_iter().zip(versions));
    }
    let watch = Watch::start(Arc::clone(&broker), &config.source.group, &config.source.topic);
    let mut crew = Crew::start(&dir, 2, overrides);
    let limit = form.pick(LIMIT[0], LIMIT[1]);
    // What starting the workers takes is the same on both sides.
    let took = watch.until(limit, |sample| sample.done() > 0 && sample.lag() == 0).await;
    outcome.demand(took.is_some(), "the backlog was not worked off");
    let rate = took.map_or(0.0, |took| records as f64 / took.as_secs_f64());
    crew.stop();
    let mut audit = ledger.audit();
    let verdict = verify_seeing(&config, &dir, |seen| audit.see(seen)).await;
    let lost = verdict.lost() + audit.lost();
    outcome.demand(lost == 0, format!("{lost} records are lost"));
    outcome.demand(verdict.is_complete(), format!("{verdict:?}"));
    if share > 0.0 {
        outcome.fault(verdict.undecodable > 0);
        outcome.set("lost", lost);
        outcome.set("stale", verdict.stale());
        outcome.set("poison", verdict.undecodable);
        outcome.set("dead_letters", verdict.dead_letters);
        let again = verdict.repeated_letters + verdict.retried_letters;
        outcome.set("letters_of_more_than_one_attempt", again);
        outcome.demand(again == 0, format!("{again} dead letters of more than one attempt"));
    }
    let unclean = crew.unclean_stops();
    outcome.demand(unclean == 0, format!("{unclean} workers that were told to stop ended with an error"));
    outcome.add("unclean_stops", unclean);
    (rate, crew.peak_mib())
}
