//! The topology that brings records back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::gates::{LevelGate, ParkedGate};
use super::queues::rest;
use super::{Delivery, Guard, Parcel, Parked, Place, place_of};
use crate::broker::{
    Bounds, Broker, BrokerError, Gate, GroupSettings, LogRecord, LogSpout, LogSpoutSettings, StartFrom, TopicSink,
};
use crate::guard::Levels;
use crate::topology::{Data, Either, Result, Sink, Topology, Tuning};

/// Runs pending per retry topic: few, so that retries leave the store's lanes to fresh rows.
const PENDING: usize = 4;

/// Records fetched ahead per retry topic.
const PREFETCH: usize = 2_048;

/// A topology with a spout per retry level and one for the parked records of each sink.
///
/// It runs beside the topology in the same process, or in processes of its own, under consumer groups of its own.
pub struct Retry {
    topology: Topology,
    delivery: Delivery,
    group: GroupSettings,
    topics: Vec<String>,
    existing: Vec<String>,
}

/// A record of a retry topic that cannot be made a value again.
struct Unusable {
    record: LogRecord,
    reason: String,
}

impl Retry {
    /// A topology named `<topology>.retry`. Its consumers belong to their groups as `group` says; the group's name is
    /// each sink's own.
    pub fn new(delivery: &Delivery, group: GroupSettings) -> Self {
        let topology = Topology::new(&format!("{}.retry", delivery.topology));
        Self { topology, delivery: delivery.clone(), group, topics: Vec::new(), existing: Vec::new() }
    }

    /// Names of all topics that the log has, before the sinks are added: of a sink whose levels were others once, those
    /// are read too, so that a change of the configuration leaves nothing behind.
    #[must_use]
    pub fn existing(mut self, topics: impl IntoIterator<Item = String>) -> Self {
        self.existing.extend(topics);
        self
    }

    /// Adds a sink: `stack` is what [`Guard::over`] made of it.
    #[must_use]
    pub fn sink<T: Data + Sync>(mut self, guard: &Guard<T>, stack: impl Sink<In = Arc<Parcel<T>>>) -> Self {
        let (state, settings) = (guard.state(), self.delivery.settings.clone());
        let levels = Levels::new(settings.levels.clone());
        let own = guard.topics().levels.iter().cloned();
        let longest = (0..own.len()).map(|level| levels.longest_wait(level));
        let own: Vec<(String, Duration)> = own.zip(longest).collect();
        // Those of a former configuration.
        let known = |topic: &String| guard.topics().all().any(|own| own == topic);
        let former = self.existing.iter().filter_map(|topic| {
            let (sink, place) = place_of(&self.delivery.topology, topic)?;
            (sink == state.name() && !known(topic)).then(|| (topic.clone(), place))
        });
        let former: Vec<(String, Place)> = former.collect();
        let former_levels = former.iter().filter_map(|(topic, place)| match place {
            Place::Level(delay) => Some((topic.clone(), *delay * 2)),
            Place::Parked(_) => None,
        });
        let former_levels: Vec<(String, Duration)> = former_levels.collect();
        for (topic, longest) in own.into_iter().chain(former_levels) {
            let waiting = Mutex::new(BTreeMap::new());
            let gate = LevelGate { state: state.clone(), look: settings.look_interval, longest, waiting };
            self.read(guard, topic, Arc::new(gate), stack.clone());
        }
        // Where there was one node more, its records go to others now.
        let former_parked = former.into_iter().filter(|(_, place)| matches!(place, Place::Parked(_)));
        let parked = guard.topics().parked.iter().cloned().enumerate();
        for (node, topic) in parked.chain(former_parked.map(|(topic, _)| (0, topic))) {
            let gate = ParkedGate { state: state.clone(), node, look: settings.look_interval };
            self.read(guard, topic, Arc::new(gate), stack.clone());
        }
        self
    }

    /// The topology, to be started like any other.
    pub fn topology(self) -> (Topology, Pending) {
        let pending = Pending { broker: self.delivery.broker, topics: self.topics };
        (self.topology, pending)
    }

