//! What all tasks of one sink share: its switch, breaker, gauge and budget.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::{DeliverySettings, SinkSettings};
use crate::guard::{
    AutoSwitch, BreakerState, Clock, Level, Load, Mode, Pressure, Ramp, Rate, Reading, Share, SharedBreaker,
    Switch,
};

/// No lag is known.
const UNKNOWN: u64 = u64::MAX;

/// What a sink takes now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepts {
    /// Nothing: switched off, or its breaker is open.
    Nothing,
    /// A row or two, to find out whether it works again.
    Probes,
    /// Rows.
    Rows,
}

/// What became of rows since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Rows that came back from a retry level or from the parked ones and were stored.
    pub recovered: u64,
    /// Rows that were written to a retry level.
    pub retried: u64,
    /// Rows that were parked because the sink takes none.
    pub parked: u64,
    /// Rows that went to the dead letters.
    pub dead: u64,
}

/// The state of one sink in this process. Never locked across an await.
#[derive(Debug)]
pub struct SinkState {
    name: String,
    clock: Clock,
    switch: Switch,
    auto: Mutex<AutoSwitch>,
    breaker: SharedBreaker,
    breaker_changes: AtomicU64,
    pressure: Option<Mutex<Pressure>>,
    server: Mutex<ServerSays>,
    share: Mutex<Share>,
    drain: Mutex<Drain>,
    /// When the next record may come back to try the sink, and how long the one after it waits.
    next_probe: Mutex<Duration>,
    look: Duration,
    lag: AtomicU64,
    slow: AtomicBool,
    /// Whether records of this sink come back in this process.
    retries_here: AtomicBool,
    /// For how long probes are left to those.
    probe_grace: Duration,
    recovered: AtomicU64,
    retried: AtomicU64,
    parked: AtomicU64,
    dead: AtomicU64,
}

/// What the store's server last said of itself.
#[derive(Debug, Clone, Copy, Default)]
struct ServerSays {
    threads_running: Option<u64>,
    replication_lag: Option<Duration>,
}

/// The rate at which parked records come back.
#[derive(Debug)]
struct Drain {
    per_second: u64,
    step: Duration,
    /// The ramp since the sink takes rows, and the rate of its present step.
    open: Option<(Ramp, u32, Rate)>,
}

impl SinkState {
    pub(super) fn new(
        name: &str,
        clock: Clock,
        switch: Switch,
        common: &DeliverySettings,
        own: SinkSettings,
    ) -> Self {
        Self {
            name: name.to_owned(),
            clock,
            switch,
            auto: Mutex::new(AutoSwitch::new(own.auto)),
            probe_grace: own.breaker.probe_timeout,
            breaker: SharedBreaker::new(own.breaker),
            breaker_changes: AtomicU64::new(0),
            pressure: own.pressure.map(|settings| Mutex::new(Pressure::new(settings))),
            server: Mutex::default(),
            share: Mutex::new(Share::new(common.share)),
            drain: Mutex::new(Drain { per_second: common.drain_per_second, step: common.ramp_step, open: None }),
            next_probe: Mutex::default(),
            look: common.look_interval,
            lag: AtomicU64::new(UNKNOWN),
            slow: AtomicBool::new(false),
            retries_here: AtomicBool::new(false),
            recovered: AtomicU64::new(0),
            retried: AtomicU64::new(0),
            parked: AtomicU64::new(0),
            dead: AtomicU64::new(0),
        }
    }

