//! When the next run of a job may go. Pure: the time is a parameter.

use std::time::Duration;

/// Records of a run, times what a job takes of the stores' time by what it leaves of it; from two thirds on this is more than
/// [`SMALLEST`]. A fresh record behind them waits until a store is through with them. Beside a job that leaves little, fresh
/// records wait as much longer anyway, and larger runs cost the stores much less: what a batch costs by itself, 500 records
/// share.
const SMALL: f64 = 64.0;
/// Records that a run may have, however small the share. It is split among the lanes of all sinks, each of which makes a write
/// of its own, and what that costs by itself more records share. Of runs that bring as much, the larger ones meet fewer of the
/// fresh records, and those that they meet wait longer.
const SMALLEST: usize = 128;
/// The longest rest, so that a job goes on after a store, or a machine, that stood still. A small share of many tasks at slow
/// stores would want longer ones, and is exceeded then.
pub(super) const LONGEST_REST: Duration = Duration::from_secs(30);
/// How long a first run waits at most, so that tasks that begin at one instant do not go together.
const APART: Duration = Duration::from_secs(1);
/// Runs that are read ahead, so that one rarely ends where what was fetched does.
const AHEAD: usize = 8;
/// Records that are read ahead at least.
const FETCH: usize = 1024;
/// How much of its share a job gives up at most while others keep the stores busy: it goes on all the same.
const MOST_YIELDED: f64 = 4.0;
/// What a run counts in the mean time of one.
const NEWS: f64 = 0.1;
/// By how much runs differ at most that tell the same: what a batch costs by itself makes short ones look slow.
const SIMILAR: f64 = 2.0;
/// What a usual run becomes with each that is smaller: half of it after 23.
const SHRINK: f64 = 0.97;
/// By how much the least time of a run is taken to have grown with each run, so that one that was by chance quick, or was so
/// long ago, is forgotten: twice as much after 700.
const FORGET: f64 = 1.001;

/// What a task may do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Pull a run of at most so many records.
    Pull(usize),
    /// Nothing for so long.
    Rest(Duration),
    /// Nothing until what is in flight has settled.
    Settle,
}

/// How many leases there are now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leases {
    /// Of the job.
    pub of_job: usize,
    /// Of all jobs that go on, this one too.
    pub of_all: usize,
}

impl Leases {
    /// So many of the only job.
    pub fn alone(leases: usize) -> Self {
        Self { of_job: leases, of_all: leases }
    }
}

/// The budget of one task at one job. Both bounds hold:
///
/// - *rate*: a task has the job's rate divided by the leases that the job holds now. Over any time `t` it lets at most
///   `rate / leases · t` records and one run go. A run has at most a second's worth.
/// - *share*: below 1 a task has one run in flight, of at most `max(64 · share / (1 − share), 128)` records, and one that took
///   `d` is followed by a rest of `d · (leases / share · mean / best − 1)`, at most 30 s, where `leases` are those of all jobs. So
///   all tasks together take at most that share of the stores' time, of jobs with different ones at most the largest, but for
///   rests that would have to be longer: three tasks whose runs take 50 ms come to a two-hundredth at the least. And they
///   never take more of it at once than fresh records can wait for. With all of their time for its share a task pulls as much as
///   it is asked for.
///
/// `mean` is what a record of a run takes of late, `best` the least that one took. In a queue that is served at random the
/// mean time in it is `best / (1 − ρ)` where `ρ` is how busy it is (M/M/1), so `best / mean` is what of the stores is left,
/// whatever it is that keeps them busy, also other processes: the share is one of that. `mean / best` counts as 4 at most,
/// so that a job always goes on; call it `y` so. Runs of less than half a usual one, as at the end of a chunk, tell nothing
/// of either.
///
/// By the same formula what others write takes `1 / (1 − share / y)` times as long beside the job: a hundredth longer at the
/// [default](super::Job::SHARE) where the stores are idle otherwise, a four-hundredth where they are busy.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    rate: Option<u64>,
    share: f64,
    /// The first run of a chunk does not go before.
    first: Duration,
    /// The last run: when it went and how many records it had.
    last: Option<(Duration, u64)>,
    busy_since: Option<Duration>,
    /// When nothing was in flight any more, and how long something had been.
    idle: Option<(Duration, Duration)>,
    /// Records of a usual run: larger ones decide at once, smaller ones in time.
    usual: f64,
    /// The mean and the least time of a record in runs that were about as large, in seconds.
    pace: Option<(f64, f64)>,
}

impl Budget {
    /// Of `rate` records a second, and a share above 0 of the stores' time, for the whole job.
    pub fn new(rate: Option<u64>, share: f64) -> Self {
        let share = share.clamp(f64::MIN_POSITIVE, 1.0);
        let (first, usual) = (Duration::ZERO, 0.0);
        Self { rate, share, first, last: None, busy_since: None, idle: None, usual, pace: None }
    }

