//! `[broker]`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::{set, set_ms};
use crate::broker::embedded::{EmbeddedBroker, EmbeddedSettings, RemoteBroker, RemoteSettings};
use crate::broker::kafka::{Compression, KafkaBroker, KafkaSettings};
use crate::broker::{Broker, BrokerError};
use crate::service::config::Secret;

/// Which log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BrokerKind {
    /// In this process, under the data directory.
    #[default]
    Embedded,
    /// Apache Kafka.
    Kafka,
}

/// The log.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BrokerConfig {
    /// Which one.
    pub kind: BrokerKind,
    /// Settings of the embedded one.
    pub embedded: EmbeddedConfig,
    /// Settings of Kafka.
    pub kafka: KafkaConfig,
}

/// `[broker.embedded]`; see [`EmbeddedSettings`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "each field is described at the settings it overrides")]
pub struct EmbeddedConfig {
    pub sync: Option<bool>,
    pub delivery_timeout_ms: Option<u64>,
    pub queue_bytes: Option<usize>,
    pub max_record_bytes: Option<usize>,
    pub fetch_max_bytes: Option<usize>,
    pub upkeep_interval_ms: Option<u64>,
    pub tombstone_retention_ms: Option<u64>,
    pub compaction_keys: Option<usize>,
    pub cache_bytes: Option<u64>,
    /// On unless it is switched off here, so that commands reach the log of a running topology.
    pub share: Option<bool>,
    pub share_connections: Option<usize>,
    pub share_io_timeout_ms: Option<u64>,
    pub share_idle_timeout_ms: Option<u64>,
}

/// `[broker.kafka]`; see [`KafkaSettings`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "each field is described at the settings it overrides")]
pub struct KafkaConfig {
    pub bootstrap: Option<String>,
    pub client_id: Option<String>,
    pub properties: BTreeMap<String, Secret>,
    pub connect_timeout_ms: Option<u64>,
    pub request_timeout_ms: Option<u64>,
    pub delivery_timeout_ms: Option<u64>,
    pub linger_ms: Option<u64>,
    pub batch_records: Option<u32>,
    pub batch_bytes: Option<u32>,
    pub compression: Option<CompressionConfig>,
    pub max_record_bytes: Option<u32>,
    pub queue_records: Option<u32>,
    pub queue_kib: Option<u32>,
    pub fetch_kib: Option<u32>,
    pub cursor_prefetch: Option<usize>,
}

/// How the producer compresses; see [`Compression`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are those of the algorithms")]
pub enum CompressionConfig {
    None,
    Lz4,
    Zstd,
    Snappy,
    Gzip,
}

impl BrokerConfig {
    /// Opens the log, for the process that runs the topology; the embedded one under `data_dir/log`.
    ///
    /// # Errors
    /// What the log says: unreachable, in use by another process, damaged.
    pub async fn open(&self, data_dir: &Path) -> Result<Arc<dyn Broker>, BrokerError> {
        match self.kind {
            BrokerKind::Embedded => {
                let (dir, settings) = (log_dir(data_dir), self.embedded.settings());
                // Opening reads what is there: not on a thread that others need.
                let opening = tokio::task::spawn_blocking(move || EmbeddedBroker::open(&dir, settings));
                let broker = opening.await.unwrap_or(Err(BrokerError::Closed { what: "the process" }))?;
                Ok(Arc::new(broker))
            }
            BrokerKind::Kafka => Ok(Arc::new(KafkaBroker::connect(self.kafka.settings()?).await?)),
        }
    }

    /// Opens the log for a command: the same as [`open`](Self::open), but for an embedded log that another process
    /// has open and shares, which is used through that process.
    ///
    /// # Errors
    /// What the log says; [`BrokerError::Locked`] when another process has it open and does not share it.
    pub async fn open_or_join(&self, data_dir: &Path) -> Result<Arc<dyn Broker>, BrokerError> {
        let locked = match self.open(data_dir).await {
            Err(locked @ BrokerError::Locked { .. }) => locked,
            opened => return opened,
        };
        match RemoteBroker::connect(&log_dir(data_dir), self.embedded.remote()).await? {
            Some(remote) => Ok(Arc::new(remote)),
            None => Err(locked),
        }
    }

    /// The log for a service beside a topology: Kafka, or an embedded log through the process that has it open. A service
    /// that opened it itself would keep the topology from it.
    ///
    /// # Errors
    /// What the log says; [`BrokerError::Remote`] while no process has the embedded one open.
    pub async fn join(&self, data_dir: &Path) -> Result<Arc<dyn Broker>, BrokerError> {
        if self.kind == BrokerKind::Kafka {
            return self.open(data_dir).await;
        }
        let log = log_dir(data_dir);
        match RemoteBroker::connect(&log, self.embedded.remote()).await? {
            Some(remote) => Ok(Arc::new(remote)),
            None => {
                let reason = "no process has it open; start the topology, or run the service beside it".to_owned();
                Err(BrokerError::Remote { socket: log, reason })
            }
        }
    }

    /// After how long the log says of an append that it failed, and the key that says so.
    pub fn delivery_timeout(&self) -> (Duration, &'static str) {
        let (given, default, key) = match self.kind {
            BrokerKind::Embedded => {
                let default = EmbeddedSettings::default().delivery_timeout;
                (self.embedded.delivery_timeout_ms, default, "broker.embedded.delivery_timeout_ms")
            }
            BrokerKind::Kafka => {
                let default = KafkaSettings::new("").delivery_timeout;
                (self.kafka.delivery_timeout_ms, default, "broker.kafka.delivery_timeout_ms")
            }
        };
        (given.map_or(default, Duration::from_millis), key)
    }

