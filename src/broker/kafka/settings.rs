//! How to reach a cluster.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// How the producer compresses batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Not at all.
    None,
    /// Cheap on both sides.
    #[default]
    Lz4,
    /// Smaller, for slow links and long retention.
    Zstd,
    /// For clusters that hold it already.
    Snappy,
    /// For clusters that hold it already.
    Gzip,
}

/// How to reach a cluster, and how much may wait in this process.
#[derive(Clone, PartialEq, Eq)]
pub struct KafkaSettings {
    /// `host:port` of some of the brokers, separated by commas.
    pub bootstrap: String,
    /// Name of this client in the brokers' logs and quotas.
    pub client_id: String,
    /// Any property of librdkafka, such as `security.protocol`, `sasl.*` and `ssl.*`. Those on which the
    /// promises of this module rest are refused.
    pub properties: BTreeMap<String, String>,
    /// How long [`connect`](super::KafkaBroker::connect) tries.
    pub connect_timeout: Duration,
    /// How long one request may take; the client keeps no less than 2 s.
    pub request_timeout: Duration,
    /// How long an append may take, the wait for room in the queue included.
    pub delivery_timeout: Duration,
    /// How long the producer waits for more records before it sends a batch.
    pub linger: Duration,
    /// Records in one batch of the producer.
    pub batch_records: u32,
    /// Bytes in one batch of the producer.
    pub batch_bytes: u32,
    /// How batches are compressed.
    pub compression: Compression,
    /// Size of the largest record, key and headers included; above it appends are refused as poison. The
    /// topic's own limit must be at least as large.
    pub max_record_bytes: u32,
    /// Records that may wait in the producer.
    pub queue_records: u32,
    /// Kibibytes that may wait in the producer.
    pub queue_kib: u32,
    /// Kibibytes fetched ahead by one consumer or cursor, beside its bound in records.
    pub fetch_kib: u32,
    /// Records fetched ahead by a cursor at most. Where it is less than 4,096 a fetch has fewer bytes as well: 256 for each, 64 KiB
    /// at least, unless the properties `fetch.message.max.bytes` or `max.partition.fetch.bytes` say otherwise.
    pub cursor_prefetch: usize,
}

impl KafkaSettings {
    /// The cluster at `bootstrap`, with bounds for one process: 10 s to connect and for a request, 30 s for an
    /// append, 100 000 records or 64 MiB in the producer, 32 MiB ahead of a consumer.
    pub fn new(bootstrap: impl Into<String>) -> Self {
        Self {
            bootstrap: bootstrap.into(),
            client_id: "squall".into(),
            properties: BTreeMap::new(),
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(10),
            delivery_timeout: Duration::from_secs(30),
            linger: Duration::from_millis(2),
            batch_records: 10_000,
            batch_bytes: 1_000_000,
            compression: Compression::default(),
            max_record_bytes: 1_000_000,
            queue_records: 100_000,
            queue_kib: 64 * 1024,
            fetch_kib: 32 * 1024,
            cursor_prefetch: 16_384,
        }
    }

    /// Sets a property of librdkafka.
    #[must_use]
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.insert(name.into(), value.into());
        self
    }
}

/// Values of properties are shown only when their name is known to carry no secret.
impl fmt::Debug for KafkaSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let properties: BTreeMap<&str, &str> = self
            .properties
            .iter()
            .map(|(name, value)| (name.as_str(), if is_secret(name) { "***" } else { value.as_str() }))
            .collect();
        f.debug_struct("KafkaSettings")
            .field("bootstrap", &self.bootstrap)
            .field("client_id", &self.client_id)
            .field("properties", &properties)
            .field("connect_timeout", &self.connect_timeout)
            .field("request_timeout", &self.request_timeout)
            .field("delivery_timeout", &self.delivery_timeout)
            .field("linger", &self.linger)
            .field("batch_records", &self.batch_records)
            .field("batch_bytes", &self.batch_bytes)
            .field("compression", &self.compression)
            .field("max_record_bytes", &self.max_record_bytes)
            .field("queue_records", &self.queue_records)
            .field("queue_kib", &self.queue_kib)
            .field("fetch_kib", &self.fetch_kib)
            .field("cursor_prefetch", &self.cursor_prefetch)
            .finish()
    }
}

/// Whether the value of a property may hold a secret. What is about authentication does unless it is known
/// not to, so that a property of a later librdkafka is hidden too.
pub(super) fn is_secret(name: &str) -> bool {
    const PUBLIC: [&str; 12] = [
        "sasl.mechanism",
        "sasl.mechanisms",
        "sasl.username",
        "sasl.kerberos.service.name",
        "sasl.kerberos.principal",
        "sasl.kerberos.keytab",
        "sasl.oauthbearer.method",
        "ssl.ca.location",
        "ssl.certificate.location",
        "ssl.key.location",
        "ssl.endpoint.identification.algorithm",
        "ssl.cipher.suites",
    ];
    let guarded = ["sasl.", "ssl.", "enable.ssl.", "enable.sasl."].iter().any(|prefix| name.starts_with(prefix));
    let telling = ["password", "secret", "token", "jaas", "pem"].iter().any(|part| name.contains(part));
    telling || (guarded && !PUBLIC.contains(&name))
}
