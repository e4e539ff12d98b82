//! Errors, so that a caller over the socket sees what a caller beside the log sees.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use super::super::super::codec::{Reader, put_bytes, put_varint};
use super::parts::{maybe, number, put_maybe, put_text, text};
use crate::broker::BrokerError;
use crate::topology::{Class, Classify};

/// What the log says of itself in words that are part of the program, not of a call. Others arrive in the text of the
/// error that names them.
pub(in super::super) const KNOWN: &[&str] = &[
    "compaction",
    "group name",
    "number of partitions",
    "open",
    "open records",
    "open topics",
    "protocol",
    "read deleted topics",
    "read records",
    "read topics",
    "record",
    "request",
    "the consumer",
    "the embedded log",
    "the process",
    "topic",
    "topic name",
    "write format",
];

/// Error kinds that mean something to a caller; others arrive as `Other`, with their text.
const KINDS: &[ErrorKind] = &[
    ErrorKind::Other,
    ErrorKind::NotFound,
    ErrorKind::PermissionDenied,
    ErrorKind::StorageFull,
    ErrorKind::TimedOut,
    ErrorKind::InvalidData,
    ErrorKind::UnexpectedEof,
];

pub(in super::super) fn put_error(buf: &mut Vec<u8>, error: &BrokerError) {
    match error {
        BrokerError::UnknownTopic { topic } => put_texts(buf, 0, &[topic]),
        BrokerError::UnknownPartition { topic, partition } => {
            put_texts(buf, 1, &[topic]);
            put_varint(buf, u64::from(*partition));
        }
        BrokerError::TopicMismatch { topic, actual, wanted } => {
            put_texts(buf, 2, &[topic]);
            put_varint(buf, u64::from(*actual));
            put_varint(buf, u64::from(*wanted));
        }
        BrokerError::Invalid { what, reason } => put_texts(buf, 3, &[what, reason]),
        BrokerError::OutOfRange { topic, partition, offset, earliest, latest } => {
            put_texts(buf, 4, &[topic]);
            put_varint(buf, u64::from(*partition));
            [*offset, *earliest, *latest].into_iter().for_each(|n| put_varint(buf, n));
        }
        BrokerError::TooLarge { size, limit } => {
            buf.push(5);
            [*size, *limit].into_iter().for_each(|n| put_varint(buf, n as u64));
        }
        BrokerError::GroupActive { group } => put_texts(buf, 6, &[group]),
        BrokerError::Timeout { what, after_ms } => {
            put_texts(buf, 7, &[what]);
            put_varint(buf, *after_ms);
        }
        BrokerError::Unreachable { address, reason } => put_texts(buf, 8, &[address, reason]),
        BrokerError::Locked { path } => put_path(buf, 9, path),
        BrokerError::DiskFull { path } => put_path(buf, 10, path),
        BrokerError::Closed { what } => put_texts(buf, 11, &[what]),
        BrokerError::Storage { context, source } => put_texts(buf, 12, &[context, &source.to_string()]),
        BrokerError::Corrupt { context } => put_texts(buf, 13, &[context]),
        BrokerError::Kafka { context, source } => {
            put_texts(buf, 14, &[context, &source.to_string()]);
            buf.push(match error.class() {
                Class::Poison => 0,
                Class::Retryable => 1,
                Class::Refused | Class::Fatal => 2,
            });
        }
        BrokerError::Io { context, source } => {
            put_texts(buf, 15, &[context, &source.to_string()]);
            let kind = KINDS.iter().position(|kind| *kind == source.kind()).unwrap_or(0);
            put_varint(buf, kind as u64);
            put_maybe(buf, source.raw_os_error(), |buf, code| put_varint(buf, u64::from(code.unsigned_abs())));
        }
        BrokerError::Remote { socket, reason } => {
            put_path(buf, 16, socket);
            put_text(buf, reason);
        }
        BrokerError::Interrupted { what, reason } => put_texts(buf, 17, &[what, reason]),
    }
}

pub(in super::super) fn read_error(from: &mut Reader<'_>) -> Option<BrokerError> {
    Some(match from.byte()? {
        0 => BrokerError::UnknownTopic { topic: text(from)? },
        1 => BrokerError::UnknownPartition { topic: text(from)?, partition: number(from)? },
        2 => BrokerError::TopicMismatch { topic: text(from)?, actual: number(from)?, wanted: number(from)? },
        3 => invalid(&text(from)?, text(from)?),
        4 => BrokerError::OutOfRange {
            topic: text(from)?,
            partition: number(from)?,
            offset: from.varint()?,
            earliest: from.varint()?,
            latest: from.varint()?,
        },
        5 => BrokerError::TooLarge { size: number(from)?, limit: number(from)? },
        6 => BrokerError::GroupActive { group: text(from)? },
        7 => BrokerError::Timeout { what: text(from)?, after_ms: from.varint()? },
        8 => BrokerError::Unreachable { address: text(from)?, reason: text(from)? },
        9 => BrokerError::Locked { path: path(from)? },
        10 => BrokerError::DiskFull { path: path(from)? },
        11 => BrokerError::Closed { what: known(&text(from)?).unwrap_or("the log") },
        12 => {
            let (context, reason) = (text(from)?, text(from)?);
            let source = fjall::Error::Io(std::io::Error::other(reason));
            BrokerError::Storage { context: known(&context).unwrap_or("storage"), source }
        }
        13 => BrokerError::Corrupt { context: text(from)? },
        14 => {
            let (context, reason) = (text(from)?, text(from)?);
            let source = match from.byte()? {
                0 => KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge),
                1 => KafkaError::Global(RDKafkaErrorCode::BrokerTransportFailure),
                _ => KafkaError::ClientCreation(reason.clone()),
            };
            BrokerError::Kafka { context: format!("{context}: {reason}"), source }
        }
        15 => {
            let (context, reason) = (text(from)?, text(from)?);
            let kind = *KINDS.get(number::<usize>(from)?)?;
            let source = match maybe(from, number::<i32>)? {
                Some(code) => std::io::Error::from_raw_os_error(code),
                None => std::io::Error::new(kind, reason),
            };
            BrokerError::Io { context, source }
        }
        16 => BrokerError::Remote { socket: path(from)?, reason: text(from)? },
        17 => BrokerError::Interrupted { what: text(from)?, reason: text(from)? },
        _ => return None,
    })
}

fn invalid(what: &str, reason: String) -> BrokerError {
    match known(what) {
        Some(what) => BrokerError::Invalid { what, reason },
        None => BrokerError::Invalid { what: "request", reason: format!("{what}: {reason}") },
    }
}

fn known(text: &str) -> Option<&'static str> {
    KNOWN.iter().find(|known| **known == text).copied()
}

fn put_texts(buf: &mut Vec<u8>, tag: u8, texts: &[&str]) {
    buf.push(tag);
    texts.iter().for_each(|text| put_text(buf, text));
}

fn put_path(buf: &mut Vec<u8>, tag: u8, path: &Path) {
    buf.push(tag);
    put_bytes(buf, path.as_os_str().as_bytes());
}

fn path(from: &mut Reader<'_>) -> Option<PathBuf> {
    let length = from.length()?;
    let bytes: Bytes = from.bytes(length)?;
    Some(PathBuf::from(OsString::from_vec(bytes.into())))
}
