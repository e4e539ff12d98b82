//! What a record looks like that is set aside for good.

use bytes::Bytes;

use super::{Append, BrokerError, LogRecord, Producer};
use crate::topology::{Class, Headers, Origin};

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

/// Appends dead letters and waits until they are durable; one that its headers make too large for the log loses the
/// end of its value.
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
                producer.append(topic, vec![truncate(letter, excess)]).await?;
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
    headers.push(ERROR_REASON, text(reason.to_owned()));
    headers.push(ATTEMPTS, text(attempts.to_string()));
    Append { partition: None, key: record.key.clone(), value: record.value.clone(), headers, timestamp_ms: None }
}
