//! What the tasks of a worker and its handles share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::file::LastKnown;
use super::key::RUNNING;
use super::state::{Standing, State};
use super::workers::record;
use super::{Acknowledgement, Applied, ControlSettings, Heartbeat, Key, Names, Running, host_name};
use crate::broker::{Append, Broker};
use crate::guard::{Mode, Switch};

pub(super) struct Shared {
    pub(super) broker: Arc<dyn Broker>,
    pub(super) names: Names,
    pub(super) settings: ControlSettings,
    pub(super) file: LastKnown,
    /// There is something to tell the operator before the next heartbeat.
    pub(super) to_report: Notify,
    /// The next expiry may be another one.
    pub(super) expiry_moved: Notify,
    started_ms: i64,
    inner: Mutex<Inner>,
}

/// Held only for a few instructions, never across a wait.
struct Inner {
    state: State,
    switches: BTreeMap<Key, Known<Switch>>,
    spouts: BTreeMap<Key, Known<Running>>,
    /// Acknowledgements that the log does not have yet: at most one per known key.
    pending: BTreeMap<Key, Acknowledgement>,
    beat_now: bool,
}

/// A key that this worker has to do with.
struct Known<H> {
    handle: H,
    /// What it is while no change is in force.
    default: String,
    /// As the handle was turned last.
    seen: Standing,
    /// As the operator is told.
    told: Standing,
}

/// Something that a control value turns.
trait Handle: Clone {
    fn at(value: &str) -> Self;
    fn turn(&self, value: &str);
}

impl Handle for Switch {
    fn at(value: &str) -> Self {
        Self::new(value.parse().unwrap_or(Mode::Off))
    }

    fn turn(&self, value: &str) {
        self.set(value.parse().unwrap_or(Mode::Off));
    }
}

impl Handle for Running {
    fn at(value: &str) -> Self {
        Self::new(value == RUNNING)
    }

    fn turn(&self, value: &str) {
        self.set(value == RUNNING);
    }
}

impl Shared {
    pub(super) fn new(broker: Arc<dyn Broker>, topology: &str, mut settings: ControlSettings) -> Self {
        settings.worker = settings.worker.replace('/', "-");
        let file = LastKnown::new(&settings.data_dir, topology);
        let state = file.read().unwrap_or_default();
        Self {
            broker,
            names: Names::of(topology),
            started_ms: settings.clock.unix_ms(),
            settings,
            file,
            to_report: Notify::new(),
            expiry_moved: Notify::new(),
            inner: Mutex::new(Inner {
                state,
                switches: BTreeMap::new(),
                spouts: BTreeMap::new(),
                pending: BTreeMap::new(),
                beat_now: true,
            }),
        }
    }

    /// The handle of a switch; known to the operator from now on.
    pub(super) fn switch(&self, name: &str) -> Switch {
        let (key, now_ms) = (Key::Switch(name.to_owned()), self.now_ms());
        let default = self.settings.positions.get(name).map_or(key.default_value(), |mode| mode.as_str());
        let mut inner = self.lock();
        let Inner { state, switches, .. } = &mut *inner;
        let handle = register(switches, state, key, default, now_ms);
        self.registered(inner);
        handle
    }

    /// The handle of a spout; known to the operator from now on.
    pub(super) fn spout(&self, name: &str) -> Running {
        let now_ms = self.now_ms();
        let mut inner = self.lock();
        let Inner { state, spouts, .. } = &mut *inner;
        let handle = register(spouts, state, Key::Spout(name.to_owned()), RUNNING, now_ms);
        self.registered(inner);
        handle
    }

    fn registered(&self, mut inner: MutexGuard<'_, Inner>) {
        inner.beat_now = true;
        drop(inner);
        self.to_report.notify_one();
    }

    pub(super) fn state(&self) -> State {
        self.lock().state.clone()
    }

    /// Makes `state` the state and turns the handles; which keys are otherwise than before.
    #[must_use = "what changed is to be acknowledged"]
    pub(super) fn apply(&self, state: State) -> Vec<Key> {
        self.lock().state = state;
        self.expiry_moved.notify_one();
        self.turn()
    }

    /// Turns the handles to what the state is now.
    #[must_use = "what changed is to be acknowledged"]
    pub(super) fn turn(&self) -> Vec<Key> {
        let now_ms = self.now_ms();
        let mut inner = self.lock();
        let Inner { state, switches, spouts, .. } = &mut *inner;
        let mut changed = turn(switches, state, now_ms);
        changed.extend(turn(spouts, state, now_ms));
        changed
    }

