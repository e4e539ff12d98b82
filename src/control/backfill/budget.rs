//! When the next run of a job may go. Pure: the time is a parameter.

use std::time::Duration;

/// Records of a run of a job that takes its share from others. A store is through with them in one or two milliseconds,
/// and that is how long a fresh record behind them waits.
const SMALL: usize = 64;
/// The longest rest: what took longer was not work but a store, or a machine, that stood still.
const LONGEST_REST: Duration = Duration::from_secs(30);

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

/// The budget of one task at one job. Both bounds hold:
///
/// - *rate*: a task has the job's rate divided by the leases that the job holds now. Over any time `t` it lets at most
///   `rate / leases · t` records and one run go. A run has at most a second's worth.
/// - *share*: below 1 a task has one run in flight, of at most 64 records, and one that took `d` is followed by a rest of
///   `d · (1 / share − 1)`, at most 30 s. So the task takes at most that share of the stores' time, whatever they are slowed
///   down by, also from another process, and never more of it at once than fresh records can wait for. With all of their
///   time for its share it pulls as much as it is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    rate: Option<u64>,
    share: f64,
    /// The last run: when it went and how many records it had.
    last: Option<(Duration, u64)>,
    busy_since: Option<Duration>,
    rest_until: Duration,
}

impl Budget {
    /// Of `rate` records a second for the whole job, and a share above 0 of this task's time.
    pub fn new(rate: Option<u64>, share: f64) -> Self {
        let share = share.clamp(f64::MIN_POSITIVE, 1.0);
        Self { rate, share, last: None, busy_since: None, rest_until: Duration::ZERO }
    }

    /// What may be done now, by one of `leases` tasks that are at the job.
    pub fn turn(&self, now: Duration, leases: usize, max: usize) -> Turn {
        if self.share < 1.0 && self.busy_since.is_some() {
            return Turn::Settle;
        }
        let due = self.rest_until.max(self.rate_due(leases));
        match due.saturating_sub(now) {
            Duration::ZERO => Turn::Pull(self.most(leases, max)),
            wait => Turn::Rest(wait),
        }
    }

    /// A run of so many records went.
    pub fn pulled(&mut self, now: Duration, records: usize) {
        self.last = Some((now, records as u64));
        self.busy_since.get_or_insert(now);
    }

    /// Nothing is in flight any more.
    pub fn idle(&mut self, now: Duration) {
        if let Some(since) = self.busy_since.take() {
            let busy = now.saturating_sub(since);
            self.rest_until = now.saturating_add(times(busy, 1.0 / self.share - 1.0).min(LONGEST_REST));
        }
    }

    /// When the rate lets the next run go: once the last one is paid for, by the number of leases that there are now.
    fn rate_due(&self, leases: usize) -> Duration {
        let (Some(rate), Some((at, records))) = (self.rate, self.last) else { return Duration::ZERO };
        let nanos = u128::from(records) * leases.max(1) as u128 * 1_000_000_000;
        let nanos = nanos.div_ceil(u128::from(rate.max(1)));
        at.saturating_add(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }

    fn most(&self, leases: usize, max: usize) -> usize {
        let second = self.rate.map_or(u64::MAX, |rate| rate / leases.max(1) as u64);
        let small = if self.share < 1.0 { SMALL } else { usize::MAX };
        max.min(small).min(usize::try_from(second).unwrap_or(usize::MAX)).max(1)
    }
}

/// The product; a time that no clock holds becomes the longest one.
fn times(time: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(time.as_secs_f64() * factor.max(0.0)).unwrap_or(Duration::MAX)
}