    fn read<T: Data + Sync>(
        &mut self,
        guard: &Guard<T>,
        topic: String,
        gate: Arc<dyn Gate>,
        stack: impl Sink<In = Arc<Parcel<T>>>,
    ) {
        let name = topic.rsplit('.').next().unwrap_or(&topic);
        let name = format!("{}.{name}", guard.state().name());
        // A group of its own per topic, named like it: what happens in one moves no partition of another.
        // It begins with the first record that waits, wherever the source began, and few are fetched ahead: there are
        // many such readers.
        let group = GroupSettings {
            group: topic.clone(),
            start_from: StartFrom::Earliest,
            prefetch: self.group.prefetch.min(PREFETCH),
            ..self.group.clone()
        };
        self.topics.push(topic.clone());
        let mut settings = LogSpoutSettings::new(topic, group);
        settings.addressed = true;
        settings.dead_letters = Some(self.delivery.settings.dead_letters.clone());
        let clock = guard.state().clock();
        let letter = move |stored: &LogRecord, reason: &str| Parked::letter(stored, reason, clock.unix_ms());
        let spout = LogSpout::new(self.delivery.broker.clone(), settings).gated(gate).lettered(letter);
        let codec = guard.codec.clone();
        let tuning = Tuning::default().max_pending(PENDING);
        let (parcels, unusable) =
            self.topology.spout_with(&name, tuning, spout).split(move |stored: LogRecord| {
                match back(&stored, |record| codec.decode(record)) {
                    Ok(parcel) => Either::Left(Arc::new(parcel)),
                    Err(reason) => Either::Right(Unusable { record: stored, reason }),
                }
            });
        parcels.sink(&format!("{name}.store"), stack);
        let letters = TopicSink::new(
            self.delivery.producer.clone(),
            &self.delivery.settings.dead_letters,
            move |unusable: &Unusable| letter(&unusable.record, &unusable.reason),
        );
        unusable.sink(&format!("{name}.dead-letters"), letters);
    }
}

fn back<T>(stored: &LogRecord, decode: impl Fn(&LogRecord) -> Result<T>) -> Result<Parcel<T>, String> {
    let parked = Parked::read(stored).map_err(|error| error.to_string())?;
    let past = parked.past();
    let value = decode(&parked.record).map_err(|error| error.chain())?;
    Ok(Parcel { record: parked.record, value, past })
}

/// What waits in the retry topics of a topology.
#[derive(Clone)]
pub struct Pending {
    broker: Arc<dyn Broker>,
    topics: Vec<String>,
}

/// Records of a retry topic that were deleted before they came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The topic.
    pub topic: String,
    /// Partition of it.
    pub partition: u32,
    /// First offset that is gone.
    pub from: u64,
    /// First offset that is still there.
    pub to: u64,
}

impl Pending {
    /// What was deleted before it came back: between the commit of those who bring it back and the beginning of the log.
    ///
    /// # Errors
    /// What the log says.
    pub async fn gaps(&self) -> Result<Vec<Gap>, BrokerError> {
        let mut gaps = Vec::new();
        for topic in &self.topics {
            let committed = self.broker.committed(topic, topic).await?;
            for Bounds { partition, earliest: to, .. } in self.broker.bounds(topic).await? {
                let next = committed.get(partition as usize).copied().flatten();
                if let Some(from) = next.filter(|next| *next < to) {
                    gaps.push(Gap { topic: topic.clone(), partition, from, to });
                }
            }
        }
        Ok(gaps)
    }

    /// Records that have not been brought back, over all levels and parked ones.
    ///
    /// # Errors
    /// What the log says.
    pub async fn records(&self) -> Result<u64, BrokerError> {
        let mut waiting = 0;
        for topic in &self.topics {
            waiting +=
                rest(&*self.broker, topic).await?.iter().map(|rest| rest.latest - rest.earliest).sum::<u64>();
        }
        Ok(waiting)
    }
}
