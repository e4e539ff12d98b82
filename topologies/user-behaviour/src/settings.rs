//! The configuration of this topology.

use std::time::Duration;

use serde::Deserialize;
use squall::control::backfill::BackfillSettings;
use squall::delivery::DeliverySettings;
use squall::guard::Mode;
use squall::service::cli::Profile;
use squall::service::connect::{
    AdminConfig, BrokerConfig, DeliveryConfig, OperationsConfig, RowsConfig, SinkConfig, SourceConfig,
    TimelinesConfig,
};

use squall::{ResultExt, Settings};

use crate::collector::CollectorConfig;
use crate::format::{DecodeError, Format, find};
use crate::query::QueryConfig;
use crate::topology::{Handles, NAME, Wiring};

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
    /// Name under which it is operated, and keeps what waits: of its control and retry topics. Two versions of the topology
    /// that run side by side have two.
    #[serde(default = "default_name")]
    pub name: String,
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
    /// What surrounds the stores: retry levels, budgets.
    #[serde(default)]
    pub delivery: DeliveryConfig,
    /// What each store has for itself: time-out, breaker, switch.
    #[serde(default)]
    pub guards: GuardsConfig,
    /// The routes by which an operator looks and changes.
    #[serde(default)]
    pub admin: AdminConfig,
    /// Where the process says how it is.
    #[serde(default)]
    pub operations: OperationsConfig,
    /// What takes records over HTTP.
    #[serde(default)]
    pub collector: CollectorConfig,
    /// The query service.
    #[serde(default)]
    pub query: QueryConfig,
    /// Bounds of the operators.
    #[serde(default)]
    pub topology: Settings,
}

fn default_name() -> String {
    NAME.to_owned()
}

/// What each store has for itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GuardsConfig {
    /// The timelines.
    pub timelines: SinkConfig,
    /// The rows.
    pub rows: SinkConfig,
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

    /// What surrounds the stores.
    ///
    /// # Errors
    /// A value that is out of range.
    pub fn delivery(&self) -> squall::Result<DeliverySettings> {
        self.delivery.settings(&self.source.dead_letters, self.source.replication)
    }

    /// How the topology is put together, with these handles.
    ///
    /// # Errors
    /// An unknown format; a value that is out of range.
    pub fn wiring(&self, handles: Handles) -> squall::Result<Wiring> {
        let backfill = BackfillSettings {
            live: self.source.live(),
            dead_letters: Some(self.source.dead_letters.clone()),
            ..BackfillSettings::new(&self.name, &self.source.topic, format!("process-{}", std::process::id()))
        };
        Ok(Wiring {
            name: self.name.clone(),
            source: self.source.settings(),
            backfill,
            format: self.format().fatal()?,
            delivery: self.delivery()?,
            timelines: self.guards.timelines.settings("guards.timelines")?,
            rows: self.guards.rows.settings("guards.rows")?,
            handles,
        })
    }

    /// [`wiring`](Self::wiring) with handles that nobody else moves.
    ///
    /// # Errors
    /// As `wiring`.
    pub fn wiring_alone(&self) -> squall::Result<Wiring> {
        self.wiring(Handles::alone(Mode::Off, Mode::Off))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use squall::service::config::{Source, load};

    use super::*;

    #[test]
    fn every_configuration_file_parses_and_fits_the_topology() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
        let mut files = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let config: Config = load(&Source::File(path), &[]).unwrap();
            let topology = crate::topology::shape(config.format().unwrap());
            topology.check(&config.topology).unwrap();
            config.wiring_alone().unwrap();
            config.collector.settings(Path::new("data")).unwrap();
            config.query.settings().unwrap();
            assert!(PROFILES.iter().any(|profile| profile.file.ends_with(&name)), "{name} is in no profile");
            files += 1;
        }
        assert_eq!(files, PROFILES.len());
    }
}
