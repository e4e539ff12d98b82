//! What the writer is asked for.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::super::topic::Topic;
use crate::broker::{Append, BrokerError, Commit, Position, TopicSpec};

/// Where the answer goes; nobody may be waiting for it any more.
pub(in super::super) type Reply<T> = oneshot::Sender<Result<T, BrokerError>>;

/// One request.
pub(in super::super) enum Job {
    Append(AppendJob),
    Commit(CommitJob),
    Create(CreateJob),
    Delete(DeleteJob),
}

/// Records with the partition of each, checked.
pub(in super::super) struct AppendJob {
    pub(in super::super) topic: Arc<Topic>,
    pub(in super::super) records: Vec<(u32, Append)>,
    pub(in super::super) reply: Reply<Vec<Position>>,
    /// Its room in the queue, given back when the job is done.
    pub(in super::super) _room: Option<OwnedSemaphorePermit>,
}

/// Commits of a group.
pub(in super::super) struct CommitJob {
    pub(in super::super) topic: Arc<Topic>,
    pub(in super::super) group: Arc<str>,
    pub(in super::super) commits: Vec<Commit>,
    pub(in super::super) reply: Reply<()>,
}

/// A topic to be created.
pub(in super::super) struct CreateJob {
    pub(in super::super) spec: TopicSpec,
    pub(in super::super) reply: Reply<()>,
}

/// A topic to be deleted.
pub(in super::super) struct DeleteJob {
    pub(in super::super) name: String,
    pub(in super::super) reply: Reply<()>,
}
