//! What waits in the retry topics, seen from outside.

use std::time::Duration;

use super::parked::not_before;
use super::topics::{Place, place_of};
use crate::broker::{Bounds, Broker, BrokerError};

/// How long the first record of a partition is waited for; the log says that it is there.
const PATIENCE: Duration = Duration::from_secs(10);

/// A retry level or the parked records of a sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// The sink.
    pub sink: String,
    /// Which of its topics.
    pub place: Place,
    /// Name of the topic.
    pub topic: String,
    /// Records that have not been brought back.
    pub waiting: u64,
    /// When the oldest of them was written there, in milliseconds since the Unix epoch.
    pub oldest_ms: Option<i64>,
    /// When the first of them is due; 0 = as soon as the sink takes rows.
    pub next_due_ms: Option<i64>,
}

/// All retry levels and parked records of a topology: by sink, levels by delay, the parked ones last.
///
/// Sinks are known by the names of their topics, so they are seen whatever the topology is at present.
///
/// # Errors
/// What the log says.
pub async fn queues(broker: &dyn Broker, topology: &str) -> Result<Vec<Queue>, BrokerError> {
    let mut queues = Vec::new();
    for topic in broker.topics().await? {
        let Some((sink, place)) = place_of(topology, &topic.name) else { continue };
        let rest = rest(broker, &topic.name).await?;
        let waiting = rest.iter().map(|rest| rest.latest - rest.earliest).sum();
        let (oldest_ms, next_due_ms) = heads(broker, &topic.name, &rest).await?;
        queues.push(Queue { sink: sink.to_owned(), place, topic: topic.name, waiting, oldest_ms, next_due_ms });
    }
    queues.sort_by(|a, b| (&a.sink, a.place).cmp(&(&b.sink, b.place)));
    Ok(queues)
}

/// What the group of a retry topic, which is named like it, has not committed.
pub(super) async fn rest(broker: &dyn Broker, topic: &str) -> Result<Vec<Bounds>, BrokerError> {
    let committed = broker.committed(topic, topic).await?;
    let mut rest = broker.bounds(topic).await?;
    for bounds in &mut rest {
        let next = committed.get(bounds.partition as usize).copied().flatten();
        bounds.earliest = next.unwrap_or(bounds.earliest).clamp(bounds.earliest, bounds.latest);
    }
    Ok(rest)
}

/// The time of the oldest record and the earliest due time, of the first record of each partition: the others wait
/// behind it.
async fn heads(
    broker: &dyn Broker,
    topic: &str,
    rest: &[Bounds],
) -> Result<(Option<i64>, Option<i64>), BrokerError> {
    let (mut oldest, mut due) = (None::<i64>, None::<i64>);
    for bounds in rest.iter().filter(|rest| rest.earliest < rest.latest) {
        let mut cursor = broker.cursor(topic, &[(bounds.partition, bounds.earliest)])?;
        let fetched = cursor.fetch(1, PATIENCE).await?;
        if let Some(record) = fetched.as_ref().and_then(|fetched| fetched.records.first()) {
            let earlier = |known: Option<i64>, ms: i64| Some(known.map_or(ms, |known| known.min(ms)));
            oldest = earlier(oldest, record.timestamp_ms);
            due = earlier(due, not_before(record));
        }
    }
    Ok((oldest, due))
}
