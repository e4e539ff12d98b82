//! A record at rest: itself, with where it is to go in two headers of its own.

use bytes::Bytes;

use crate::broker::{Append, LogRecord};

/// Bytes that each record counts for beside its key, value and headers: numbers, lengths, its topic, its share of keys
/// and checksums.
pub const RECORD_OVERHEAD: u64 = 96;

/// Header with the topic that the record is for. The last of that name counts, so a record may have one of its own.
const TOPIC: &str = "squall-spill-topic";
/// Header with the partition that it is for, in decimal, where the caller chose one; empty otherwise.
const PARTITION: &str = "squall-spill-partition";

/// Bytes of key, value and headers.
pub(super) fn size(record: &Append) -> usize {
    let headers: usize = record.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    let of = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
    headers + of(&record.key) + of(&record.value)
}

/// Bytes that a record of this size counts for.
pub(super) fn counted(size: usize) -> u64 {
    size as u64 + RECORD_OVERHEAD
}

/// The record as it is kept. It has its time from now on, however late it comes into the log.
pub(super) fn wrap(topic: &str, record: Append, now_ms: i64) -> Append {
    let partition = record.partition.map(|partition| partition.to_string()).unwrap_or_default();
    let mut headers = record.headers;
    headers.push(TOPIC, Bytes::copy_from_slice(topic.as_bytes()));
    headers.push(PARTITION, Bytes::from(partition));
    let timestamp_ms = record.timestamp_ms.or(Some(now_ms));
    Append { partition: Some(0), key: record.key, value: record.value, headers, timestamp_ms }
}

/// The topic and the record as it was; `None` when it is not one that [`wrap`] made.
pub(super) fn unwrap(record: LogRecord) -> Option<(String, Append)> {
    let mut kept: Vec<(&str, &Bytes)> = record.headers.iter().collect();
    let (PARTITION, partition) = kept.pop()? else { return None };
    let (TOPIC, topic) = kept.pop()? else { return None };
    let topic = String::from_utf8(topic.to_vec()).ok()?;
    let partition = match partition.is_empty() {
        true => None,
        false => Some(std::str::from_utf8(partition).ok()?.parse().ok()?),
    };
    let mut headers = crate::topology::Headers::default();
    for (name, value) in kept {
        headers.push(name, value.clone());
    }
    let timestamp_ms = Some(record.timestamp_ms);
    Some((topic, Append { partition, key: record.key, value: record.value, headers, timestamp_ms }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::{Headers, Origin};

    #[test]
    fn a_record_comes_back_as_it_was() {
        let headers = Headers::default().with("h", "1").with(TOPIC, "own").with("h", "2");
        for (partition, key, value) in
            [(None, None, None), (Some(7), Some("k".into()), Some(Bytes::new())), (None, None, Some("v".into()))]
        {
            let record = Append { partition, key, value, headers: headers.clone(), timestamp_ms: None };
            let kept = wrap("t", record.clone(), 42);
            let origin = Origin { topic: "spill".into(), partition: 0, offset: 3, attempt: 0 };
            let mut read = LogRecord::new(origin, kept.value);
            (read.key, read.headers, read.timestamp_ms) = (kept.key, kept.headers, 42);
            let back = unwrap(read).unwrap();
            assert_eq!(back, ("t".to_owned(), Append { timestamp_ms: Some(42), ..record }));
        }
    }

    #[test]
    fn anything_else_is_none() {
        let origin = Origin { topic: "spill".into(), partition: 0, offset: 3, attempt: 0 };
        let with = |headers| LogRecord { headers, ..LogRecord::new(origin.clone(), None) };
        assert_eq!(unwrap(with(Headers::default())), None);
        assert_eq!(unwrap(with(Headers::default().with(TOPIC, "t"))), None);
        assert_eq!(unwrap(with(Headers::default().with(TOPIC, "t").with(PARTITION, "x"))), None);
        assert_eq!(unwrap(with(Headers::default().with(TOPIC, vec![0xff]).with(PARTITION, ""))), None);
    }
}