    /// Where the log is, for messages.
    pub fn address(&self, data_dir: &Path) -> String {
        match self.kind {
            BrokerKind::Embedded => log_dir(data_dir).display().to_string(),
            BrokerKind::Kafka => self.kafka.bootstrap.clone().unwrap_or_default(),
        }
    }
}

fn log_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("log")
}

impl EmbeddedConfig {
    fn settings(&self) -> EmbeddedSettings {
        let mut settings = EmbeddedSettings::default();
        set(&mut settings.sync, self.sync);
        set_ms(&mut settings.delivery_timeout, self.delivery_timeout_ms);
        set(&mut settings.queue_bytes, self.queue_bytes);
        set(&mut settings.max_record_bytes, self.max_record_bytes);
        set(&mut settings.fetch_max_bytes, self.fetch_max_bytes);
        let upkeep = self.upkeep_interval_ms.map(Duration::from_millis);
        set(&mut settings.upkeep_interval, upkeep.map(|every| Some(every).filter(|every| !every.is_zero())));
        set_ms(&mut settings.tombstone_retention, self.tombstone_retention_ms);
        set(&mut settings.compaction_keys, self.compaction_keys);
        set(&mut settings.cache_bytes, self.cache_bytes);
        settings.share = self.share.unwrap_or(true);
        set(&mut settings.share_connections, self.share_connections);
        set_ms(&mut settings.share_io_timeout, self.share_io_timeout_ms);
        set_ms(&mut settings.share_idle_timeout, self.share_idle_timeout_ms);
        settings
    }

    /// How the log is used through the process that has it open.
    fn remote(&self) -> RemoteSettings {
        let mut settings = RemoteSettings::default();
        set_ms(&mut settings.request_timeout, self.share_io_timeout_ms);
        set_ms(&mut settings.delivery_timeout, self.delivery_timeout_ms);
        settings
    }
}

impl KafkaConfig {
    fn settings(&self) -> Result<KafkaSettings, BrokerError> {
        let bootstrap = self.bootstrap.as_ref().filter(|bootstrap| !bootstrap.is_empty());
        let bootstrap = bootstrap.ok_or_else(|| BrokerError::Invalid {
            what: "broker.kafka.bootstrap",
            reason: "it is missing; give host:port of some brokers, separated by commas".into(),
        })?;
        let mut settings = KafkaSettings::new(bootstrap);
        for (name, value) in &self.properties {
            settings = settings.property(name, value.expose());
        }
        set(&mut settings.client_id, self.client_id.clone());
        set_ms(&mut settings.connect_timeout, self.connect_timeout_ms);
        set_ms(&mut settings.request_timeout, self.request_timeout_ms);
        set_ms(&mut settings.delivery_timeout, self.delivery_timeout_ms);
        set_ms(&mut settings.linger, self.linger_ms);
        set(&mut settings.batch_records, self.batch_records);
        set(&mut settings.batch_bytes, self.batch_bytes);
        set(&mut settings.compression, self.compression.map(CompressionConfig::setting));
        set(&mut settings.max_record_bytes, self.max_record_bytes);
        set(&mut settings.queue_records, self.queue_records);
        set(&mut settings.queue_kib, self.queue_kib);
        set(&mut settings.fetch_kib, self.fetch_kib);
        set(&mut settings.cursor_prefetch, self.cursor_prefetch);
        Ok(settings)
    }
}

impl CompressionConfig {
    fn setting(self) -> Compression {
        match self {
            Self::None => Compression::None,
            Self::Lz4 => Compression::Lz4,
            Self::Zstd => Compression::Zstd,
            Self::Snappy => Compression::Snappy,
            Self::Gzip => Compression::Gzip,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::TopicSpec;
    use crate::topology::{Class, Classify};

    fn config(share: bool) -> BrokerConfig {
        let embedded = EmbeddedConfig { sync: Some(false), share: Some(share), ..EmbeddedConfig::default() };
        BrokerConfig { embedded, ..BrokerConfig::default() }
    }

    #[test]
    fn a_log_is_shared_unless_the_configuration_says_otherwise() {
        assert!(EmbeddedConfig::default().settings().share);
        assert!(!EmbeddedSettings::default().share);
        assert!(!config(false).embedded.settings().share);
    }

    #[tokio::test]
    async fn a_command_opens_the_log_or_joins_who_has_it_open() {
        let dir = tempfile::tempdir().unwrap();
        let alone = config(true).open_or_join(dir.path()).await.unwrap();
        alone.create_topic(&TopicSpec::new("t", 1)).await.unwrap();
        let joined = config(true).open_or_join(dir.path()).await.unwrap();
        assert_eq!(joined.topics().await.unwrap(), alone.topics().await.unwrap());
        let second = config(true).open(dir.path()).await.err().unwrap();
        assert!(matches!(second, BrokerError::Locked { .. }), "{second:?}");
        assert_eq!(config(true).join(dir.path()).await.unwrap().topics().await.unwrap().len(), 1);
        drop((alone, joined));
        let nobody = config(true).join(dir.path()).await.err().unwrap();
        assert!(
            nobody.class() == Class::Retryable && nobody.to_string().contains("start the topology"),
            "{nobody}"
        );
        config(true).open(dir.path()).await.unwrap();
    }

    #[tokio::test]
    async fn a_log_that_is_not_shared_is_in_use() {
        let dir = tempfile::tempdir().unwrap();
        let _alone = config(false).open(dir.path()).await.unwrap();
        let error = config(true).open_or_join(dir.path()).await.err().unwrap();
        assert!(matches!(error, BrokerError::Locked { .. }), "{error:?}");
        assert!(error.to_string().contains("stop it or choose another --data-dir"), "{error}");
    }
}
