//! When records go on: fresh ones, those of a retry level, parked ones.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::parked::not_before;
use super::{Accepts, SinkState};
use crate::broker::{Admission, Gate, LogRecord};
use crate::topology::BoxFuture;

/// Holds fresh records back while the store is under pressure. One record a look goes on all the same: how long it
/// takes is what ends the pause.
pub(super) struct PressureGate {
    pub(super) state: Arc<SinkState>,
    pub(super) look: Duration,
}

impl Gate for PressureGate {
    fn admit(&self, records: &[LogRecord]) -> Admission {
        if self.state.is_under_pressure() {
            return Admission { now: 1, wait: self.look };
        }
        Admission { now: records.len(), wait: Duration::ZERO }
    }
}

/// Lets a retry go when it is due, its sink takes rows and the budget allows it.
pub(super) struct LevelGate {
    pub(super) state: Arc<SinkState>,
    pub(super) look: Duration,
    /// The longest that a record of the level waits: a due time further off was written by a clock that is wrong.
    pub(super) longest: Duration,
    /// By partition: the record that waits, and since when.
    pub(super) waiting: Mutex<BTreeMap<u32, (u64, Duration)>>,
}

impl LevelGate {
    /// How many of `records` are due, and how long the next one waits.
    fn due(&self, records: &[LogRecord]) -> (usize, Duration) {
        let (now, now_ms) = (self.state.clock().now(), self.state.clock().unix_ms());
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for (at, record) in records.iter().enumerate() {
            let missing = not_before(record).saturating_sub(now_ms);
            if missing <= 0 {
                continue;
            }
            let (partition, offset) = (record.origin.partition, record.origin.offset);
            let since = match waiting.get(&partition) {
                Some((waits, since)) if *waits == offset => *since,
                _ => now,
            };
            let left = self.longest.saturating_sub(now.saturating_sub(since));
            if left.is_zero() {
                continue;
            }
            waiting.insert(partition, (offset, since));
            return (at, Duration::from_millis(missing.unsigned_abs()).min(left));
        }
        (records.len(), Duration::ZERO)
    }
}

impl Gate for LevelGate {
    fn admit(&self, records: &[LogRecord]) -> Admission {
        self.state.has_retries();
        let (due, wait) = self.due(records);
        if due == 0 {
            return Admission { now: 0, wait };
        }
        let (now, budget) = match self.state.accepts() {
            Accepts::Nothing => return Admission { now: 0, wait: self.state.shut_for(self.look) },
            // Whichever node it is for: what is refused is parked.
            Accepts::Probes => self.state.allow_probe(0),
            Accepts::Rows => self.state.allow_retries(due),
        };
        Admission { now, wait: if now < due { budget.max(Duration::from_millis(1)) } else { wait } }
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.state.switched())
    }
}

/// Lets parked records go while the node that they are parked for takes rows, at the rate of the ramp.
pub(super) struct ParkedGate {
    pub(super) state: Arc<SinkState>,
    pub(super) node: usize,
    pub(super) look: Duration,
}

impl Gate for ParkedGate {
    fn admit(&self, records: &[LogRecord]) -> Admission {
        self.state.has_retries();
        match self.state.accepts_at(self.node) {
            Accepts::Nothing => Admission { now: 0, wait: self.state.shut_for(self.look) },
            Accepts::Probes => {
                let (now, wait) = self.state.allow_probe(self.node);
                Admission { now, wait }
            }
            Accepts::Rows => {
                let (now, wait) = self.state.allow_parked(self.node, records.len());
                Admission {
                    now,
                    wait: if now < records.len() { wait.max(Duration::from_millis(1)) } else { wait },
                }
            }
        }
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.state.switched())
    }
}
