//! Which letters are meant.

use std::str::FromStr;

use super::Letter;
use crate::topology::{Class, Origin};

/// What a letter must be like. The default takes every open letter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The sink that did not store it; the empty name stands for letters that came to no sink.
    pub sink: Option<String>,
    /// A part of its reason, in any case of letters.
    pub error: Option<String>,
    /// Class of its failure.
    pub class: Option<Class>,
    /// When it died at the earliest, by the log's time, in milliseconds since the Unix epoch.
    pub since_ms: Option<i64>,
    /// Before when it died.
    pub until_ms: Option<i64>,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Where the record was first read.
    pub origin: Option<OriginFilter>,
    /// Also letters that were sent back or discarded.
    pub marked: bool,
}

/// A topic, a partition of it, or one record: `TOPIC[:P[:O]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginFilter {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: Option<u32>,
    /// Offset.
    pub offset: Option<u64>,
}

impl Filter {
    /// Whether it takes every open letter.
    pub fn is_everything(&self) -> bool {
        *self == Self { marked: self.marked, ..Self::default() }
    }

    /// Whether the letter is meant.
    pub fn takes(&self, letter: &Letter) -> bool {
        if letter.mark.is_some() && !self.marked {
            return false;
        }
        let died = letter.stored.timestamp_ms;
        let parked = letter.parked.as_ref().ok();
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        is(&self.sink, letter.sink().unwrap_or_default())
            && self.class.is_none_or(|class| parked.is_some_and(|parked| parked.class == class))
            && self.since_ms.is_none_or(|since| died >= since)
            && self.until_ms.is_none_or(|until| died < until)
            && self.key.as_deref().is_none_or(|key| letter.stored.key.as_deref() == Some(key))
            && self.origin.as_ref().is_none_or(|of| parked.is_some_and(|parked| of.takes(&parked.record.origin)))
            && self.error.as_ref().is_none_or(|part| letter.reason().to_lowercase().contains(&part.to_lowercase()))
    }
}

impl OriginFilter {
    fn takes(&self, origin: &Origin) -> bool {
        *self.topic == *origin.topic
            && self.partition.is_none_or(|partition| partition == origin.partition)
            && self.offset.is_none_or(|offset| offset == origin.offset)
    }
}

impl FromStr for OriginFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is no origin; write it as TOPIC, TOPIC:PARTITION or TOPIC:PARTITION:OFFSET");
        let mut parts = text.split(':');
        let topic = parts.next().filter(|topic| !topic.is_empty()).ok_or_else(wrong)?.to_owned();
        let partition = parts.next().map(str::parse).transpose().map_err(|_| wrong())?;
        let offset = parts.next().map(str::parse).transpose().map_err(|_| wrong())?;
        match parts.next() {
            None => Ok(Self { topic, partition, offset }),
            Some(_) => Err(wrong()),
        }
    }
}
