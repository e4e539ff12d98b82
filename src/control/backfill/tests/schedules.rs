//! Any failures, crashes, pauses, clocks and holes: exactly the range.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use super::world::{BEGAN_MS, World, open};
use crate::broker::Broker;
use crate::broker::embedded::EmbeddedBroker;
use crate::control::backfill::{BackfillSettings, Bound, Draft, Range, State};
use crate::guard::Clock;
use crate::runtime::{Options, Running};
use crate::testing::Faults;

/// Schedules of each part; the parts run side by side.
const SEEDS: u64 = 520;
const LEASE_MS: u64 = 10_000;

pub(super) struct Draw(pub(super) u64);

impl Draw {
    pub(super) fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (self.0 >> 33) % most
    }

    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// How often things happened over all schedules, so that a test that tests nothing is noticed.
#[derive(Default, Debug)]
struct Tally {
    crashes: u64,
    cancels: u64,
    repeated: usize,
    lost: usize,
    holes: u64,
}

/// A job of a random range of a random topic, with its range by partition.
async fn job(world: &World, draw: &mut Draw, partitions: u32, tally: &mut Tally) -> (String, Vec<Range>) {
    let (mut from, mut to) = (BTreeMap::new(), BTreeMap::new());
    for partition in 0..partitions {
        let records = 1 + draw.below(90);
        let keys = if draw.one_in(2) { 1_000 } else { 1 + draw.below(20) };
        world.fill(partition, records, keys).await;
        let begin = draw.below(records);
        from.insert(partition, begin);
        to.insert(partition, begin + 1 + draw.below(records - begin));
    }
    if world.log.compact(&world.topic()).await.is_ok() {
        tally.holes += 1;
    }
    let draft = Draft {
        chunk: 1 + draw.below(60),
        rate: draw.one_in(3).then(|| 20 + draw.below(500)),
        share: if draw.one_in(2) { 1.0 } else { 0.1 + draw.below(80) as f64 / 100.0 },
        workers: draw.one_in(3).then(|| 1 + draw.below(2) as u32),
        lease_ms: LEASE_MS,
        ..Draft::new(world.topic(), Bound::Offsets(from), Bound::Offsets(to), "ann@desk")
    };
    let job = world.backfills().create(&draft).await.unwrap();
    (job.id, job.ranges)
}

/// Settings of a worker, whose clock may be wrong by two leases.
fn settings(world: &World, draw: &mut Draw, clocks: &[Clock], count: &mut u32) -> BackfillSettings {
    *count += 1;
    let clock = if draw.one_in(3) { clocks[draw.below(2) as usize] } else { world.clock };
    BackfillSettings { clock, ..world.settings(&format!("w{count}")) }
}

fn options(draw: &mut Draw, seed: u64) -> Options {
    let faults = Faults::random(Faults::default(), seed + draw.below(1000), draw.below(40));
    Options { faults: Some(Arc::new(faults)), ..Options::default() }
}

