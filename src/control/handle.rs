//! A worker's side.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::timeout;

use super::expire::expire;
use super::follow::follow;
use super::report::report;
use super::shared::Shared;
use super::{ControlSettings, Running};
use crate::broker::{Broker, Seeks};
use crate::guard::{Limit, LiveLimit, Switch};

/// Follows what the operator wants of a topology, turns the handles that it gives out, and reports.
///
/// Clones are the same. When the last is dropped the following ends without a farewell: the worker counts as lost
/// until its heartbeat is old. Handles live on with their last value.
#[derive(Clone)]
pub struct Control {
    shared: Arc<Shared>,
    tasks: Arc<Tasks>,
}

/// Ends the tasks when dropped.
struct Tasks {
    stop: watch::Sender<bool>,
    aborts: [AbortHandle; 3],
    running: Mutex<Option<[JoinHandle<()>; 3]>>,
}

impl Control {
    /// Starts with the last-known-good file, follows the control topic of `topology`, and returns when that was read to
    /// its end, at the latest after [`start_timeout`](ControlSettings::start_timeout): a log that is away then is
    /// waited for in the background, as long as it takes.
    ///
    /// The topics are not created here; see [`ensure`](super::ensure).
    pub async fn start(broker: Arc<dyn Broker>, topology: &str, settings: ControlSettings) -> Self {
        let shared = Arc::new(Shared::new(broker, topology, settings));
        let (stop, stopping) = watch::channel(false);
        let (caught_up, mut catching_up) = watch::channel(false);
        let following = tokio::spawn(follow(shared.clone(), caught_up));
        let expiring = tokio::spawn(expire(shared.clone()));
        let reporting = tokio::spawn(report(shared.clone(), stopping));
        let running = [following, expiring, reporting];
        let aborts = std::array::from_fn(|at| running[at].abort_handle());
        let tasks = Arc::new(Tasks { stop, aborts, running: Mutex::new(Some(running)) });
        let control = Self { shared, tasks };
        let waited = timeout(control.shared.settings.start_timeout, catching_up.wait_for(|done| *done)).await;
        if waited.is_err() {
            let after = control.shared.settings.start_timeout;
            tracing::warn!(
                ?after,
                "the control topic was not read in time; starting with the last known switches"
            );
        }
        control
    }

    /// The switch `name`, as it is now and will be. The operator knows of it from now on.
    pub fn switch(&self, name: &str) -> Switch {
        self.shared.switch(name)
    }

    /// Whether the spout `name` may read, now and later. The operator knows of it from now on.
    pub fn spout(&self, name: &str) -> Running {
        self.shared.spout(name)
    }

    /// The limit `name`, as it is now and will be; `default`, which may be none, while no change of an operator is in
    /// force. The operator knows of it from now on. The same name again is the same limit, with the first default.
    pub fn limit(&self, name: &str, default: Option<Limit>) -> LiveLimit {
        self.shared.limit(name, default)
    }

    /// What has the partitions of the spout `name` go on where an operator says: for
    /// [`LogSpout::steered`](crate::broker::LogSpout::steered). It reads `topic` as `group`. The operator knows of it from
    /// now on.
    pub fn seeks(&self, name: &str, topic: &str, group: &str) -> Arc<dyn Seeks> {
        self.shared.seeks(name, topic, group)
    }

    /// Whether a partition of the spout `name` is this worker's.
    pub fn has_partition(&self, name: &str, partition: u32) -> bool {
        self.shared.has_partition(name, partition)
    }

    /// Name of this worker.
    pub fn worker(&self) -> &str {
        &self.shared.settings.worker
    }

    /// Ends the following and takes this worker out of the roster, within
    /// [`close_timeout`](ControlSettings::close_timeout). Handles keep their last value. Closing again does nothing.
    pub async fn close(&self) {
        let running = self.tasks.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some([following, expiring, reporting]) = running else { return };
        following.abort();
        expiring.abort();
        self.tasks.stop.send_replace(true);
        let ended = async {
            // An aborted task says so, which is no news.
            let _aborted = following.await;
            let _aborted = expiring.await;
            reporting.await
        };
        if timeout(self.shared.settings.close_timeout, ended).await.is_err() {
            tracing::warn!("the log did not take the farewell in time; the worker counts as lost for a while");
            self.tasks.aborts.iter().for_each(AbortHandle::abort);
        }
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.aborts.iter().for_each(AbortHandle::abort);
    }
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").field("worker", &self.worker()).finish_non_exhaustive()
    }
}
