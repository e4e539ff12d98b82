//! What all tasks of one sink share: its switch, breakers, gauge and budget.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::automatic::Automatic;
use super::counts::{Counters, Counts};
use super::node::NodeState;
use super::{DeliverySettings, SinkSettings};
use crate::guard::{BreakerState, Clock, Flip, Level, Load, Mode, Pressure, Reading, Share, Switch};

/// How many times rarer than a sink with an open breaker one is looked at that is switched off by hand.
const LOOKS_WHILE_ON: u32 = 50;
/// No lag is known.
const UNKNOWN: u64 = u64::MAX;

/// What a sink takes now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Accepts {
    /// Nothing: switched off, or its breaker is open.
    Nothing,
    /// A row or two, to find out whether it works again.
    Probes,
    /// Rows.
    Rows,
}

/// The state of one sink in this process. Never locked across an await.
#[derive(Debug)]
pub struct SinkState {
    name: String,
    clock: Clock,
    switch: Switch,
    auto: Mutex<Automatic>,
    /// At least one.
    nodes: Box<[NodeState]>,
    pressure: Option<Mutex<Pressure>>,
    server: Mutex<ServerSays>,
    share: Mutex<Share>,
    look: Duration,
    lag: AtomicU64,
    slow: AtomicBool,
    /// Whether records of this sink come back in this process.
    retries_here: AtomicBool,
    /// For how long probes are left to those.
    probe_grace: Duration,
    counters: Counters,
}

/// What the store's server last said of itself.
#[derive(Debug, Clone, Copy, Default)]
struct ServerSays {
    threads_running: Option<u64>,
    replication_lag: Option<Duration>,
}

impl SinkState {
    pub(super) fn new(
        name: &str,
        clock: Clock,
        switch: Switch,
        common: &DeliverySettings,
        own: SinkSettings,
        nodes: usize,
    ) -> Self {
        let nodes = (0..nodes.max(1)).map(|_| NodeState::new(common, &own)).collect();
        Self {
            name: name.to_owned(),
            clock,
            auto: Mutex::new(Automatic::new(own.auto, switch.mode())),
            switch,
            probe_grace: own.breaker.probe_timeout,
            nodes,
            pressure: own.pressure.map(|settings| Mutex::new(Pressure::new(settings))),
            server: Mutex::default(),
            share: Mutex::new(Share::new(common.share)),
            look: common.look_interval,
            lag: AtomicU64::new(UNKNOWN),
            slow: AtomicBool::new(false),
            retries_here: AtomicBool::new(false),
            counters: Counters::default(),
        }
    }

    /// Name of the sink.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What became of rows since the start.
    pub fn counts(&self) -> Counts {
        self.counters.read()
    }

    /// How many nodes its store has.
    pub(super) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// What it takes now: as much as that of its nodes that takes most. A switch in `auto` takes a reading whenever it is
    /// asked.
    pub fn accepts(&self) -> Accepts {
        let now = self.clock.now();
        let breakers = self.breakers(now);
        let accepts = self.switched_to(now, breakers, breakers);
        if accepts == Accepts::Nothing {
            self.nodes.iter().for_each(NodeState::shut);
        }
        accepts
    }

    /// What one of its nodes takes now.
    pub(super) fn accepts_at(&self, node: usize) -> Accepts {
        let now = self.clock.now();
        let accepts = self.switched_to(now, self.breakers(now), self.nodes[node].accepts(&self.name, node, now));
        if accepts == Accepts::Nothing {
            self.nodes[node].shut();
        }
        accepts
    }

    /// What the breakers of all nodes let through at best.
    fn breakers(&self, now: Duration) -> Accepts {
        let accepts = self.nodes.iter().enumerate().map(|(node, state)| state.accepts(&self.name, node, now));
        accepts.max().unwrap_or(Accepts::Nothing)
    }