    /// Name of the sink.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What became of rows since the start.
    pub fn counts(&self) -> Counts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            recovered: read(&self.recovered),
            retried: read(&self.retried),
            parked: read(&self.parked),
            dead: read(&self.dead),
        }
    }

    /// What it takes now. A switch in `auto` takes a reading whenever it is asked.
    pub fn accepts(&self) -> Accepts {
        let now = self.clock.now();
        let breaker = match self.breaker_state(now) {
            BreakerState::Closed => Accepts::Rows,
            BreakerState::HalfOpen => Accepts::Probes,
            BreakerState::Open => Accepts::Nothing,
        };
        let accepts = match self.switch.mode() {
            Mode::Off => breaker,
            Mode::On => Accepts::Nothing,
            Mode::Auto => match (self.auto_is_on(now, breaker), breaker) {
                // Only probes can close the breaker, without which it never flips back.
                (true, Accepts::Probes) => Accepts::Probes,
                (true, _) => Accepts::Nothing,
                (false, breaker) => breaker,
            },
        };
        if accepts == Accepts::Nothing {
            lock(&self.drain).open = None;
        }
        accepts
    }

    /// Whether fresh rows should not even ask: the breaker wants to try a row or two, and those that come back do that.
    /// A fresh row that waited for an answer would hold up all that come after it. When nothing comes back for a while,
    /// fresh rows try all the same.
    pub(super) fn leaves_probes_to_retries(&self) -> bool {
        if !self.retries_here.load(Ordering::Relaxed) || self.switch.mode() == Mode::On {
            return false;
        }
        let now = self.clock.now();
        let status = self.breaker.status(now);
        status.state == BreakerState::HalfOpen && now.saturating_sub(status.since) < self.probe_grace
    }

    /// Whether the breaker keeps rows from the store, but for those that find out whether it works again.
    pub(super) fn is_left_alone(&self) -> bool {
        self.breaker.status(self.clock.now()).state != BreakerState::Closed
    }

    /// Records of this sink come back in this process.
    pub(super) fn has_retries(&self) {
        self.retries_here.store(true, Ordering::Relaxed);
    }

    /// Records that the topology has yet to process, for a switch in `auto`.
    pub fn set_lag(&self, records: Option<u64>) {
        self.lag.store(records.unwrap_or(UNKNOWN), Ordering::Relaxed);
    }

    /// Whether the load of the store asks for fresh records to wait.
    pub fn is_under_pressure(&self) -> bool {
        self.pressure.as_ref().is_some_and(|pressure| lock(pressure).level() == Level::Paused)
    }

    /// What the store's server says of itself, for the gauge: threads that run, and how far the slowest replica is
    /// behind. It holds until the next call; `None` counts for nothing.
    pub fn set_server_load(&self, threads_running: Option<u64>, replication_lag: Option<Duration>) {
        *lock(&self.server) = ServerSays { threads_running, replication_lag };
    }

    /// Takes a reading of the store's load: a call took `latency`.
    pub(super) fn observe(&self, latency: Duration) {
        let Some(pressure) = &self.pressure else { return };
        let ServerSays { threads_running, replication_lag } = *lock(&self.server);
        let load = Load { latency, threads_running, replication_lag };
        let mut pressure = lock(pressure);
        let level = pressure.observe(self.clock.now(), load);
        let slow = level != Level::Free;
        if self.slow.swap(slow, Ordering::Relaxed) != slow {
            let reason = pressure.reason().unwrap_or_else(|| "all signals are low".to_owned());
            tracing::warn!(sink = self.name, ?level, reason, "the load of the store changes the pace");
        }
    }

    /// How long the next write waits for the store's sake.
    pub fn pause(&self) -> Duration {
        self.pressure.as_ref().map_or(Duration::ZERO, |pressure| pause_of(lock(pressure).level()))
    }

    pub(super) fn clock(&self) -> Clock {
        self.clock
    }

    pub(super) fn breaker(&self) -> &SharedBreaker {
        &self.breaker
    }

    /// Resolves when the switch is in another position than at the call.
    pub(super) async fn switched(&self) {
        let mut switch = self.switch.clone();
        let before = switch.mode();
        while switch.changed().await == before {}
    }

    /// Tells that fresh rows went to the store, from which retries earn their share.
    pub(super) fn fresh(&self, rows: usize) {
        lock(&self.share).fresh(self.clock.now(), rows);
    }

    /// How many of `want` retries may go now, and when there may be more.
    pub(super) fn allow_retries(&self, want: usize) -> (usize, Duration) {
        let (now, mut share) = (self.clock.now(), lock(&self.share));
        let allowed = share.allow(now, want);
        (allowed, share.wait(now))
    }

    /// How many records may come back now to try a sink that takes [`Accepts::Probes`], and when there may be more. One
    /// a look: the breaker refuses those that come while a probe is under way, and what is refused is parked again.
    pub(super) fn allow_probe(&self) -> (usize, Duration) {
        let (now, mut next) = (self.clock.now(), lock(&self.next_probe));
        if now < *next {
            return (0, *next - now);
        }
        *next = now + self.look;
        (1, self.look)
    }

    /// How many of `want` parked records may go now, and when there may be more.
    pub(super) fn allow_parked(&self, want: usize) -> (usize, Duration) {
        lock(&self.drain).allow(self.clock.now(), want)
    }

    pub(super) fn count_recovered(&self, rows: usize) {
        self.recovered.fetch_add(rows as u64, Ordering::Relaxed);
    }

    pub(super) fn count_retried(&self, rows: usize) {
        self.retried.fetch_add(rows as u64, Ordering::Relaxed);
    }

    pub(super) fn count_parked(&self, rows: usize) {
        self.parked.fetch_add(rows as u64, Ordering::Relaxed);
    }

    pub(super) fn count_dead(&self, rows: usize) {
        self.dead.fetch_add(rows as u64, Ordering::Relaxed);
    }

    fn breaker_state(&self, now: Duration) -> BreakerState {
        let status = self.breaker.status(now);
        if self.breaker_changes.swap(status.changes, Ordering::Relaxed) != status.changes {
            let reason = &status.reason;
            tracing::warn!(sink = self.name, state = %status.state, reason, "the breaker changed");
        }
        status.state
    }

    fn auto_is_on(&self, now: Duration, breaker: Accepts) -> bool {
        let lag = Some(self.lag.load(Ordering::Relaxed)).filter(|lag| *lag != UNKNOWN);
        let mut auto = lock(&self.auto);
        if let Some(flip) = auto.observe(now, Reading { breaker_closed: breaker == Accepts::Rows, lag }) {
            let (sink, reason) = (&self.name, &flip.reason);
            tracing::warn!(sink, on = flip.on, reason, "the automatic switch flipped");
        }
        auto.is_on()
    }
}

