//! What the commands work on.

use std::sync::Arc;

use crate::broker::Broker;
use crate::control::backfill::Backfills;
use crate::control::{Names, Operator, SpoutSource};
use crate::delivery::letters::Letters;
use crate::guard::Clock;

use super::AdminError;

/// A topology in its log.
#[derive(Clone)]
pub struct AdminContext {
    /// The log.
    pub broker: Arc<dyn Broker>,
    /// Name of the topology.
    pub topology: String,
    /// Topic of its dead letters, where it has one.
    pub dead_letters: Option<String>,
    /// The topic that it reads, where that is known.
    pub topic: Option<String>,
    /// The spouts that are known without asking a worker.
    pub spouts: Vec<SpoutSource>,
}

impl AdminContext {
    /// The operator of the topology.
    pub fn operator(&self) -> Operator {
        Operator::new(self.broker.clone(), &self.topology, Clock::wall())
    }

    /// The backfill jobs of the topology.
    pub fn backfills(&self) -> Backfills {
        Backfills::new(self.broker.clone(), &self.topology, Clock::wall())
    }

    /// The topic that the topology reads.
    ///
    /// # Errors
    /// [`AdminError::NoTopic`].
    pub fn source_topic(&self) -> Result<&str, AdminError> {
        self.topic.as_deref().ok_or_else(|| AdminError::NoTopic { topology: self.topology.clone() })
    }

    /// The dead letters of the topology.
    ///
    /// # Errors
    /// [`AdminError::NoDeadLetters`].
    pub fn letters(&self) -> Result<Letters, AdminError> {
        let topology = self.topology.clone();
        let topic = self.dead_letters.as_ref().ok_or(AdminError::NoDeadLetters { topology })?;
        let marks = Names::of(&self.topology).letters;
        Ok(Letters::new(self.broker.clone(), &self.topology, topic, &marks, Clock::new()))
    }
}
