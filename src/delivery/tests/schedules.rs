//! Any failures, time-outs, panics, crashes and flips: the input is what was stored, is dead or waits.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::judge::{Met, check_nothing_is_lost, check_the_end};
use super::world::{Behaviour, Log, Script, World};
use crate::guard::{Clock, Mode};
use crate::runtime::{Options, start};
use crate::topology::{Settings, Tuning};

/// Schedules that a run of the tests goes through; `SQUALL_SCHEDULES` sets another number.
const SCHEDULES: u64 = 10_000;
/// Worlds that share a log.
const WORLDS_PER_LOG: u64 = 10;
/// Longest that the last round of a schedule may take, on its own clock.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// Random numbers (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }
}

#[test]
fn the_input_is_stored_or_dead_or_waiting_under_any_schedule() {
    if let Some(seed) = number("SQUALL_SEED") {
        schedule(&Log::open(), seed, &mut Met::default());
        return;
    }
    let schedules = number("SQUALL_SCHEDULES").unwrap_or(SCHEDULES);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let met: Vec<Met> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || {
                    let (mut met, mut log) = (Met::default(), Log::open());
                    for (done, seed) in (thread..schedules).step_by(threads as usize).enumerate() {
                        if done as u64 % WORLDS_PER_LOG == WORLDS_PER_LOG - 1 {
                            log = Log::open();
                        }
                        schedule(&log, seed, &mut met);
                    }
                    met
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    let sum = |of: fn(&Met) -> u64| met.iter().map(of).sum::<u64>();
    for (what, count) in [
        ("crashes", sum(|met| met.crashes)),
        ("retries", sum(|met| met.retried)),
        ("parked records", sum(|met| met.parked)),
        ("records that ran out of attempts", sum(|met| met.exhausted)),
        ("poison records", sum(|met| met.poison)),
    ] {
        eprintln!("{schedules} schedules met {count} {what}");
        assert!(count > schedules / 50, "only {count} {what}");
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn schedule(log: &Log, seed: u64, met: &mut Met) {
    // Says which seed it was when anything in it panics.
    let seen = Seed(seed);
    let mut random = Random(seed);
    let count = 1 + random.below(40);
    let poison: BTreeSet<u64> = (0..count).filter(|_| random.one_in(12)).collect();
    let broken: BTreeSet<u64> = (0..count).filter(|_| random.one_in(15)).collect();
    let texts: Vec<String> = (0..count)
        .map(|value| if broken.contains(&value) { format!("x{value}") } else { value.to_string() })
        .collect();
    let mut world = World::new(log, &format!("s{seed}"), Clock::at(1_700_000_000_000), poison.clone());
    block_on(world.fill(texts.into_iter()));
    let rounds = random.below(4);
    for _ in 0..rounds {
        let (crashed, clock) = round(&world, &mut random);
        met.crashes += u64::from(crashed);
        world.clock = clock;
        block_on(check_nothing_is_lost(&world, count, &broken));
    }
    last_round(&world, &mut random);
    block_on(check_the_end(&world, count, &broken, met));
    std::mem::forget(seen);
}

/// Prints itself unless it is forgotten.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        eprintln!("the schedule that failed comes again with SQUALL_SEED={}", self.0);
    }
}

/// A while with a store that fails and an operator who flips switches, and a crash or a stop at the end of it.
fn round(world: &World, random: &mut Random) -> (bool, Clock) {
    let scripts = [script(random), script(random)];
    let crash = random.one_in(2);
    let flips: Vec<(Duration, usize, Mode)> = (0..random.below(4))
        .map(|_| {
            let mode = [Mode::On, Mode::Off, Mode::Auto][random.below(3) as usize];
            (Duration::from_millis(random.below(8_000)), random.below(2) as usize, mode)
        })
        .collect();
    // Sometimes long enough for a record to climb all levels.
    let most = if random.one_in(4) { 90_000 } else { 20_000 };
    let lasts = Duration::from_millis(1 + random.below(most));
    let settings = settings(random);
    let base = world.clock.unix_ms();
    let runtime = runtime();
    let clock = runtime.block_on(async {
        let world = world.at(Clock::at(base));
        let (main, retry, _) = world.topologies(scripts);
        let main = start(main, &settings, Options::default()).unwrap();
        let retry = start(retry, &settings, Options::default()).unwrap();
        let stops = [main.stopper(), retry.stopper()];
        let both = tokio::spawn(async { tokio::join!(main.wait(), retry.wait()) });
        let began = tokio::time::Instant::now();
        for (after, sink, mode) in flips {
            tokio::time::sleep(after.min(lasts.saturating_sub(began.elapsed()))).await;
            world.switches[sink].set(mode);
        }
        tokio::time::sleep(lasts.saturating_sub(began.elapsed())).await;
        if !crash {
            stops.iter().for_each(|stop| stop.stop());
            both.await.unwrap();
        }
        Clock::at(world.clock.unix_ms())
    });
    // A crash: every task is dropped wherever it is.
    drop(runtime);
    (crash, clock)
}

/// The store works, and everything that can come in does.
fn last_round(world: &World, random: &mut Random) {
    let settings = settings(random);
    let base = world.clock.unix_ms();
    runtime().block_on(async {
        let world = world.at(Clock::at(base));
        for switch in &world.switches {
            switch.set(Mode::Off);
        }
        let works = || -> Script { Box::new(|_| Behaviour::Works) };
        let (main, retry, pending) = world.topologies([works(), works()]);
        let main = start(main, &settings, Options::default()).unwrap();
        let retry = start(retry, &settings, Options::default()).unwrap();
        let stops = [main.stopper(), retry.stopper()];
        let done = async {
            let (source, group) = (world.source(), format!("{}.group", world.name));
            loop {
                tokio::time::sleep(Duration::from_millis(500)).await;
                let committed = world.broker.committed(&group, &source).await.unwrap();
                let bounds = world.broker.bounds(&source).await.unwrap();
                let open = bounds.iter().zip(committed).any(|(b, next)| next.unwrap_or(0) < b.latest);
                if !open && pending.records().await.unwrap() == 0 {
                    return stops.iter().for_each(|stop| stop.stop());
                }
            }
        };
        let all = async { tokio::join!(main.wait(), retry.wait(), done) };
        let (main, retry, ()) = tokio::time::timeout(PATIENCE, all).await.expect("everything comes in");
        assert_eq!((main.exit_code(), retry.exit_code()), (0, 0), "{:?} {:?}", main.ended, retry.ended);
    });
}

/// Mostly one behaviour, with others between.
fn script(random: &mut Random) -> Script {
    let all = [Behaviour::Works, Behaviour::Fails, Behaviour::Half, Behaviour::Hangs, Behaviour::Panics];
    let mostly = all[random.below(4) as usize];
    let salt = random.next();
    Box::new(move |turn| {
        let mut random = Random(salt ^ turn);
        if random.one_in(3) { all[random.below(5) as usize] } else { mostly }
    })
}

fn settings(random: &mut Random) -> Settings {
    let mut up_to = |most: u64| (random.below(most) + 1) as usize;
    let defaults = Tuning::default().batch(up_to(20)).max_pending(up_to(6)).rows(up_to(20)).edge(up_to(4));
    Settings { defaults, ..Settings::default() }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    runtime().block_on(future)
}

impl World {
    /// The same world by another clock: one of the runtime at hand.
    fn at(&self, clock: Clock) -> Self {
        Self {
            name: self.name.clone(),
            broker: self.broker.clone(),
            clock,
            switches: self.switches.clone(),
            shelves: self.shelves.clone(),
            poison: Arc::clone(&self.poison),
        }
    }
}
