//! `[broker]`

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::{set, set_ms};
use crate::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
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
    /// Opens the log; the embedded one under `data_dir/log`.
    ///
    /// # Errors
    /// What the log says: unreachable, in use by another process, damaged.
    pub async fn open(&self, data_dir: &Path) -> Result<Arc<dyn Broker>, BrokerError> {
        match self.kind {
            BrokerKind::Embedded => {
                let (dir, settings) = (data_dir.join("log"), self.embedded.settings());
                // Opening reads what is there: not on a thread that others need.
                let opening = tokio::task::spawn_blocking(move || EmbeddedBroker::open(&dir, settings));
                let broker = opening.await.unwrap_or(Err(BrokerError::Closed { what: "the process" }))?;
                Ok(Arc::new(broker))
            }
            BrokerKind::Kafka => Ok(Arc::new(KafkaBroker::connect(self.kafka.settings()?).await?)),
        }
    }

    /// Where the log is, for messages.
    pub fn address(&self, data_dir: &Path) -> String {
        match self.kind {
            BrokerKind::Embedded => data_dir.join("log").display().to_string(),
            BrokerKind::Kafka => self.kafka.bootstrap.clone().unwrap_or_default(),
        }
    }
}

impl EmbeddedConfig {
    fn settings(&self) -> EmbeddedSettings {
        let mut settings = EmbeddedSettings::default();
        set(&mut settings.sync, self.sync);
        set_ms(&mut settings.delivery_timeout, self.delivery_timeout_ms);
        set(&mut settings.queue_bytes, self.queue_bytes);
        set(&mut settings.max_record_bytes, self.max_record_bytes);
        set(&mut settings.fetch_max_bytes, self.fetch_max_bytes);
        let upkeep = self.upkeep_interval_ms.map(std::time::Duration::from_millis);
        set(&mut settings.upkeep_interval, upkeep.map(|every| Some(every).filter(|every| !every.is_zero())));
        set_ms(&mut settings.tombstone_retention, self.tombstone_retention_ms);
        set(&mut settings.compaction_keys, self.compaction_keys);
        set(&mut settings.cache_bytes, self.cache_bytes);
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
