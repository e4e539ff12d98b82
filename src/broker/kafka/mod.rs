//! The log on Apache Kafka, over librdkafka.

use rdkafka::error::KafkaError;

use crate::topology::Class;

/// Who has to act on an error of the client.
pub(super) fn class_of(error: &KafkaError) -> Class {
    let _ = error;
    Class::Retryable
}
