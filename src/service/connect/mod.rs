//! Opens the log and the stores that a configuration names.
//!
//! Each section has a `kind` and one table of settings per kind; tables of kinds that are not used may stand there too.
//! Times are in milliseconds, sizes in bytes, as their names say; what is left out has the default of the connector.

mod broker;
mod callers;
mod delivery;
mod http;
mod limits;
mod rows;
mod service;
mod source;
mod timelines;

pub use broker::{BrokerConfig, BrokerKind, CompressionConfig, EmbeddedConfig, KafkaConfig};
pub use callers::{AdminConfig, AdminSettings, AppsConfig, OperationsConfig, TokenConfig};
pub use delivery::{BreakerConfig, DeliveryConfig, PressureConfig, SinkConfig};
pub use http::{AccessLogConfig, HttpConfig, TlsConfig};
pub use limits::{LimitsConfig, ShedConfig};
pub use rows::{MySqlConfig, RowsConfig, RowsKind, SqliteConfig};
pub use service::ServiceConfig;
pub use source::{OnGapConfig, SourceConfig, StartConfig};
pub use timelines::{MemoryConfig, RedisConfig, TimelinesConfig, TimelinesKind};

use std::time::Duration;

/// Overwrites `into` with what a configuration gives.
fn set<T>(into: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *into = value;
    }
}

/// Overwrites a duration with milliseconds that a configuration gives.
fn set_ms(into: &mut Duration, ms: Option<u64>) {
    set(into, ms.map(Duration::from_millis));
}
