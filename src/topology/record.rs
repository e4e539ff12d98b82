//! A tuple that remembers where in the log it came from.

use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;
use compact_str::CompactString;

/// Where a record stands in the log. What parks or dead-letters a record needs it; tuples derived
/// from a record need not carry it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Topic name.
    pub topic: Arc<str>,
    /// Partition, counted from 0.
    pub partition: u32,
    /// Offset within the partition.
    pub offset: u64,
    /// How often the record was delivered before this time; 0 the first time.
    pub attempt: u32,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}[{}]@{}", self.topic, self.partition, self.offset)
    }
}

/// Names and raw values that travel beside a record's value, in the order in which they were added.
///
/// Clones share them, since many records often have the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Option<Arc<Vec<Header>>>);

type Header = (CompactString, Bytes);

impl Headers {
    /// Adds a header; a name may occur more than once, as in Kafka.
    pub fn push(&mut self, name: impl Into<CompactString>, value: impl Into<Bytes>) {
        Arc::make_mut(self.0.get_or_insert_default()).push((name.into(), value.into()));
    }

    /// [`push`](Self::push) for building in one expression.
    #[must_use]
    pub fn with(mut self, name: impl Into<CompactString>, value: impl Into<Bytes>) -> Self {
        self.push(name, value);
        self
    }

    /// Takes off every header of this name.
    pub fn remove(&mut self, name: &str) {
        if let Some(headers) = self.0.as_mut().filter(|headers| headers.iter().any(|(n, _)| n == name)) {
            Arc::make_mut(headers).retain(|(n, _)| n != name);
        }
        // So that none are none, however they came to be.
        self.0.take_if(|headers| headers.is_empty());
    }

    /// The last value of `name`.
    pub fn last(&self, name: &str) -> Option<&Bytes> {
        self.all().iter().rev().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    /// All headers, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.all().iter().map(|(n, v)| (n.as_str(), v))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all().is_empty()
    }

    fn all(&self) -> &[Header] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }
}

/// A value read from the log, with its key, headers and [`Origin`].
///
/// Broker spouts emit `Record<Bytes>`; decoders turn it into `Record<T>` with [`Record::try_map`].
///
/// ```
/// # use squall::{Origin, Record};
/// # let origin = Origin { topic: "t".into(), partition: 0, offset: 7, attempt: 0 };
/// let raw = Record::new(origin, bytes::Bytes::from_static(b"42"));
/// let number = raw.map(|v| v.len());
/// assert_eq!((number.value, number.origin.offset), (2, 7));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<T> {
    /// Where it stands in the log.
    pub origin: Origin,
    /// The key that chose its partition, if it has one.
    pub key: Option<Bytes>,
    /// Headers as they were produced.
    pub headers: Headers,
    /// Milliseconds since the Unix epoch, set by the producer or the log.
    pub timestamp_ms: i64,
    /// The payload.
    pub value: T,
}

impl<T> Record<T> {
    /// A record without key and headers, at time 0.
    pub fn new(origin: Origin, value: T) -> Self {
        Self { origin, key: None, headers: Headers::default(), timestamp_ms: 0, value }
    }

    /// The same record with another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Record<U> {
        Record {
            origin: self.origin,
            key: self.key,
            headers: self.headers,
            timestamp_ms: self.timestamp_ms,
            value: f(self.value),
        }
    }

    /// The same record with another value, or the error beside the untouched record.
    ///
    /// # Errors
    /// Whatever `f` returns, with the record as it was.
    pub fn try_map<U, E>(self, f: impl FnOnce(&Self) -> Result<U, E>) -> Result<Record<U>, (Self, E)> {
        match f(&self) {
            Ok(value) => Ok(self.map(|_| value)),
            Err(error) => Err((self, error)),
        }
    }
}

/// The origin of a tuple that is a record as a broker spout emits it.
pub(super) fn origin_of(tuple: &dyn Any) -> Option<&Origin> {
    tuple
        .downcast_ref::<Record<Option<Bytes>>>()
        .map(|record| &record.origin)
        .or_else(|| tuple.downcast_ref::<Record<Bytes>>().map(|record| &record.origin))
}
