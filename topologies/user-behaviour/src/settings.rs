//! The configuration of this topology.

use std::time::Duration;

use serde::Deserialize;
use squall::Settings;
use squall::service::cli::Profile;
use squall::service::connect::{BrokerConfig, RowsConfig, SourceConfig, TimelinesConfig};

use crate::format::{DecodeError, Format, find};

/// The configurations that the binary carries.
pub const PROFILES: &[Profile] = &[
    Profile {
        name: "embedded",
        file: "config/user-behaviour.embedded.toml",
        text: include_str!("../../../config/user-behaviour.embedded.toml"),
    },
    Profile {
        name: "cluster",
        file: "config/user-behaviour.cluster.toml",
        text: include_str!("../../../config/user-behaviour.cluster.toml"),
    },
];

/// Everything that can be configured.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Format of records that do not name theirs.
    pub format: String,
    /// Where records come from.
    pub source: SourceConfig,
    /// How the process runs.
    #[serde(default)]
    pub run: RunConfig,
    /// The log.
    #[serde(default)]
    pub broker: BrokerConfig,
    /// The timelines and profiles.
    #[serde(default)]
    pub timelines: TimelinesConfig,
    /// The rows.
    #[serde(default)]
    pub rows: RowsConfig,
    /// Bounds of the operators.
    #[serde(default)]
    pub topology: Settings,
}

/// How the process runs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunConfig {
    /// How long a stop waits for what is in flight, in milliseconds.
    pub drain_ms: u64,
    /// Threads; 0 = one per core.
    pub threads: usize,
}

impl Default for RunConfig {
    /// 30 s, one thread per core.
    fn default() -> Self {
        Self { drain_ms: 30_000, threads: 0 }
    }
}

impl RunConfig {
    /// How long a stop waits.
    pub fn drain(&self) -> Duration {
        Duration::from_millis(self.drain_ms)
    }
}

impl Config {
    /// The format of records that do not name theirs.
    ///
    /// # Errors
    /// When there is no such format.
    pub fn format(&self) -> Result<&'static dyn Format, DecodeError> {
        find(&self.format)
    }
}
