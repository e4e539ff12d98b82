//! From the client's errors to the log's.

use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::settings::KafkaSettings;
use crate::broker::BrokerError;

/// What a failed call means for its caller.
pub(super) fn failed(settings: &KafkaSettings, context: impl Into<String>, source: KafkaError) -> BrokerError {
    let context = context.into();
    match source.rdkafka_error_code() {
        Some(Code::BrokerTransportFailure | Code::AllBrokersDown | Code::Resolve) => {
            BrokerError::Unreachable { address: settings.bootstrap.clone(), reason: source.to_string() }
        }
        Some(Code::OperationTimedOut | Code::RequestTimedOut | Code::TimedOutQueue) => {
            timeout(context, settings.request_timeout)
        }
        Some(Code::MessageTimedOut) => timeout(context, settings.delivery_timeout),
        _ => BrokerError::Kafka { context, source },
    }
}

pub(super) fn timeout(what: impl Into<String>, after: Duration) -> BrokerError {
    BrokerError::Timeout { what: what.into(), after_ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX) }
}

/// Whether the client says that a topic does not exist.
pub(super) fn is_unknown_topic(error: &KafkaError) -> bool {
    matches!(error.rdkafka_error_code(), Some(Code::UnknownTopicOrPartition | Code::UnknownTopic))
}