    /// The task begins at a chunk. All tasks of a job, on all machines, do so at one instant when it is created or goes on, and
    /// as their rests are about as long, their runs would meet from then on, and fresh records wait for all of them. So the
    /// first one waits for a part of the time from run to run, a second at most, that is the task's own: `phase`, from 0 to 1.
    /// One that begins at another chunk before any run went waits no longer for that. `now` counts from any instant, the same
    /// in all calls; `leases` are those that there are, this one too.
    pub fn begin(&mut self, now: Duration, phase: f64, leases: Leases) {
        let went = self.last.is_some_and(|(went, _)| went >= self.first);
        let began = !self.first.is_zero() && now < self.first.saturating_add(APART);
        if self.run() == usize::MAX || (began && !went) {
            return;
        }
        let due = self.due(leases);
        let period = self.last.map_or(APART, |(went, _)| due.saturating_sub(went).min(APART));
        if due <= now {
            self.first = now.saturating_add(times(period, phase.clamp(0.0, 1.0)));
        }
    }

    /// How many records it is of use to read ahead: eight of the largest runs, 1,024 at least, which one fetch brings in any
    /// case. `None` where no bound holds.
    pub fn ahead(&self) -> Option<usize> {
        Some(self.run()).filter(|run| *run < usize::MAX).map(|run| run.saturating_mul(AHEAD).max(FETCH))
    }

    /// What may be done now by the task, which has one of the leases; `now` counts as in [`begin`](Self::begin).
    pub fn turn(&self, now: Duration, leases: Leases, max: usize) -> Turn {
        if self.share < 1.0 && self.busy_since.is_some() {
            return Turn::Settle;
        }
        match self.due(leases).max(self.first).saturating_sub(now) {
            Duration::ZERO => Turn::Pull(self.most(leases.of_job, max)),
            wait => Turn::Rest(wait),
        }
    }

    /// A run of so many records went.
    pub fn pulled(&mut self, now: Duration, records: usize) {
        self.last = Some((now, records as u64));
        self.busy_since.get_or_insert(now);
        let records = records as f64;
        if records > SIMILAR * self.usual {
            self.pace = None;
        }
        self.usual = records.max(self.usual * SHRINK);
    }

    /// Nothing is in flight any more.
    pub fn idle(&mut self, now: Duration) {
        let Some(since) = self.busy_since.take() else { return };
        let busy = now.saturating_sub(since);
        self.idle = Some((now, busy));
        if let Some((_, records)) = self.last
            && records as f64 * SIMILAR >= self.usual
        {
            let pace = busy.as_secs_f64() / records.max(1) as f64;
            let (mean, best) = self.pace.unwrap_or((pace, pace));
            self.pace = Some((mean * (1.0 - NEWS) + pace * NEWS, (best * FORGET).min(pace)));
        }
    }

    /// When both bounds let the next run go.
    fn due(&self, leases: Leases) -> Duration {
        self.share_due(leases.of_all).max(self.rate_due(leases.of_job))
    }

    /// When the share lets the next run go: once the last one is made up for, by the number of leases that there are now.
    fn share_due(&self, leases: usize) -> Duration {
        let (Some((at, busy)), true) = (self.idle, self.share < 1.0) else { return Duration::ZERO };
        let crowded = |(mean, best): (f64, f64)| mean / best.max(f64::MIN_POSITIVE);
        let yielded = self.pace.map_or(1.0, crowded).clamp(1.0, MOST_YIELDED);
        let rest = times(busy, leases.max(1) as f64 / self.share * yielded - 1.0).min(LONGEST_REST);
        at.saturating_add(rest)
    }

    /// When the rate lets the next run go: once the last one is paid for, by the number of leases that there are now.
    fn rate_due(&self, leases: usize) -> Duration {
        let (Some(rate), Some((at, records))) = (self.rate, self.last) else { return Duration::ZERO };
        let nanos = u128::from(records) * leases.max(1) as u128 * 1_000_000_000;
        let nanos = nanos.div_ceil(u128::from(rate.max(1)));
        at.saturating_add(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }

    /// Records that a run may have at most for the share's sake.
    fn small(&self) -> usize {
        if self.share >= 1.0 {
            return usize::MAX;
        }
        ((SMALL * self.share / (1.0 - self.share)).round() as usize).max(SMALLEST)
    }

    fn most(&self, leases: usize, max: usize) -> usize {
        let second = self.rate.map_or(u64::MAX, |rate| rate / leases.max(1) as u64);
        max.min(self.small()).min(usize::try_from(second).unwrap_or(usize::MAX)).max(1)
    }

    /// Records of the largest run that both bounds ever let go.
    fn run(&self) -> usize {
        self.most(1, usize::MAX)
    }
}

/// The product; a time that no clock holds becomes the longest one.
fn times(time: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(time.as_secs_f64() * factor.max(0.0)).unwrap_or(Duration::MAX)
}