impl Drain {
    fn allow(&mut self, now: Duration, want: usize) -> (usize, Duration) {
        let per_second = self.per_second;
        let at = |percent: u32| (per_second * u64::from(percent) / 100).max(1);
        let rate = |percent: u32| Rate::new(at(percent), (at(percent) / 10).max(1));
        let (ramp, percent, bucket) = self.open.get_or_insert_with(|| {
            let ramp = Ramp::new(now, self.step);
            (ramp, ramp.percent(now), rate(ramp.percent(now)))
        });
        if *percent != ramp.percent(now) {
            *percent = ramp.percent(now);
            *bucket = rate(*percent);
        }
        let allowed = want.min(usize::try_from(bucket.available(now)).unwrap_or(usize::MAX));
        match bucket.take(now, allowed as u64) {
            Ok(()) if allowed == want => (allowed, Duration::ZERO),
            // A tenth of a second's worth comes back at once.
            Ok(()) => (allowed, Duration::from_millis(100)),
            Err(wait) => (0, wait),
        }
    }
}

fn pause_of(level: Level) -> Duration {
    match level {
        Level::Free => Duration::ZERO,
        Level::Slow(pause) => pause,
        // Writes that are already under way go on, slowly; the spout has stopped.
        Level::Paused => Duration::from_millis(100),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whole after every statement, so a panic elsewhere does not spoil it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
