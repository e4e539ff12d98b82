//! How delivery is configured.

use std::time::Duration;

use crate::guard::{AutoSwitchSettings, BackoffSettings, BreakerSettings, Mode, PressureSettings, ShareSettings};

/// What all sinks of a topology have in common.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliverySettings {
    /// Topic for what is given up. Exists already: the spout writes to it too.
    pub dead_letters: String,
    /// Whether what a store does not take waits in the topics of the retry levels and of parked rows, from where workers of the
    /// topology bring it back. Otherwise the run that it belongs to fails, as it must where those workers have another
    /// program, or write to other stores. Poison goes to the dead letters either way.
    pub divert: bool,
    /// Delays of the retry levels, attempts, jitter.
    pub levels: BackoffSettings,
    /// Partitions of each retry topic.
    pub partitions: u32,
    /// Copies of each partition of the retry topics.
    pub replication: u16,
    /// How long the retry topics keep records; longer than the longest outage.
    pub retention: Duration,
    /// How much of the work retries may take from fresh rows.
    pub share: ShareSettings,
    /// Parked records a second that come back at most, per sink and process, once the ramp is over.
    pub drain_per_second: u64,
    /// Time between 10, 50 and 100 % of that rate after the sink takes rows again.
    pub ramp_step: Duration,
    /// How often a sink that takes nothing is looked at by those who wait for it.
    pub look_interval: Duration,
}

impl DeliverySettings {
    /// What is not stored waits: levels of 1 s, 10 s, 1 min and 10 min; 4 partitions, 1 copy, 30 days; 20 % for retries; 5,000 parked records a
    /// second after a ramp of two steps of 10 s; a look each 200 ms.
    pub fn new(dead_letters: impl Into<String>) -> Self {
        Self {
            dead_letters: dead_letters.into(),
            divert: true,
            levels: BackoffSettings::default(),
            partitions: 4,
            replication: 1,
            retention: Duration::from_secs(30 * 86_400),
            share: ShareSettings::default(),
            drain_per_second: 5_000,
            ramp_step: Duration::from_secs(10),
            look_interval: Duration::from_millis(200),
        }
    }
}

/// What one sink has for itself.
#[derive(Debug, Clone, PartialEq)]
pub struct SinkSettings {
    /// Position of its switch while no operator has set it.
    pub switch: Mode,
    /// How long a write may take.
    pub timeout: Duration,
    /// When it is left alone, and how it is tried again.
    pub breaker: BreakerSettings,
    /// When a switch in `auto` flips.
    pub auto: AutoSwitchSettings,
    /// When its load slows the topology down; `None`: never.
    pub pressure: Option<PressureSettings>,
}

impl Default for SinkSettings {
    /// Switch off, 10 s, the guards' own defaults, no pressure gauge.
    fn default() -> Self {
        Self {
            switch: Mode::Off,
            timeout: Duration::from_secs(10),
            breaker: BreakerSettings::default(),
            auto: AutoSwitchSettings::default(),
            pressure: None,
        }
    }
}
