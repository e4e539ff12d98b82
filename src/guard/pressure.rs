//! How far to slow down for a store under load.

use std::time::Duration;

/// Where a store's load is high, where it is low again, and how the slowing grows.
///
/// Load counts as high from a high mark on, and as low below a low mark; between them nothing changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PressureSettings {
    /// Smoothed latency of the own calls that is high.
    pub latency_high: Duration,
    /// Latency below which it is low; a low mark above its high mark counts as the high mark.
    pub latency_low: Duration,
    /// Weight of the newest latency in the smoothed one, above 0 to 1.
    pub smoothing: f64,
    /// Running threads of the server that are high; `None` = they do not count.
    pub threads_running_high: Option<u64>,
    /// Running threads below which they are low; `None` = the high mark.
    pub threads_running_low: Option<u64>,
    /// Lag of the slowest replica that is high; `None` = it does not count.
    pub replication_lag_high: Option<Duration>,
    /// Lag below which it is low; `None` = the high mark.
    pub replication_lag_low: Option<Duration>,
    /// By how much the pause between calls grows while the load is high, and shrinks while it is low; with zero it is
    /// the whole `slow_max` at once.
    pub slow_step: Duration,
    /// The longest pause between calls; with the load still high, the spout pauses.
    pub slow_max: Duration,
    /// The least time between two steps, so that a burst of observations is one step; zero = each may be one.
    pub step_every: Duration,
}

impl Default for PressureSettings {
    /// Latency 500 / 200 ms with weight 0.2, threads 64 / 32, replication lag 10 / 2 s; steps of 50 ms up to 500 ms,
    /// at most four a second.
    fn default() -> Self {
        Self {
            latency_high: Duration::from_millis(500),
            latency_low: Duration::from_millis(200),
            smoothing: 0.2,
            threads_running_high: Some(64),
            threads_running_low: Some(32),
            replication_lag_high: Some(Duration::from_secs(10)),
            replication_lag_low: Some(Duration::from_secs(2)),
            slow_step: Duration::from_millis(50),
            slow_max: Duration::from_millis(500),
            step_every: Duration::from_millis(250),
        }
    }
}

/// What is known of a store's load. What could not be read says nothing: pass the last known value to let it hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// How long the last call took. While paused, of a small query that only measures.
    pub latency: Duration,
    /// Threads that the server runs now.
    pub threads_running: Option<u64>,
    /// How far the slowest replica is behind.
    pub replication_lag: Option<Duration>,
}

/// What a caller does for the store; ordered by how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing.
    Free,
    /// It waits this long before each call.
    Slow(Duration),
    /// It pauses the spout, and goes on observing: only that ends the pause.
    Paused,
}

/// A gauge of the load of one store.
///
/// While any signal is high, the level rises step by step: slower, slower, up to `slow_max`, then paused. While all
/// signals are low it falls by the same steps. Between the marks it stays, so that a load at a mark does not make it
/// flutter.
#[derive(Debug, Clone)]
pub struct Pressure {
    settings: PressureSettings,
    level: Level,
    stepped_at: Option<Duration>,
    /// Smoothed, in seconds; `None` before the first observation.
    latency: Option<f64>,
    last: Option<Load>,
}

impl Pressure {
    /// A gauge that has observed nothing.
    pub fn new(settings: PressureSettings) -> Self {
        Self { settings, level: Level::Free, stepped_at: None, latency: None, last: None }
    }

    /// What the caller does now.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Takes an observation, and says what the caller does now.
    pub fn observe(&mut self, now: Duration, load: Load) -> Level {
        let latest = load.latency.as_secs_f64();
        let weight = self.settings.smoothing.clamp(0.0, 1.0);
        self.latency = Some(self.latency.map_or(latest, |smoothed| smoothed + weight * (latest - smoothed)));
        self.last = Some(load);
        if self.stepped_at.is_some_and(|at| now.saturating_sub(at) < self.settings.step_every) {
            return self.level;
        }
        let before = self.level;
        match self.position() {
            Position::High => self.rise(),
            Position::Between => {}
            Position::Low => self.fall(),
        }
        if self.level != before {
            self.stepped_at = Some(now);
        }
        self.level
    }

    /// The signals that are not low, in words; `None` when all are.
    pub fn reason(&self) -> Option<String> {
        let words: Vec<String> = self
            .signals()
            .filter(|signal| signal.position() != Position::Low)
            .map(|Signal { name, value, low, high, unit }| {
                format!("{name} is {value:.0} {unit} (high from {high:.0}, low below {low:.0})")
            })
            .collect();
        (!words.is_empty()).then(|| words.join(", "))
    }

    fn rise(&mut self) {
        let PressureSettings { slow_step, slow_max, .. } = self.settings;
        let step = if slow_step.is_zero() { slow_max } else { slow_step };
        self.level = match self.level {
            Level::Free => Level::Slow(step.min(slow_max)),
            Level::Slow(pause) if pause < slow_max => Level::Slow(pause.saturating_add(step).min(slow_max)),
            Level::Slow(_) | Level::Paused => Level::Paused,
        };
    }

    fn fall(&mut self) {
        let PressureSettings { slow_step, slow_max, .. } = self.settings;
        let step = if slow_step.is_zero() { slow_max } else { slow_step };
        self.level = match self.level {
            Level::Paused => Level::Slow(slow_max),
            Level::Slow(pause) if pause > step => Level::Slow(pause - step),
            Level::Slow(_) | Level::Free => Level::Free,
        };
    }

    /// High if one signal is, low if all are.
    fn position(&self) -> Position {
        self.signals().map(|signal| signal.position()).max().unwrap_or(Position::Between)
    }

    /// The signals that are known and have marks.
    fn signals(&self) -> impl Iterator<Item = Signal> {
        let settings = self.settings;
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        let latency = self.latency.map(|smoothed| Signal {
            name: "latency",
            unit: "ms",
            value: smoothed * 1e3,
            high: ms(settings.latency_high),
            low: ms(settings.latency_low),
        });
        let threads = self.last.and_then(|load| load.threads_running).zip(settings.threads_running_high);
        let threads = threads.map(|(running, high)| Signal {
            name: "threads running",
            unit: "threads",
            value: running as f64,
            high: high as f64,
            low: settings.threads_running_low.unwrap_or(high) as f64,
        });
        let lag = self.last.and_then(|load| load.replication_lag).zip(settings.replication_lag_high);
        let lag = lag.map(|(behind, high)| Signal {
            name: "replication lag",
            unit: "ms",
            value: ms(behind),
            high: ms(high),
            low: ms(settings.replication_lag_low.unwrap_or(high)),
        });
        [latency, threads, lag].into_iter().flatten()
    }
}

/// One signal beside its marks.
struct Signal {
    name: &'static str,
    unit: &'static str,
    value: f64,
    high: f64,
    low: f64,
}

impl Signal {
    fn position(&self) -> Position {
        if self.value >= self.high {
            Position::High
        } else if self.value < self.low {
            Position::Low
        } else {
            Position::Between
        }
    }
}

/// A load beside its marks, in the order in which one signal outdoes another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Position {
    Low,
    Between,
    High,
}
