//! A value that can be parked, and how it comes back.

use std::fmt;
use std::sync::Arc;

use super::parked::redriven;
use crate::broker::LogRecord;
use crate::topology::Result;

/// A value with the record that it was decoded from: what a guarded sink takes, and can park.
///
/// The bytes are those of the log (a reference, not a copy), so that what is parked or set aside is exactly what
/// arrived.
#[derive(Debug, Clone)]
pub struct Parcel<T> {
    /// The record as it was first read: its own origin, headers and time, also when it comes back from a retry level.
    pub record: LogRecord,
    /// What it says.
    pub value: T,
    /// What happened to it before.
    pub past: Past,
}

/// What happened to a record before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Past {
    /// Writes that failed; 0 for a record that comes from the source.
    pub attempts: u32,
    /// When the first of them failed, in milliseconds since the Unix epoch.
    pub first_failure_ms: Option<i64>,
    /// How often an operator sent it back from the dead letters.
    pub redriven: u32,
}

impl<T> Parcel<T> {
    /// A record that comes from the source: for the first time, or again from the dead letters, as its header says.
    pub fn fresh(record: LogRecord, value: T) -> Self {
        let past = Past { redriven: redriven(&record), ..Past::default() };
        Self { record, value, past }
    }
}

type Decode<T> = dyn Fn(&LogRecord) -> Result<T> + Send + Sync;
type Version<T> = dyn Fn(&T) -> String + Send + Sync;
type Node<T> = dyn Fn(&T) -> usize + Send + Sync;

/// How a record that comes back becomes a value again: the topology's own decoding.
pub struct Codec<T> {
    decode: Arc<Decode<T>>,
    version: Arc<Version<T>>,
    nodes: usize,
    node: Arc<Node<T>>,
}

impl<T> Codec<T> {
    /// Decodes with `decode`. What it cannot decode goes to the dead letters.
    pub fn new(decode: impl Fn(&LogRecord) -> Result<T> + Send + Sync + 'static) -> Self {
        Self { decode: Arc::new(decode), version: Arc::new(|_| String::new()), nodes: 1, node: Arc::new(|_| 0) }
    }

    /// Says what a value's version is, for the header that tells people.
    #[must_use]
    pub fn version(mut self, version: impl Fn(&T) -> String + Send + Sync + 'static) -> Self {
        self.version = Arc::new(version);
        self
    }

    /// Says that the store has so many nodes, and which one of them a value goes to: one that fails takes none of the
    /// others with it.
    #[must_use]
    pub fn nodes(mut self, nodes: usize, node: impl Fn(&T) -> usize + Send + Sync + 'static) -> Self {
        (self.nodes, self.node) = (nodes.max(1), Arc::new(node));
        self
    }

    /// How many nodes the store has.
    pub(super) fn count_nodes(&self) -> usize {
        self.nodes
    }

    /// The node that a value goes to.
    pub(super) fn node_of(&self, value: &T) -> usize {
        match self.nodes {
            1 => 0,
            nodes => (self.node)(value).min(nodes - 1),
        }
    }

    pub(super) fn decode(&self, record: &LogRecord) -> Result<T> {
        (self.decode)(record)
    }

    pub(super) fn version_of(&self, value: &T) -> String {
        (self.version)(value)
    }
}

impl<T> Clone for Codec<T> {
    fn clone(&self) -> Self {
        let Self { decode, version, nodes, node } = self;
        Self { decode: decode.clone(), version: version.clone(), nodes: *nodes, node: node.clone() }
    }
}

impl<T> fmt::Debug for Codec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Codec")
    }
}
