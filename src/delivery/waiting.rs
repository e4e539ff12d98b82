//! The records themselves that wait in the retry topics, seen from outside.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::queues::rest;
use super::topics::{Place, place_of};
use super::{Parked, Unreadable};
use crate::broker::{Bounds, Broker, BrokerError, Scan};

/// A reader of everything that waits in the retry levels and among the parked records of a topology.
///
/// The first reading shows what has not been brought back, each later one everything that came since. A record is appended
/// to its next topic before it is committed in the one that it leaves: one that two readings have not shown waited nowhere
/// when the second began.
pub struct Waiting {
    broker: Arc<dyn Broker>,
    topology: String,
    /// By topic and partition: where the next reading goes on.
    from: BTreeMap<(String, u32), u64>,
}

/// A record that waits, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waits {
    /// The sink that its topic is for.
    pub sink: String,
    /// Which of the sink's topics.
    pub place: Place,
    /// What its headers say.
    pub parked: Result<Parked, Unreadable>,
}

impl Waiting {
    /// What waits in `topology`.
    pub fn new(broker: Arc<dyn Broker>, topology: &str) -> Self {
        Self { broker, topology: topology.to_owned(), from: BTreeMap::new() }
    }

    /// Reads on, to the ends of now: by sink, levels by delay, the parked ones last. One fetch is held at a time.
    ///
    /// # Errors
    /// What the log says.
    pub async fn read(&mut self, mut each: impl FnMut(Waits)) -> Result<(), BrokerError> {
        let mut queues = Vec::new();
        for topic in self.broker.topics().await? {
            if let Some((sink, place)) = place_of(&self.topology, &topic.name) {
                queues.push((sink.to_owned(), place, topic.name.clone()));
            }
        }
        queues.sort_unstable();
        for (sink, place, topic) in queues {
            // What came since the last reading is shown also where it was brought back meanwhile: it may have gone to a
            // topic that was read before this one.
            let seen = self.from.keys().any(|(known, _)| *known == topic);
            let rest = match seen {
                true => self.broker.bounds(&topic).await?,
                false => rest(&*self.broker, &topic).await?,
            };
            let from =
                |rest: &Bounds| self.from.get(&(topic.clone(), rest.partition)).copied().unwrap_or(rest.earliest);
            let mut scan = Scan::new(&*self.broker, &topic, &rest, from)?;
            while let Some(records) = scan.next().await? {
                for stored in records {
                    each(Waits { sink: sink.clone(), place, parked: Parked::read(&stored) });
                }
            }
            self.from.extend(rest.iter().map(|rest| ((topic.clone(), rest.partition), rest.latest)));
        }
        Ok(())
    }
}
