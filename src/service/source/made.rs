//! Says of seeks that they are made.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::broker::Broker;
use crate::control::{Control, Operator, SpoutSource};
use crate::guard::Clock;

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(60);

/// Whose seeks are watched.
pub struct SeekWatch {
    /// The log.
    pub broker: Arc<dyn Broker>,
    /// Name of the topology.
    pub topology: String,
    /// The spout.
    pub source: SpoutSource,
    /// Tells whether this worker is to look.
    pub control: Control,
    /// The time.
    pub clock: Clock,
}

/// Looks every minute whether seeks of a spout are made by all its partitions, and has the control topic say so then:
/// whoever asked for one need not have waited for it. Of several workers the one that has the first partition looks. Ends
/// with the process.
pub fn watch_seeks(watch: SeekWatch) -> JoinHandle<()> {
    tokio::spawn(async move {
        let SeekWatch { broker, topology, source, control, clock } = watch;
        let operator = Operator::new(broker, &topology, clock);
        loop {
            tokio::time::sleep(LOOK).await;
            if !control.has_partition(&source.spout, 0) {
                continue;
            }
            // With the log away it is tried again a minute later.
            if let Err(error) = operator.retire_seeks(&source).await {
                tracing::debug!(%error, spout = source.spout, "whether seeks are made is not known");
            }
        }
    })
}
