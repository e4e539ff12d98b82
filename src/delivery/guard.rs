//! What a process needs to guard its sinks, and the preset.

use std::fmt;
use std::sync::Arc;

use super::breaker::BreakerLayer;
use super::by_node::ByNode;
use super::divert::{Divert, Routes};
use super::gates::PressureGate;
use super::pressure::PressureLayer;
use super::switch::SwitchLayer;
use super::timeout::TimeoutLayer;
use super::traced::TracedLayer;
use super::{Codec, DeliverySettings, Parcel, SinkSettings, SinkState, Topics};
use crate::broker::{Broker, BrokerError, Gate, Producer};
use crate::guard::{Clock, Levels, Switch};
use crate::topology::{Data, Sink, SinkExt};

/// Delivery of one topology in one process: makes the guards of its sinks.
#[derive(Clone)]
pub struct Delivery {
    pub(super) topology: String,
    pub(super) broker: Arc<dyn Broker>,
    pub(super) producer: Arc<dyn Producer>,
    pub(super) clock: Clock,
    pub(super) settings: Arc<DeliverySettings>,
}

impl Delivery {
    /// Delivery of `topology` over `broker`.
    ///
    /// # Errors
    /// When the log has no producer.
    pub fn new(
        topology: impl Into<String>,
        broker: Arc<dyn Broker>,
        clock: Clock,
        settings: DeliverySettings,
    ) -> Result<Self, BrokerError> {
        let producer = broker.producer()?;
        Ok(Self { topology: topology.into(), broker, producer, clock, settings: Arc::new(settings) })
    }

    /// A guard for the sink `name`, with the switch that takes it out of the path.
    pub fn guard<T: Data + Sync>(
        &self,
        name: &str,
        switch: Switch,
        codec: Codec<T>,
        settings: SinkSettings,
    ) -> Guard<T> {
        let topics = Topics::of(&self.topology, name, codec.count_nodes(), &self.settings.levels.delays);
        let routes = Routes {
            topics,
            dead_letters: self.settings.dead_letters.clone(),
            divert: self.settings.divert,
            levels: Levels::new(self.settings.levels.clone()),
            producer: self.producer.clone(),
        };
        let timeout = settings.timeout;
        let state = SinkState::new(name, self.clock, switch, &self.settings, settings, codec.count_nodes());
        Guard { state: Arc::new(state), routes: Arc::new(routes), codec, timeout, delivery: self.clone() }
    }

    /// Creates the topics of the sink `name`, whose store has so many `nodes`, that are missing.
    ///
    /// # Errors
    /// What the log says.
    pub async fn ensure(&self, name: &str, nodes: usize) -> Result<(), BrokerError> {
        let topics = Topics::of(&self.topology, name, nodes, &self.settings.levels.delays);
        topics.ensure(&*self.broker, &self.settings).await
    }
}

/// The guard of one sink: all stacks that it makes share one switch, breaker, gauge and budget.
pub struct Guard<T> {
    state: Arc<SinkState>,
    pub(super) routes: Arc<Routes>,
    pub(super) codec: Codec<T>,
    timeout: std::time::Duration,
    pub(super) delivery: Delivery,
}

impl<T: Data + Sync> Guard<T> {
    /// Puts the layers round `sink`, in the one order that works: divert, switch, pressure, then by node breaker, timeout,
    /// trace.
    pub fn over<S: Sink<In = Arc<Parcel<T>>>>(&self, sink: S) -> impl Sink<In = Arc<Parcel<T>>> + use<S, T> {
        let timed = sink.layer(TracedLayer(self.state.name().into())).layer(TimeoutLayer(self.timeout));
        let of_node = |node| timed.clone().layer(BreakerLayer(self.state.clone(), node));
        let stack = ByNode::new(self.state.clone(), self.codec.clone(), of_node)
            .layer(PressureLayer(self.state.clone()))
            .layer(SwitchLayer(self.state.clone()));
        Divert::new(stack, self.state.clone(), self.routes.clone(), self.codec.clone())
    }

    /// The state that the stacks share.
    pub fn state(&self) -> &Arc<SinkState> {
        &self.state
    }

    /// The topics of the sink.
    pub fn topics(&self) -> &Topics {
        &self.routes.topics
    }

    /// A gate for the topology's spout: holds fresh records back while the store is under pressure.
    pub fn gate(&self) -> Arc<dyn Gate> {
        Arc::new(PressureGate { state: self.state.clone(), look: self.delivery.settings.look_interval })
    }
}

impl<T> Clone for Guard<T> {
    fn clone(&self) -> Self {
        Self {
            state: self.state.clone(),
            routes: self.routes.clone(),
            codec: self.codec.clone(),
            timeout: self.timeout,
            delivery: self.delivery.clone(),
        }
    }
}

impl<T> fmt::Debug for Guard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("state", &self.state).finish_non_exhaustive()
    }
}