    /// What the switch leaves of what a breaker lets through; `best` is that of all nodes.
    fn switched_to(&self, now: Duration, best: Accepts, breaker: Accepts) -> Accepts {
        let mode = self.switch.mode();
        lock(&self.auto).positioned(now, mode);
        match mode {
            Mode::Off => breaker,
            Mode::On => Accepts::Nothing,
            Mode::Auto => match (self.auto_is_on(now, best), breaker) {
                // Only probes can close the breaker, without which it never flips back.
                (true, Accepts::Probes) => Accepts::Probes,
                (true, _) => Accepts::Nothing,
                (false, breaker) => breaker,
            },
        }
    }

    /// Whether fresh rows should not even ask: the breaker wants to try a row or two, and those that come back do that.
    /// A fresh row that waited for an answer would hold up all that come after it. When nothing comes back for a while,
    /// fresh rows try all the same.
    pub(super) fn leaves_probes_to_retries(&self, node: usize) -> bool {
        if !self.retries_here.load(Ordering::Relaxed) || self.switch.mode() == Mode::On {
            return false;
        }
        let now = self.clock.now();
        let status = self.nodes[node].breaker().status(now);
        status.state == BreakerState::HalfOpen && now.saturating_sub(status.since) < self.probe_grace
    }

    /// Whether the breaker keeps rows from the node, but for those that find out whether it works again.
    pub(super) fn is_left_alone(&self, node: usize) -> bool {
        self.nodes[node].breaker().status(self.clock.now()).state != BreakerState::Closed
    }

    /// Flips of the automatic switch since the last call, oldest first; the latest 16 are kept.
    pub fn take_flips(&self) -> Vec<Flip> {
        lock(&self.auto).take_flips()
    }

    /// One of the nodes of its store.
    pub(super) fn node(&self, node: usize) -> &NodeState {
        &self.nodes[node]
    }

    /// Records of this sink come back in this process.
    pub(super) fn has_retries(&self) {
        self.retries_here.store(true, Ordering::Relaxed);
    }

    /// Records that the topology has yet to process, for a switch in `auto`.
    pub fn set_lag(&self, records: Option<u64>) {
        self.lag.store(records.unwrap_or(UNKNOWN), Ordering::Relaxed);
    }

    /// Whether the load of the store asks for fresh records to wait. A store that takes nothing, whose load nobody
    /// measures then, holds nobody back: its rows are parked.
    pub fn is_under_pressure(&self) -> bool {
        let is_paused = |pressure: &Mutex<Pressure>| lock(pressure).level() == Level::Paused;
        self.pressure.as_ref().is_some_and(is_paused) && self.accepts() != Accepts::Nothing
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
    pub(super) fn pause(&self) -> Duration {
        self.pressure.as_ref().map_or(Duration::ZERO, |pressure| pause_of(lock(pressure).level()))
    }

    pub(super) fn clock(&self) -> Clock {
        self.clock
    }

    /// How long a sink that takes nothing is left before it is looked at again: a switch that is on tells of its change
    /// by itself, so it is looked at rarely.
    pub(super) fn shut_for(&self, look: Duration) -> Duration {
        if self.switch.mode() == Mode::On { look * LOOKS_WHILE_ON } else { look }
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

    /// How many records may come back now to try a node that takes [`Accepts::Probes`], and when there may be more.
    pub(super) fn allow_probe(&self, node: usize) -> (usize, Duration) {
        self.nodes[node].allow_probe(self.clock.now(), self.look)
    }

    /// How many of `want` records that are parked for a node may go now, and when there may be more.
    pub(super) fn allow_parked(&self, node: usize, want: usize) -> (usize, Duration) {
        self.nodes[node].allow_parked(self.clock.now(), want)
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.counters
    }

    fn auto_is_on(&self, now: Duration, breaker: Accepts) -> bool {
        let lag = Some(self.lag.load(Ordering::Relaxed)).filter(|lag| *lag != UNKNOWN);
        let reading = Reading { breaker_closed: breaker == Accepts::Rows, lag };
        lock(&self.auto).observe(&self.name, now, reading)
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

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whole after every statement, so a panic elsewhere does not spoil it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
