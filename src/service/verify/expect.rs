//! What a topology says of its records.

use std::sync::Arc;

use crate::broker::{Broker, LogRecord};
use crate::store::StoreError;
use crate::topology::BoxFuture;

/// How a record stands in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// In this version.
    Stored,
    /// A newer version stands there.
    Newer,
    /// It is not there, and by the store's own rules it has no place there (any more).
    Expired,
    /// It is not there, or an older version is.
    Absent,
}

/// What a topology says of its records. Asked by one task; every method may be called at any time, and is safe to be
/// given up.
pub trait Expect: Send + Sync {
    /// What a record decodes to.
    type Item: Send + Sync;

    /// Names of the sinks that every record goes to which decodes.
    fn sinks(&self) -> &[&'static str];

    /// Decodes a record as the topology does.
    ///
    /// # Errors
    /// Why it is none, in one line: such a record must be among the dead letters.
    fn decode(&self, record: &LogRecord) -> Result<Self::Item, String>;

    /// What people know a record by.
    fn name(&self, item: &Self::Item) -> String;

    /// How each of `items` stands in the store behind the sink of this name, in their order. Called with a block of
    /// records at a time, so that a store can be asked for many at once.
    ///
    /// # Errors
    /// What the store says; nothing is known then.
    fn look<'a>(
        &'a self,
        sink: &'a str,
        items: &'a [&'a Self::Item],
    ) -> BoxFuture<'a, Result<Vec<Standing>, StoreError>>;
}

/// Where the records of a topology come from.
#[derive(Clone)]
pub struct Source {
    /// The log.
    pub broker: Arc<dyn Broker>,
    /// Name of the topology.
    pub topology: String,
    /// Topic that it reads.
    pub topic: String,
    /// Group that it reads as.
    pub group: String,
    /// Topic of its dead letters.
    pub dead_letters: String,
}

impl Source {
    /// What the group has committed, by partition; the beginning of the log where it never has.
    pub(super) async fn committed(&self) -> Result<Vec<u64>, super::VerifyError> {
        let committed = self.broker.committed(&self.group, &self.topic).await?;
        let bounds = self.broker.bounds(&self.topic).await?;
        let next = |partition: u32| committed.get(partition as usize).copied().flatten();
        Ok(bounds.iter().map(|bounds| next(bounds.partition).unwrap_or(bounds.earliest)).collect())
    }
}
