//! The topics.

use std::time::Duration;

use crate::broker::{Broker, BrokerError, TopicSpec};

/// How long a change can be looked up.
const AUDIT_RETENTION: Duration = Duration::from_secs(400 * 86_400);

/// The topics by which one topology is operated. Each has one partition, so that all see changes in one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Control records, compacted: the newest of each key is the state.
    pub control: String,
    /// Heartbeats and acknowledgements of the workers, compacted.
    pub workers: String,
    /// Who changed what, when and why; kept for 400 days.
    pub audit: String,
    /// What happened to backfill jobs; kept for 400 days.
    pub backfill: String,
    /// Which dead letters were sent back or discarded, compacted.
    pub letters: String,
}

impl Names {
    /// Those of `topology`.
    pub fn of(topology: &str) -> Self {
        let name = |what: &str| format!("squall.{topology}.{what}");
        Self {
            control: name("control"),
            workers: name("workers"),
            audit: name("audit"),
            backfill: name("backfill"),
            letters: name("letters"),
        }
    }
}

/// Creates those topics of `topology` that are missing, with `replication` copies.
///
/// # Errors
/// What the log says; [`BrokerError::TopicMismatch`] when one has more than one partition.
pub async fn ensure(broker: &dyn Broker, topology: &str, replication: u16) -> Result<(), BrokerError> {
    let names = Names::of(topology);
    let specs = [
        TopicSpec::new(names.control, 1).compacted(),
        TopicSpec::new(names.workers, 1).compacted(),
        TopicSpec::new(names.audit, 1).retention(AUDIT_RETENTION),
        TopicSpec::new(names.backfill, 1).retention(AUDIT_RETENTION),
        TopicSpec::new(names.letters, 1).compacted(),
    ];
    for spec in specs {
        match broker.topic(&spec.name).await? {
            None => broker.create_topic(&TopicSpec { replication, ..spec }).await?,
            Some(known) if known.partitions != 1 => {
                let (topic, actual) = (known.name, known.partitions);
                return Err(BrokerError::TopicMismatch { topic, actual, wanted: 1 });
            }
            Some(_) => {}
        }
    }
    Ok(())
}
