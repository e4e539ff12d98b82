//! Jobs beside the live stream: whatever dies of either, and wherever the stream is in their ranges.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::schedules::{Draw, each_seed};
use super::skips::{Live, source};
use super::world::{Store, World};
use crate::broker::Broker;
use crate::broker::embedded::EmbeddedBroker;
use crate::control::SeekTo;
use crate::control::backfill::{BackfillError, Bound, Draft, Job, Range, State};
use crate::runtime::{Options, Running};

/// Schedules of each part; the parts run side by side.
const SEEDS: u64 = 600;

type Places = BTreeSet<(u32, u64)>;

/// How often things happened over all schedules, so that a test that tests nothing is noticed.
#[derive(Default, Debug)]
struct Tally {
    stream_crashes: u64,
    worker_crashes: u64,
    jobs: u64,
    refused: u64,
    skips: u64,
    /// Records that the stream and a job have processed.
    both: usize,
    /// Records that only a job has.
    only_by_jobs: usize,
    /// Schedules with jobs in which nobody died that was at work at one: nothing came twice.
    exact: u64,
}

/// A topic, its live stream, and workers at jobs over it.
struct Scene<'a> {
    world: World,
    stream: Store,
    dir: &'a Path,
    partitions: u32,
    streams: Vec<Live>,
    workers: Vec<Running>,
    started: u32,
    jobs: Vec<Job>,
    crashed: bool,
}

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn places<'a>(ranges: impl IntoIterator<Item = &'a Range>) -> Places {
    let of = |range: &Range| (range.from..range.to).map(|offset| (range.partition, offset)).collect::<Vec<_>>();
    ranges.into_iter().flat_map(of).collect()
}

