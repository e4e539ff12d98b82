//! What a record looks like that is set aside for good.

use bytes::Bytes;

use super::{Append, BrokerError, LogRecord, Producer};
use crate::topology::{Class, Headers, Origin};

/// Names of headers that are squall's own begin with this.
pub(crate) const OWN: &str = "squall-";

/// Header with the name of the topic that the record came from.
pub const ORIGIN_TOPIC: &str = "squall-origin-topic";
/// Header with the partition that it came from, in decimal.
pub const ORIGIN_PARTITION: &str = "squall-origin-partition";
/// Header with the offset that it came from, in decimal.
pub const ORIGIN_OFFSET: &str = "squall-origin-offset";
/// Header with the time that it had there, in milliseconds since the Unix epoch, in decimal.
pub const ORIGIN_TIME: &str = "squall-origin-time-ms";
/// Header with the class of its failure.
pub const ERROR_CLASS: &str = "squall-error-class";
/// Header with the reason of its failure.
pub const ERROR_REASON: &str = "squall-error-reason";
/// Header with how often it was tried.
pub const ATTEMPTS: &str = "squall-attempts";

/// Header with the length that the value had, in decimal, where its end had to be cut off.
pub const TRUNCATED_FROM: &str = "squall-truncated-from";
/// Bytes that this header may need, with what a log adds to it.
const TRUNCATED_HEADER: usize = 128;

/// Bytes of a reason that a letter keeps.
const REASON_MAX: usize = 4096;

/// Appends dead letters and waits until they are durable; one that its headers make too large for the log loses the
/// end of its value, and where that is not enough the headers that are not squall's own, and its key. Whoever needs them
/// finds the record at its origin.
pub(crate) async fn append_letters(
    producer: &dyn Producer,
    topic: &str,
    letters: Vec<Append>,
) -> Result<(), BrokerError> {
    match producer.append(topic, letters.clone()).await {
        Err(BrokerError::TooLarge { .. }) => {}
        result => return result.map(drop),
    }
    for letter in letters {
        match producer.append(topic, vec![letter.clone()]).await {
            Err(BrokerError::TooLarge { size, limit }) => {
                let excess = size.saturating_sub(limit) + TRUNCATED_HEADER;
                match producer.append(topic, vec![truncate(letter.clone(), excess)]).await {
                    Err(BrokerError::TooLarge { .. }) => {
                        producer.append(topic, vec![bare(letter)]).await?;
                    }
                    result => drop(result?),
                }
            }
            result => drop(result?),
        }
    }
    Ok(())
}

/// The letter without the last `excess` bytes of its value.
fn truncate(mut letter: Append, excess: usize) -> Append {
    if let Some(value) = &letter.value {
        letter.headers.push(TRUNCATED_FROM, Bytes::from(value.len().to_string()));
        letter.value = Some(value.slice(..value.len().saturating_sub(excess)));
    }
    letter
}

/// What says where the letter comes from and why, and nothing of the record itself.
fn bare(letter: Append) -> Append {
    let mut headers = Headers::default();
    for (name, value) in letter.headers.iter().filter(|(name, _)| name.starts_with(OWN)) {
        headers.push(name, value.clone());
    }
    let length = letter.value.as_ref().map_or(0, Bytes::len);
    headers.push(TRUNCATED_FROM, Bytes::from(length.to_string()));
    Append { key: None, value: letter.value.map(|_| Bytes::new()), headers, ..letter }
}

/// A dead letter: the record's key, bytes and headers as they were, and why and from where it comes. It has the time of
/// the append: retention counts from there, however old the record is.
pub fn dead_letter(record: &LogRecord, class: Class, reason: &str) -> Append {
    letter(record, record.origin.attempt + 1, class, reason)
}

/// [`dead_letter`] of a record that was tried `attempts` times.
pub(crate) fn letter(record: &LogRecord, attempts: u32, class: Class, reason: &str) -> Append {
    let Origin { topic, partition, offset, .. } = &record.origin;
    let mut headers = Headers::default();
    for (name, value) in record.headers.iter() {
        headers.push(name, value.clone());
    }
    let text = |value: String| Bytes::from(value);
    headers.push(ORIGIN_TOPIC, Bytes::copy_from_slice(topic.as_bytes()));
    headers.push(ORIGIN_PARTITION, text(partition.to_string()));
    headers.push(ORIGIN_OFFSET, text(offset.to_string()));
    headers.push(ORIGIN_TIME, text(record.timestamp_ms.to_string()));
    headers.push(ERROR_CLASS, Bytes::from_static(class.as_str().as_bytes()));
    headers.push(ERROR_REASON, text(reason[..reason.floor_char_boundary(REASON_MAX)].to_owned()));
    headers.push(ATTEMPTS, text(attempts.to_string()));
    Append { partition: None, key: record.key.clone(), value: record.value.clone(), headers, timestamp_ms: None }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use std::sync::Arc;

    use super::*;
    use crate::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
    use crate::broker::{Broker, TopicSpec};

    /// Whatever a producer sends, its dead letter fits: first the end of the value goes, then what surrounds it.
    #[tokio::test]
    async fn a_letter_fits_however_large_the_parts_of_its_record_are() {
        let dir = tempfile::tempdir().unwrap();
        let limit = 8_192;
        let settings = EmbeddedSettings { max_record_bytes: limit, ..EmbeddedSettings::for_tests() };
        let broker = EmbeddedBroker::open(dir.path(), settings).unwrap();
        broker.create_topic(&TopicSpec::new("dead", 1)).await.unwrap();
        let producer = broker.producer().unwrap();
        let bytes = |length: usize| Bytes::from(vec![b'x'; length]);
        for (key, header, value) in [(10, 10, limit - 200), (limit - 200, 10, 10), (10, limit - 200, 10)] {
            let record = LogRecord {
                origin: Origin { topic: Arc::from("t"), partition: 3, offset: 41, attempt: 0 },
                key: Some(bytes(key)),
                headers: Headers::default().with("h", bytes(header)),
                timestamp_ms: 5,
                value: Some(bytes(value)),
            };
            let letter = dead_letter(&record, Class::Poison, &"no ".repeat(10_000));
            append_letters(&*producer, "dead", vec![letter]).await.unwrap();
        }
        let mut cursor = broker.cursor("dead", &[(0, 0)]).unwrap();
        let letters = cursor.fetch(10, std::time::Duration::ZERO).await.unwrap().unwrap().records;
        assert_eq!(letters.len(), 3);
        for letter in &letters {
            let header = |name: &str| String::from_utf8_lossy(letter.headers.last(name).unwrap()).into_owned();
            assert_eq!((header(ORIGIN_TOPIC), header(ORIGIN_OFFSET)), ("t".to_owned(), "41".to_owned()));
            assert!(header(ERROR_REASON).starts_with("no no"));
            assert!(header(TRUNCATED_FROM).parse::<usize>().unwrap() > 0, "it says that it is not whole");
        }
        assert!(letters[0].value.as_ref().unwrap().len() > 1_000 && letters[0].key.is_some(), "as much as fits");
    }
}
