//! Who has to act on an error of the client.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::topology::Class;

/// The class of an error: what the cluster or the network will get over is `Retryable`, what is the record's
/// own fault `Poison`, and what needs somebody to change a setting, a permission or a topic `Fatal`.
pub(in crate::broker) fn class_of(error: &KafkaError) -> Class {
    match error {
        // librdkafka declares the client unusable, whatever the code.
        KafkaError::MessageConsumptionFatal(_) => Class::Fatal,
        KafkaError::Transaction(error) if error.is_fatal() => Class::Fatal,
        KafkaError::Canceled | KafkaError::NoMessageReceived | KafkaError::PartitionEOF(_) => Class::Retryable,
        other => other.rdkafka_error_code().map_or(Class::Fatal, class_of_code),
    }
}

/// A code that is not listed is one that this version does not know: better to stop than to try for ever.
fn class_of_code(code: Code) -> Class {
    match code {
        Code::MessageSizeTooLarge
        | Code::MessageBatchTooLarge
        | Code::InvalidMessage
        | Code::InvalidMessageSize
        | Code::InvalidRecord
        | Code::InvalidTimestamp
        | Code::BadMessage
        | Code::KeySerialization
        | Code::ValueSerialization
        | Code::KeyDeserialization
        | Code::ValueDeserialization => Class::Poison,
        code if is_passing(code) => Class::Retryable,
        _ => Class::Fatal,
    }
}

/// What the network, the cluster or the group gets over by itself.
fn is_passing(code: Code) -> bool {
    is_connection(code) || is_cluster(code) || is_group(code) || is_local(code)
}

fn is_connection(code: Code) -> bool {
    matches!(
        code,
        Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::Resolve
            | Code::OperationTimedOut
            | Code::TimedOutQueue
            | Code::MessageTimedOut
            | Code::RequestTimedOut
            | Code::NetworkException
            | Code::UnknownBroker
            | Code::DestroyBroker
            | Code::RebootstrapRequired
    )
}

fn is_cluster(code: Code) -> bool {
    matches!(
        code,
        Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::BrokerNotAvailable
            | Code::ReplicaNotAvailable
            | Code::StaleControllerEpoch
            | Code::NotController
            | Code::NotEnoughReplicas
            | Code::NotEnoughReplicasAfterAppend
            | Code::ISRInsufficient
            | Code::KafkaStorageError
            | Code::ReassignmentInProgress
            | Code::FetchSessionIdNotFound
            | Code::InvalidFetchSessionEpoch
            | Code::FencedLeaderEpoch
            | Code::UnknownLeaderEpoch
            | Code::StaleBrokerEpoch
            | Code::OffsetNotAvailable
            | Code::PreferredLeaderNotAvailable
            | Code::EligibleLeadersNotAvailable
            | Code::ListenerNotFound
            | Code::ThrottlingQuotaExceeded
            | Code::UnstableOffsetCommit
            | Code::ConcurrentTransactions
            | Code::UnknownTopicId
    )
}

fn is_group(code: Code) -> bool {
    matches!(
        code,
        Code::CoordinatorLoadInProgress
            | Code::CoordinatorNotAvailable
            | Code::NotCoordinator
            | Code::WaitingForCoordinator
            | Code::IllegalGeneration
            | Code::UnknownMemberId
            | Code::MemberIdRequired
            | Code::RebalanceInProgress
            | Code::AssignmentLost
            | Code::PollExceeded
            | Code::FencedMemberEpoch
            | Code::StaleMemberEpoch
            | Code::UnreleasedInstanceId
    )
}

fn is_local(code: Code) -> bool {
    matches!(
        code,
        Code::QueueFull
            | Code::InProgress
            | Code::PreviousInProgress
            | Code::Outdated
            | Code::WaitCache
            | Code::Interrupted
            | Code::Partial
            | Code::Retry
            | Code::PurgeQueue
            | Code::PurgeInflight
            | Code::NodeUpdate
            | Code::NoOffset
            | Code::PartitionEOF
            | Code::Noop
            | Code::NoError
            | Code::Unknown
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_class_of_who_must_act() {
        let table = [
            (Code::BrokerTransportFailure, Class::Retryable),
            (Code::AllBrokersDown, Class::Retryable),
            (Code::Resolve, Class::Retryable),
            (Code::MessageTimedOut, Class::Retryable),
            (Code::RequestTimedOut, Class::Retryable),
            (Code::LeaderNotAvailable, Class::Retryable),
            (Code::NotLeaderForPartition, Class::Retryable),
            (Code::NotEnoughReplicas, Class::Retryable),
            (Code::NotEnoughReplicasAfterAppend, Class::Retryable),
            (Code::KafkaStorageError, Class::Retryable),
            (Code::ThrottlingQuotaExceeded, Class::Retryable),
            (Code::QueueFull, Class::Retryable),
            (Code::CoordinatorNotAvailable, Class::Retryable),
            (Code::NotCoordinator, Class::Retryable),
            (Code::RebalanceInProgress, Class::Retryable),
            (Code::IllegalGeneration, Class::Retryable),
            (Code::UnknownMemberId, Class::Retryable),
            (Code::PurgeQueue, Class::Retryable),
            (Code::MessageSizeTooLarge, Class::Poison),
            (Code::MessageBatchTooLarge, Class::Poison),
            (Code::InvalidMessage, Class::Poison),
            (Code::InvalidRecord, Class::Poison),
            (Code::InvalidTimestamp, Class::Poison),
            (Code::Authentication, Class::Fatal),
            (Code::SaslAuthenticationFailed, Class::Fatal),
            (Code::SSL, Class::Fatal),
            (Code::TopicAuthorizationFailed, Class::Fatal),
            (Code::GroupAuthorizationFailed, Class::Fatal),
            (Code::ClusterAuthorizationFailed, Class::Fatal),
            (Code::UnknownTopicOrPartition, Class::Fatal),
            (Code::UnknownTopic, Class::Fatal),
            (Code::UnknownPartition, Class::Fatal),
            (Code::OffsetOutOfRange, Class::Fatal),
            (Code::AutoOffsetReset, Class::Fatal),
            (Code::LogTruncation, Class::Fatal),
            (Code::FencedInstanceId, Class::Fatal),
            (Code::Fenced, Class::Fatal),
            (Code::ProducerFenced, Class::Fatal),
            (Code::OutOfOrderSequenceNumber, Class::Fatal),
            (Code::InvalidProducerEpoch, Class::Fatal),
            (Code::PolicyViolation, Class::Fatal),
            (Code::UnsupportedVersion, Class::Fatal),
            (Code::InvalidReplicationFactor, Class::Fatal),
            (Code::PollExceeded, Class::Retryable),
            (Code::Fatal, Class::Fatal),
        ];
        for (code, class) in table {
            assert_eq!(class_of(&KafkaError::MessageProduction(code)), class, "{code:?}");
            assert_eq!(class_of(&KafkaError::ConsumerCommit(code)), class, "{code:?}");
        }
    }

    #[test]
    fn a_fatal_client_is_fatal_whatever_the_code() {
        let error = KafkaError::MessageConsumptionFatal(Code::RequestTimedOut);
        assert_eq!(class_of(&error), Class::Fatal);
    }

    #[test]
    fn what_has_no_code_is_a_mistake_of_the_caller() {
        assert_eq!(class_of(&KafkaError::ClientCreation("x".into())), Class::Fatal);
        assert_eq!(class_of(&KafkaError::Canceled), Class::Retryable);
    }
}