impl Scene<'_> {
    /// A process of the live stream.
    async fn start_stream(&mut self) {
        self.started += 1;
        let dir = self.dir.join(format!("{}-{}", self.world.name, self.started));
        self.streams.push(Live::start(&self.world, self.world.log.clone(), &dir, &self.stream).await);
    }

    fn start_worker(&mut self, tasks: usize) {
        self.started += 1;
        let settings = self.world.settings(&format!("w{}", self.started));
        self.workers.push(self.world.start(settings, tasks, Options::default()));
    }

    async fn stop_worker(&mut self, at: usize) {
        let worker = self.workers.swap_remove(at);
        worker.stopper().stop();
        let report = worker.wait().await;
        assert_eq!(report.exit_code(), 0, "{}: {report:?}", self.world.name);
    }

    async fn ends(&self) -> Vec<u64> {
        self.world.log.bounds(&self.world.topic()).await.unwrap().iter().map(|bounds| bounds.latest).collect()
    }

    fn draft(&self, draw: &mut Draw, from: Bound, to: Bound) -> Draft {
        let share = if draw.one_in(2) { 1.0 } else { 0.2 };
        Draft { chunk: 1 + draw.below(60), share, ..Draft::new(self.world.topic(), from, to, "ann@desk") }
    }

    /// Places of jobs that go on.
    async fn taken(&self) -> Places {
        let jobs = self.world.backfills().list().await.unwrap();
        places(jobs.iter().filter(|status| !status.is_over()).flat_map(|status| &status.job.ranges))
    }

    /// Asks for a job of any range: behind the stream, before it, or both. It is refused where another one is at work.
    async fn create(&mut self, draw: &mut Draw, tally: &mut Tally) {
        let (mut from, mut to) = (BTreeMap::new(), BTreeMap::new());
        for (partition, end) in (0..).zip(self.ends().await) {
            let begin = draw.below(end);
            from.insert(partition, begin);
            to.insert(partition, begin + 1 + draw.below(end - begin));
        }
        let ranges =
            from.iter().map(|(partition, from)| Range { partition: *partition, from: *from, to: to[partition] });
        let wanted = places(&ranges.collect::<Vec<_>>());
        let free = wanted.is_disjoint(&self.taken().await);
        let draft = self.draft(draw, Bound::Offsets(from), Bound::Offsets(to));
        match self.world.backfills().create(&draft).await {
            Ok(job) => {
                assert!(free && places(&job.ranges) == wanted, "{}: {job:?}", self.world.name);
                self.jobs.push(job);
                tally.jobs += 1;
            }
            Err(BackfillError::Overlaps { .. }) if !free => tally.refused += 1,
            Err(error) => panic!("{}: {error}", self.world.name),
        }
    }

    /// Has the stream go on at the end, if no job or seek is in the way.
    async fn skip(&mut self, draw: &mut Draw, tally: &mut Tally) {
        let (backfills, draft) = (self.world.backfills(), self.draft(draw, Bound::Earliest, Bound::Latest));
        let skipped = match backfills.plan_skip(&source(&self.world), &SeekTo::Latest, &draft).await {
            Ok((_, None)) => return,
            Ok((plan, Some(job))) => backfills.skip(plan, job).await,
            Err(error) => Err(error),
        };
        match skipped {
            Ok((_, job)) => {
                self.jobs.push(job);
                tally.skips += 1;
            }
            Err(BackfillError::Overlaps { .. } | BackfillError::Unmade { .. }) => {}
            Err(error) => panic!("{}: {error}", self.world.name),
        }
    }

    /// Places that skips have handed to jobs.
    fn skipped(&self) -> Places {
        places(self.jobs.iter().filter(|job| job.skip.is_some()).flat_map(|job| &job.ranges))
    }

    async fn committed(&self) -> Vec<u64> {
        let committed = self.world.log.committed("g", &self.world.topic()).await.unwrap();
        committed.into_iter().map(Option::unwrap_or_default).collect()
    }

    /// What counts as processed by the stream it has processed, or a skip has handed it to a job: no job moves it.
    async fn check_committed(&self) {
        let committed = self.committed().await;
        let skipped = self.skipped();
        let stored: Places = self.stream.stored.lock().unwrap().keys().copied().collect();
        for (partition, end) in (0..).zip(committed) {
            for place in (0..end).map(|offset| (partition, offset)) {
                let is_there = stored.contains(&place) || skipped.contains(&place);
                assert!(is_there, "{}: {place:?} is committed and was not processed", self.world.name);
            }
        }
    }

    /// Brings everything to its end, with one process of each kind.
    async fn conclude(&mut self) {
        self.streams.clear();
        self.workers.clear();
        self.start_stream().await;
        self.start_worker(1);
        let ends = self.ends().await;
        for _ in 0..3_000 {
            if self.committed().await == ends {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(self.committed().await, ends, "{}: the stream does not come to the end", self.world.name);
        for job in &self.jobs {
            let status = self.world.until_over(&job.id).await;
            let end = (status.state, status.done, status.lost.len());
            assert_eq!(end, (State::Finished, status.total, 0), "{}", self.world.name);
        }
        self.stop_worker(0).await;
        self.streams.remove(0).stop().await;
    }

    async fn check(&self, tally: &mut Tally) {
        self.check_committed().await;
        let name = &self.world.name;
        let ranges: Vec<Range> = self.jobs.iter().flat_map(|job| job.ranges.clone()).collect();
        let (by_jobs, present) = (self.world.stored(), self.world.present().await);
        assert_eq!(by_jobs, places(&ranges), "{name}: exactly the ranges");
        let by_stream: Places = self.stream.stored.lock().unwrap().keys().copied().collect();
        let owed: Places = present.difference(&self.skipped()).copied().collect();
        assert!(owed.is_subset(&by_stream), "{name}: the stream left out what no skip was for");
        let all: Places = by_stream.union(&by_jobs).copied().collect();
        assert_eq!(all, present, "{name}: nothing is left out");
        if !self.crashed {
            tally.exact += u64::from(!ranges.is_empty());
            let stored = self.world.store.stored.lock().unwrap();
            for (place, times) in stored.iter() {
                let jobs = ranges.iter().filter(|range| places([*range]).contains(place)).count();
                assert_eq!(*times as usize, jobs, "{name}: {place:?} came again, and nothing had died");
            }
        }
        tally.both += by_stream.intersection(&by_jobs).count();
        tally.only_by_jobs += by_jobs.difference(&by_stream).count();
    }
}

async fn schedule(log: &Arc<EmbeddedBroker>, dir: &Path, seed: u64, tally: &mut Tally) {
    let mut draw = Draw(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let partitions = 1 + draw.below(2) as u32;
    let mut world = World::new(log, &format!("o{seed}"), partitions, false).await;
    world.store.takes = millis(draw.below(200));
    for partition in 0..partitions {
        world.fill(partition, 1 + draw.below(90), 1_000).await;
        log.reset("g", &world.topic(), &[(partition, 0)]).await.unwrap();
    }
    let stream = Store { stored: Arc::default(), takes: millis(draw.below(200)) };
    let (streams, workers, jobs) = (Vec::new(), Vec::new(), Vec::new());
    let mut scene = Scene { world, stream, dir, partitions, streams, workers, started: 0, jobs, crashed: false };
    for _ in 0..6 + draw.below(14) {
        match draw.below(12) {
            0..2 if scene.streams.len() < 2 => scene.start_stream().await,
            2 if !scene.streams.is_empty() => {
                drop(scene.streams.swap_remove(0));
                tally.stream_crashes += 1;
            }
            3 if !scene.streams.is_empty() => scene.streams.swap_remove(0).stop().await,
            3..6 if scene.workers.len() < 2 => scene.start_worker(1 + draw.below(2) as usize),
            6 if !scene.workers.is_empty() => {
                drop(scene.workers.swap_remove(0));
                scene.crashed = true;
                tally.worker_crashes += 1;
            }
            7 if !scene.workers.is_empty() => scene.stop_worker(0).await,
            8 | 9 => scene.create(&mut draw, tally).await,
            10 => scene.skip(&mut draw, tally).await,
            _ => {
                let partition = draw.below(u64::from(scene.partitions)) as u32;
                scene.world.fill(partition, 1 + draw.below(60), 1_000).await;
            }
        }
        tokio::time::sleep(millis(1 + draw.below(40) * draw.below(200))).await;
        scene.check_committed().await;
    }
    if draw.one_in(2) {
        while !scene.workers.is_empty() {
            scene.stop_worker(0).await;
        }
    }
    scene.crashed |= !scene.workers.is_empty();
    scene.conclude().await;
    scene.check(tally).await;
}

fn run(part: u64) {
    let mut tally = Tally::default();
    let play = |runtime: &Runtime, log: &_, dir: &_, seed| runtime.block_on(schedule(log, dir, seed, &mut tally));
    let all = each_seed(part, SEEDS, 10, play);
    eprintln!("{tally:?}");
    if !all {
        return;
    }
    let Tally { stream_crashes, worker_crashes, jobs, refused, skips, both, only_by_jobs, exact } = tally;
    let often =
        [stream_crashes, worker_crashes, jobs, refused, skips, exact].iter().all(|times| *times > SEEDS / 10);
    assert!(often && both > 0 && only_by_jobs > 0, "{tally:?}");
}

#[test]
fn jobs_and_the_stream_each_process_exactly_what_is_theirs_1() {
    run(0);
}

#[test]
fn jobs_and_the_stream_each_process_exactly_what_is_theirs_2() {
    run(1);
}