    /// Tells the operator that these are in effect.
    pub(super) fn acknowledge(&self, keys: &[Key]) {
        let applied_ms = self.now_ms();
        let mut inner = self.lock();
        for key in keys {
            let Inner { switches, spouts, pending, .. } = &mut *inner;
            let seen = match (switches.get_mut(key), spouts.get_mut(key)) {
                (Some(known), _) => known.tell(),
                (None, Some(known)) => known.tell(),
                (None, None) => continue,
            };
            if let Some(offset) = seen.offset {
                pending.insert(key.clone(), Acknowledgement { offset, value: seen.value, applied_ms });
            }
        }
        drop(inner);
        self.to_report.notify_one();
    }

    /// How long until the next change expires; for ever when all have, `None` when none ever does.
    pub(super) fn until_expiry(&self) -> Option<Duration> {
        let now_ms = self.now_ms();
        let inner = self.lock();
        let ms = |at_ms: i64| Duration::from_millis(at_ms.saturating_sub(now_ms).cast_unsigned());
        inner.state.has_expiries().then(|| inner.state.next_expiry(now_ms).map_or(Duration::MAX, ms))
    }

    /// Takes what the log is to be told: the acknowledgements, and a heartbeat if it is `due` or asked for.
    pub(super) fn take_report(&self, due: bool) -> Report {
        let mut inner = self.lock();
        let beat = due | std::mem::take(&mut inner.beat_now);
        let acks = std::mem::take(&mut inner.pending);
        let heartbeat = beat.then(|| self.heartbeat(&inner));
        Report { acks, heartbeat }
    }

    /// Takes back a report that did not reach the log. What was told since wins.
    pub(super) fn return_report(&self, report: Report) {
        let mut inner = self.lock();
        inner.beat_now |= report.heartbeat.is_some();
        for (key, ack) in report.acks {
            inner.pending.entry(key).or_insert(ack);
        }
    }

    /// The records of a report.
    pub(super) fn records(&self, report: &Report) -> Vec<Append> {
        let (worker, now_ms) = (&self.settings.worker, self.now_ms());
        let acks = report.acks.iter().map(|(key, ack)| record(format!("{worker}/{key}"), Some(ack), now_ms));
        let mut records: Vec<Append> = acks.collect();
        let beat = report.heartbeat.as_ref().map(|beat| record(worker.clone(), Some(beat), now_ms));
        records.extend(beat);
        records
    }

    /// The records that take back all that this worker has said.
    pub(super) fn farewell(&self) -> Vec<Append> {
        let (worker, now_ms) = (&self.settings.worker, self.now_ms());
        let inner = self.lock();
        let keys = inner.switches.keys().chain(inner.spouts.keys()).map(|key| format!("{worker}/{key}"));
        let keys = keys.chain([worker.clone()]);
        keys.map(|key| record::<Heartbeat>(key, None, now_ms)).collect()
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.settings.clock.unix_ms()
    }

    fn heartbeat(&self, inner: &Inner) -> Heartbeat {
        let beat_ms = self.now_ms();
        Heartbeat {
            role: self.settings.role.clone(),
            host: host_name(),
            pid: std::process::id(),
            started_ms: self.started_ms,
            beat_ms,
            heartbeat_ms: self.settings.heartbeat.as_millis() as u64,
            switches: inner.switches.iter().map(|(key, known)| known.applied(key)).collect(),
            spouts: inner.spouts.iter().map(|(key, known)| known.applied(key)).collect(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the log is to be told.
pub(super) struct Report {
    acks: BTreeMap<Key, Acknowledgement>,
    pub(super) heartbeat: Option<Heartbeat>,
}

impl<H> Known<H> {
    fn tell(&mut self) -> Standing {
        self.told = self.seen.clone();
        self.told.clone()
    }

    fn applied(&self, key: &Key) -> Applied {
        let (Standing { value, offset }, default) = (self.told.clone(), Some(self.default.clone()));
        Applied { name: key.name().to_owned(), value, offset, default }
    }
}

fn register<H: Handle>(
    known: &mut BTreeMap<Key, Known<H>>,
    state: &State,
    key: Key,
    default: &str,
    now_ms: i64,
) -> H {
    let standing = state.standing(&key, default, now_ms);
    let new = || Known {
        handle: H::at(&standing.value),
        default: default.to_owned(),
        seen: standing.clone(),
        told: standing.clone(),
    };
    known.entry(key).or_insert_with(new).handle.clone()
}

fn turn<H: Handle>(known: &mut BTreeMap<Key, Known<H>>, state: &State, now_ms: i64) -> Vec<Key> {
    let mut changed = Vec::new();
    for (key, known) in known {
        let standing = state.standing(key, &known.default, now_ms);
        if standing == known.seen {
            continue;
        }
        if standing.value != known.seen.value {
            let (who, reason) = match state.entries.get(key) {
                Some(entry) => (entry.change.who.as_str(), entry.change.reason.as_str()),
                None => ("", ""),
            };
            tracing::info!(%key, value = standing.value, was = known.seen.value, who, reason, "turned");
            known.handle.turn(&standing.value);
        }
        known.seen = standing;
        changed.push(key.clone());
    }
    changed
}