/// One schedule.
async fn live(log: &Arc<EmbeddedBroker>, seed: u64, tally: &mut Tally) {
    let mut draw = Draw(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let partitions = 1 + draw.below(2) as u32;
    let mut world = World::new(log, &format!("s{seed}"), partitions, draw.one_in(2)).await;
    world.store.takes = Duration::from_millis(draw.below(3) * draw.below(300));
    let skew = 2 * LEASE_MS as i64;
    let clocks = [Clock::at(BEGAN_MS - skew), Clock::at(BEGAN_MS + skew)];
    let (id, ranges) = job(&world, &mut draw, partitions, tally).await;
    let present = world.present().await;
    let backfills = world.backfills();
    let (mut workers, mut count): (Vec<Running>, u32) = (Vec::new(), 0);
    let mut deleted: BTreeMap<u32, u64> = BTreeMap::new();
    for _ in 0..draw.below(7) {
        match draw.below(9) {
            0..4 if workers.len() < 2 => {
                let settings = settings(&world, &mut draw, &clocks, &mut count);
                let options = options(&mut draw, seed);
                workers.push(world.start(settings, 1 + draw.below(2) as usize, options));
            }
            0..6 if !workers.is_empty() => {
                drop(workers.swap_remove(draw.below(workers.len() as u64) as usize));
                tally.crashes += 1;
            }
            6 if !workers.is_empty() => {
                let worker = workers.swap_remove(0);
                worker.stopper().stop();
                let report = worker.wait().await;
                assert_eq!(report.exit_code(), 0, "seed {seed}: {report:?}");
            }
            7 => drop(backfills.pause(&id, "ann@desk", "").await),
            8 => drop(backfills.resume(&id, "ann@desk", "").await),
            _ => {}
        }
        if draw.one_in(12) {
            let (partition, range) = (draw.below(u64::from(partitions)) as u32, ranges[0]);
            let latest = log.bounds(&world.topic()).await.unwrap()[partition as usize].latest;
            let before = draw.below(range.to.min(latest) + 1);
            log.delete_before(&world.topic(), partition, before).await.unwrap();
            let highest = deleted.entry(partition).or_default();
            *highest = before.max(*highest);
        }
        if draw.one_in(40) {
            tally.cancels += u64::from(backfills.cancel(&id, "ann@desk", "").await.is_ok());
        }
        tokio::time::sleep(Duration::from_millis(1 + draw.below(40) * draw.below(400))).await;
        world.check_progress(&id).await;
    }
    // Whatever was, one worker whose clock is right brings it to its end.
    drop(backfills.resume(&id, "ann@desk", "").await);
    let settings = BackfillSettings { only: Some(id.clone()), ..world.settings("last") };
    let last = world.start(settings, 1, Options::default());
    let report = tokio::time::timeout(Duration::from_secs(36_000), last.wait()).await.expect("it ends by itself");
    assert_eq!(report.exit_code(), 0, "seed {seed}: {report:?}");
    drop(workers);
    let status = world.until_over(&id).await;
    world.check_progress(&id).await;

    let (stored, dead) = (world.stored(), world.dead().await);
    let is_inside = |place: &(u32, u64)| {
        ranges.iter().any(|range| range.partition == place.0 && (range.from..range.to).contains(&place.1))
    };
    assert!(stored.iter().all(is_inside), "seed {seed}: something outside the range");
    let is_lost = |place: &(u32, u64)| {
        status.lost.iter().any(|lost| lost.partition == place.0 && (lost.from..lost.to).contains(&place.1))
    };
    for lost in &status.lost {
        let highest = deleted.get(&lost.partition).copied().unwrap_or_default();
        assert!(lost.to <= highest, "seed {seed}: {lost} was not deleted: {highest}");
    }
    if status.state == State::Finished {
        assert_eq!(status.done, status.total, "seed {seed}");
        for place in present.iter().filter(|place| is_inside(place)) {
            let is_there = stored.contains(place) || dead.contains(place) || is_lost(place);
            assert!(is_there, "seed {seed}: {place:?} is missing: {status:#?}");
        }
    }
    tally.repeated += world.store.stored.lock().unwrap().values().filter(|times| **times > 1).count();
    tally.lost += status.lost.len();
}

/// Plays the schedules of a part, so many over one log, or the one of `SQUALL_SEED` alone; whether all of them were.
pub(super) fn each_seed(
    part: u64,
    seeds: u64,
    of_a_log: u64,
    mut play: impl FnMut(&Runtime, &Arc<EmbeddedBroker>, &Path, u64),
) -> bool {
    let only: Option<u64> = std::env::var("SQUALL_SEED").ok().and_then(|seed| seed.parse().ok());
    for batch in 0..seeds / of_a_log {
        let (dir, log) = open();
        for seed in batch * of_a_log..(batch + 1) * of_a_log {
            let seed = part * seeds + seed + 1;
            if only.is_some_and(|only| only != seed) {
                continue;
            }
            eprintln!("seed {seed}");
            let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            play(&runtime, &log, dir.path(), seed);
        }
    }
    only.is_none()
}

fn run(part: u64) {
    let mut tally = Tally::default();
    let all = each_seed(part, SEEDS, 20, |runtime, log, _, seed| runtime.block_on(live(log, seed, &mut tally)));
    eprintln!("{tally:?}");
    if !all {
        return;
    }
    assert!(tally.crashes > SEEDS / 4 && tally.repeated > 0 && tally.holes > SEEDS / 4, "{tally:?}");
    assert!(tally.cancels > 0 && tally.lost > 0, "{tally:?}");
}

#[test]
fn any_schedule_emits_exactly_the_range_1() {
    run(0);
}

#[test]
fn any_schedule_emits_exactly_the_range_2() {
    run(1);
}

#[test]
fn any_schedule_emits_exactly_the_range_3() {
    run(2);
}

#[test]
fn any_schedule_emits_exactly_the_range_4() {
    run(3);
}
