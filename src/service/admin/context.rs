//! What the commands work on.

use std::sync::Arc;

use crate::broker::Broker;
use crate::control::Operator;
use crate::guard::Clock;

/// A topology in its log.
#[derive(Clone)]
pub struct AdminContext {
    /// The log.
    pub broker: Arc<dyn Broker>,
    /// Name of the topology.
    pub topology: String,
    /// Topic of its dead letters, where it has one.
    pub dead_letters: Option<String>,
}

impl AdminContext {
    /// The operator of the topology.
    pub fn operator(&self) -> Operator {
        Operator::new(self.broker.clone(), &self.topology, Clock::new())
    }
}
