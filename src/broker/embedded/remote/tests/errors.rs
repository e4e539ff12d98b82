//! Every error of the log arrives as what it was.

use std::io::ErrorKind;
use std::path::PathBuf;

use bytes::Bytes;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode as Code;

use super::super::super::codec::Reader;
use super::super::wire::{KNOWN, put_error, read_error};
use crate::broker::BrokerError;
use crate::topology::Classify;

/// The number of the variant. A new one does not compile until it stands here, and in [`samples`].
fn variant(error: &BrokerError) -> usize {
    match error {
        BrokerError::UnknownTopic { .. } => 0,
        BrokerError::UnknownPartition { .. } => 1,
        BrokerError::TopicMismatch { .. } => 2,
        BrokerError::Invalid { .. } => 3,
        BrokerError::OutOfRange { .. } => 4,
        BrokerError::TooLarge { .. } => 5,
        BrokerError::GroupActive { .. } => 6,
        BrokerError::Timeout { .. } => 7,
        BrokerError::Unreachable { .. } => 8,
        BrokerError::Locked { .. } => 9,
        BrokerError::DiskFull { .. } => 10,
        BrokerError::Closed { .. } => 11,
        BrokerError::Storage { .. } => 12,
        BrokerError::Corrupt { .. } => 13,
        BrokerError::Kafka { .. } => 14,
        BrokerError::Io { .. } => 15,
        BrokerError::Remote { .. } => 16,
        BrokerError::Interrupted { .. } => 17,
    }
}

/// Errors whose text stays the same to the letter.
fn exact() -> Vec<BrokerError> {
    let (topic, reason) = (String::from("тема"), String::from("why"));
    let path = PathBuf::from("/data/log");
    vec![
        BrokerError::UnknownTopic { topic: topic.clone() },
        BrokerError::UnknownPartition { topic: topic.clone(), partition: u32::MAX },
        BrokerError::TopicMismatch { topic: topic.clone(), actual: 3, wanted: 4 },
        BrokerError::Invalid { what: "topic name", reason: reason.clone() },
        BrokerError::OutOfRange { topic, partition: 7, offset: u64::MAX, earliest: 1, latest: 2 },
        BrokerError::TooLarge { size: 5, limit: 4 },
        BrokerError::GroupActive { group: String::new() },
        BrokerError::Timeout { what: "append".into(), after_ms: 30_000 },
        BrokerError::Unreachable { address: "a:1".into(), reason: reason.clone() },
        BrokerError::Locked { path: path.clone() },
        BrokerError::DiskFull { path: path.clone() },
        BrokerError::Closed { what: "the consumer" },
        BrokerError::Storage { context: "read records", source: fjall::Error::Poisoned },
        BrokerError::Corrupt { context: "a block".into() },
        BrokerError::Io { context: "open".into(), source: std::io::Error::from_raw_os_error(28) },
        BrokerError::Io { context: "open".into(), source: std::io::Error::other("of its own") },
        BrokerError::Io { context: "open".into(), source: ErrorKind::PermissionDenied.into() },
        BrokerError::Remote { socket: path, reason: reason.clone() },
        BrokerError::Interrupted { what: "an append".into(), reason },
    ]
}

/// Errors of parts that no other process can have: what they say and what they cause is kept.
fn kept() -> Vec<BrokerError> {
    let kafka = |source| BrokerError::Kafka { context: "metadata".into(), source };
    vec![
        kafka(KafkaError::MessageProduction(Code::InvalidMessage)),
        kafka(KafkaError::Global(Code::RequestTimedOut)),
        kafka(KafkaError::Global(Code::Authentication)),
        BrokerError::Invalid { what: "something new", reason: "why".into() },
    ]
}

fn round(error: &BrokerError) -> BrokerError {
    let mut bytes = Vec::new();
    put_error(&mut bytes, error);
    let bytes = Bytes::from(bytes);
    let mut reader = Reader::new(&bytes, 0);
    let read = read_error(&mut reader).unwrap_or_else(|| panic!("{error:?} does not come back"));
    assert!(reader.is_done());
    for end in 0..bytes.len() {
        assert!(read_error(&mut Reader::new(&bytes.slice(..end), 0)).is_none(), "{error:?} cut at {end}");
    }
    read
}

#[test]
fn every_variant_comes_back_with_its_class_and_its_text() {
    let mut seen = [false; 18];
    for error in exact() {
        let back = round(&error);
        assert_eq!((variant(&back), back.class()), (variant(&error), error.class()));
        assert_eq!(back.to_string(), error.to_string());
        seen[variant(&error)] = true;
    }
    for error in kept() {
        let back = round(&error);
        assert_eq!((variant(&back), back.class()), (variant(&error), error.class()), "{error:?}");
        seen[variant(&error)] = true;
    }
    assert_eq!(seen, [true; 18], "a variant has no sample");
}

#[test]
fn sources_are_kept_as_far_as_they_can_be() {
    let source = |error: &BrokerError| std::error::Error::source(error).unwrap().to_string();
    let storage = BrokerError::Storage { context: "open", source: fjall::Error::Poisoned };
    assert!(source(&round(&storage)).contains("Poisoned"));
    let full = BrokerError::Io { context: "open".into(), source: std::io::Error::from_raw_os_error(28) };
    assert_eq!(source(&round(&full)), source(&full));
    let unknown = round(&BrokerError::Invalid { what: "something new", reason: "why".into() });
    assert!(unknown.to_string().contains("something new: why"), "{unknown}");
    let kafka = KafkaError::Global(Code::Authentication);
    let text = kafka.to_string();
    let kafka = round(&BrokerError::Kafka { context: "metadata".into(), source: kafka });
    assert!(kafka.to_string().contains(&text), "{kafka}");
}

/// The words that the log says of itself are those that arrive as they are.
#[test]
fn the_words_of_the_log_are_known() {
    let room = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/broker/embedded");
    let mut said = 0;
    let mut folders = vec![room];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "tests" {
                folders.push(path);
            } else if path.is_file() && !name.contains("tests") && name != "fault.rs" {
                let source = std::fs::read_to_string(path).unwrap();
                for after in source.split("what: \"").skip(1) {
                    let word = after.split('"').next().unwrap();
                    let is_owned = after[word.len()..].starts_with("\".");
                    assert!(is_owned || KNOWN.contains(&word), "`{word}` is not in the list of what is known");
                    said += 1;
                }
            }
        }
    }
    assert!(said > 10, "the sources were not found: {said}");
}
