//! From settings to librdkafka's properties.

use std::time::Duration;

use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, ClientContext};

use super::settings::{Compression, KafkaSettings, is_secret};
use crate::broker::{BrokerError, GroupSettings};

/// Properties that are decided here: another value would break what the module promises.
const RESERVED: [&str; 22] = [
    "bootstrap.servers",
    "metadata.broker.list",
    "client.id",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "session.timeout.ms",
    "heartbeat.interval.ms",
    "partition.assignment.strategy",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "auto.offset.reset",
    "enable.partition.eof",
    "enable.idempotence",
    "acks",
    "request.required.acks",
    "partitioner",
    "message.timeout.ms",
    "delivery.timeout.ms",
    "delivery.report.only.error",
    "transactional.id",
    "log.queue",
];

/// Both names of the property that bounds the bytes of one partition in one answer.
const FETCH_BYTES: [&str; 2] = ["fetch.message.max.bytes", "max.partition.fetch.bytes"];
/// The bytes of a usual record, compressed or not.
const USUAL: usize = 256;
/// The least such bound of a cursor that reads little ahead.
const LEAST_FETCH: usize = 64 * 1024;
/// The most: librdkafka's default.
const MOST_FETCH: usize = 1024 * 1024;

/// What every client has.
pub(super) fn client(settings: &KafkaSettings) -> Result<ClientConfig, BrokerError> {
    if settings.bootstrap.trim().is_empty() {
        return Err(BrokerError::Invalid {
            what: "kafka bootstrap",
            reason: "name at least one host:port".into(),
        });
    }
    if let Some(name) = settings.properties.keys().find(|name| RESERVED.contains(&name.as_str())) {
        let reason = format!("`{name}` cannot be set: delivery or the group relies on its value");
        return Err(BrokerError::Invalid { what: "kafka property", reason });
    }
    // librdkafka wants a second beyond the wait of a fetch.
    let request = settings.request_timeout.max(Duration::from_secs(2));
    let mut config = ClientConfig::new();
    config
        .set_log_level(RDKafkaLogLevel::Warning)
        .set("bootstrap.servers", &settings.bootstrap)
        .set("client.id", &settings.client_id)
        .set("socket.timeout.ms", millis(request))
        .set("socket.connection.setup.timeout.ms", millis(settings.connect_timeout.max(Duration::from_secs(1))))
        .set("socket.nagle.disable", "true")
        .set("reconnect.backoff.max.ms", "1000")
        .set("log.connection.close", "false")
        .set("allow.auto.create.topics", "false");
    for (name, value) in &settings.properties {
        config.set(name, value);
    }
    Ok(config)
}

/// A client that only asks.
pub(super) fn lookup(settings: &KafkaSettings) -> Result<ClientConfig, BrokerError> {
    client(settings)
}

/// A client that asks for a group, or moves its offsets, without being a member.
pub(super) fn outsider(settings: &KafkaSettings, group: &str) -> Result<ClientConfig, BrokerError> {
    if group.is_empty() {
        return Err(BrokerError::Invalid { what: "group name", reason: "it is empty".into() });
    }
    let mut config = client(settings)?;
    config.set("group.id", group).set("enable.auto.commit", "false");
    Ok(config)
}

/// A member of a group.
pub(super) fn member(settings: &KafkaSettings, group: &GroupSettings) -> Result<ClientConfig, BrokerError> {
    let mut config = outsider(settings, &group.group)?;
    reader(&mut config, settings, group.prefetch);
    let heartbeat = (group.session_timeout / 3).min(Duration::from_secs(3)).max(Duration::from_millis(1));
    // The thread polls all the time; only a drain keeps it away, so that is what the interval must exceed.
    let poll_interval = (group.session_timeout + group.drain_timeout).max(Duration::from_secs(300));
    config
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", millis(group.session_timeout))
        .set("heartbeat.interval.ms", millis(heartbeat))
        .set("max.poll.interval.ms", millis(poll_interval));
    if let Some(instance) = &group.instance_id {
        config.set("group.instance.id", instance);
    }
    Ok(config)
}

/// A reader outside groups. librdkafka wants a group name even so; nothing is ever committed under it.
pub(super) fn cursor(settings: &KafkaSettings, ahead: usize) -> Result<ClientConfig, BrokerError> {
    let mut config = outsider(settings, &format!("{}-cursor", settings.client_id))?;
    reader(&mut config, settings, ahead);
    // Of a log with large batches the first answer alone has more records than are wanted, unless it is bounded too. A batch
    // comes as a whole, however large.
    if !FETCH_BYTES.iter().any(|name| settings.properties.contains_key(*name)) {
        let bytes = ahead.saturating_mul(USUAL).clamp(LEAST_FETCH, MOST_FETCH);
        config.set(FETCH_BYTES[0], bytes.to_string());
    }
    Ok(config)
}

/// The producer.
pub(super) fn producer(settings: &KafkaSettings) -> Result<ClientConfig, BrokerError> {
    let compression = match settings.compression {
        Compression::None => "none",
        Compression::Lz4 => "lz4",
        Compression::Zstd => "zstd",
        Compression::Snappy => "snappy",
        Compression::Gzip => "gzip",
    };
    let mut config = client(settings)?;
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("partitioner", "murmur2_random")
        .set("compression.codec", compression)
        .set("linger.ms", millis(settings.linger))
        .set("batch.num.messages", settings.batch_records.to_string())
        .set("batch.size", settings.batch_bytes.to_string())
        .set("message.max.bytes", settings.max_record_bytes.to_string())
        .set("queue.buffering.max.messages", settings.queue_records.to_string())
        .set("queue.buffering.max.kbytes", settings.queue_kib.to_string())
        .set("message.timeout.ms", millis(settings.delivery_timeout))
        .set("request.timeout.ms", millis(settings.request_timeout.min(settings.delivery_timeout)));
    Ok(config)
}

/// Makes a client. The error names the property, and shows its value only when that is no secret.
pub(super) fn create<C: ClientContext, T: FromClientConfigAndContext<C>>(
    config: &ClientConfig,
    context: C,
) -> Result<T, BrokerError> {
    config.create_with_context(context).map_err(|error| match error {
        KafkaError::ClientConfig(_, reason, name, _) => {
            let reason = if is_secret(&name) {
                format!("`{name}` was refused; its value is not shown")
            } else {
                format!("`{name}`: {reason}")
            };
            BrokerError::Invalid { what: "kafka property", reason }
        }
        KafkaError::ClientCreation(reason) => BrokerError::Invalid { what: "kafka settings", reason },
        source => BrokerError::Kafka { context: "cannot create a client".into(), source },
    })
}

/// Half of `prefetch` may wait in librdkafka, the other half in the inbox.
fn reader(config: &mut ClientConfig, settings: &KafkaSettings, prefetch: usize) {
    config
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("enable.partition.eof", "true")
        .set("queued.min.messages", (prefetch / 2).clamp(1, 10_000_000).to_string())
        .set("queued.max.messages.kbytes", settings.fetch_kib.clamp(1, 2_097_151).to_string())
        // How often it looks whether a full queue has room again. The default second would let the queue run dry; a much
        // shorter time has every reader that is slow on purpose, such as a backfill, look all the time.
        .set("fetch.queue.backoff.ms", "20")
        .set("fetch.error.backoff.ms", "100");
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}
