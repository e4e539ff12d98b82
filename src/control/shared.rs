//! What the tasks of a worker and its handles share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::file::LastKnown;
use super::key::RUNNING;
use super::known::{Known, register, turn};
use super::seeks::{Board, Steering};
use super::state::State;
use super::workers::record;
use super::{Acknowledgement, AuditRecord, ControlSettings, Heartbeat, Key, Names, Running, host_name};
use crate::broker::{Append, Broker, BrokerError, Gap, Seeks};
use crate::guard::{Limit, LiveLimit, Switch};
use crate::topology::BoxFuture;

pub(super) struct Shared {
    pub(super) broker: Arc<dyn Broker>,
    pub(super) names: Names,
    pub(super) settings: ControlSettings,
    pub(super) file: LastKnown,
    /// There is something to tell the operator before the next heartbeat.
    pub(super) to_report: Notify,
    /// Some partition stands otherwise than the last heartbeat said.
    pub(super) moved: Arc<Notify>,
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
    limits: BTreeMap<Key, Known<LiveLimit>>,
    boards: Vec<Arc<Board>>,
    /// Acknowledgements that the log does not have yet: at most one per known key.
    pending: BTreeMap<Key, Acknowledgement>,
    /// Whether a state is being written to the file; until it is, nothing is acknowledged.
    storing: bool,
    /// Keys that were turned meanwhile.
    turned: BTreeSet<Key>,
    beat_now: bool,
}

impl Shared {
    pub(super) fn new(broker: Arc<dyn Broker>, topology: &str, mut settings: ControlSettings) -> Self {
        settings.worker = settings.worker.replace('/', "-");
        let file = LastKnown::new(&settings.data_dir, topology);
        file.clean();
        let state = file.read().unwrap_or_default();
        Self {
            broker,
            names: Names::of(topology),
            started_ms: settings.clock.unix_ms(),
            settings,
            file,
            to_report: Notify::new(),
            moved: Arc::default(),
            expiry_moved: Notify::new(),
            inner: Mutex::new(Inner {
                state,
                switches: BTreeMap::new(),
                spouts: BTreeMap::new(),
                limits: BTreeMap::new(),
                boards: Vec::new(),
                pending: BTreeMap::new(),
                storing: false,
                turned: BTreeSet::new(),
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

    /// The handle of a limit, which is `default` without a change; known to the operator from now on.
    pub(super) fn limit(&self, name: &str, default: Option<Limit>) -> LiveLimit {
        let (now_ms, default) = (self.now_ms(), Limit::show(default));
        let mut inner = self.lock();
        let Inner { state, limits, .. } = &mut *inner;
        let handle = register(limits, state, Key::Limit(name.to_owned()), &default, now_ms);
        self.registered(inner);
        handle
    }

    /// What steers a spout; known to the operator from now on. The same name again is the same spout.
    pub(super) fn seeks(self: &Arc<Self>, spout: &str, topic: &str, group: &str) -> Arc<dyn Seeks> {
        let mut inner = self.lock();
        let board = match inner.boards.iter().find(|board| board.spout() == spout) {
            Some(board) => board.clone(),
            None => {
                let board = Arc::new(Board::new(spout, topic, group));
                inner.boards.push(board.clone());
                board
            }
        };
        board.want_of(&inner.state.sought);
        self.registered(inner);
        let shared = Arc::downgrade(self);
        let keep = move |topic: String, partition, gap, to| -> BoxFuture<'static, Result<(), BrokerError>> {
            let shared = shared.upgrade();
            Box::pin(async move {
                let shared = shared.ok_or(BrokerError::Closed { what: "the control of this worker" })?;
                shared.keep_gap(&topic, partition, gap, to).await
            })
        };
        Arc::new(Steering { board, tell: self.moved.clone(), keep: Arc::new(keep) })
    }

    pub(super) fn has_partition(&self, spout: &str, partition: u32) -> bool {
        self.lock().boards.iter().any(|board| board.spout() == spout && board.has(partition))
    }

    /// Has the audit say which records were deleted before they were read, and which are passed over behind them.
    async fn keep_gap(&self, topic: &str, partition: u32, gap: Gap, to: u64) -> Result<(), BrokerError> {
        let (worker, now_ms) = (&self.settings.worker, self.now_ms());
        let mut records = vec![AuditRecord::lost(topic, partition, gap, worker, now_ms)];
        if gap.to < to {
            records.push(AuditRecord::passed(topic, partition, Gap { from: gap.to, to }, worker, now_ms));
        }
        let append = |r: AuditRecord| Append { partition: Some(0), value: Some(r.encode()), ..Append::default() };
        let records = records.into_iter().map(append).collect();
        self.broker.producer()?.append(&self.names.audit, records).await.map(drop)
    }

    fn registered(&self, mut inner: MutexGuard<'_, Inner>) {
        inner.beat_now = true;
        drop(inner);
        self.to_report.notify_one();
    }

    pub(super) fn state(&self) -> State {
        self.lock().state.clone()
    }

    /// Makes `state` the state and turns the handles. It is acknowledged once it is said to be
    /// [`stored`](Self::stored).
    pub(super) fn apply(&self, state: State) {
        let now_ms = self.now_ms();
        let mut inner = self.lock();
        inner.state = state;
        inner.storing = true;
        inner.turn(now_ms);
        drop(inner);
        self.expiry_moved.notify_one();
    }

    /// The state was offered to the file: what was turned since [`apply`](Self::apply) is acknowledged.
    pub(super) fn stored(&self) {
        self.lock().storing = false;
        self.acknowledge();
    }

    /// Turns the handles to what the state is now, and tells the operator of those that are otherwise than before.
    pub(super) fn turn(&self) {
        let now_ms = self.now_ms();
        self.lock().turn(now_ms);
        self.acknowledge();
    }

    /// Tells the operator what is in effect and stored.
    fn acknowledge(&self) {
        let applied_ms = self.now_ms();
        let mut inner = self.lock();
        if inner.storing || inner.turned.is_empty() {
            return;
        }
        let Inner { switches, spouts, limits, pending, turned, .. } = &mut *inner;
        for key in std::mem::take(turned) {
            let seen = match &key {
                Key::Switch(_) => switches.get_mut(&key).map(Known::tell),
                Key::Spout(_) => spouts.get_mut(&key).map(Known::tell),
                Key::Limit(_) => limits.get_mut(&key).map(Known::tell),
            };
            let Some(seen) = seen else { continue };
            if let Some(offset) = seen.offset {
                pending.insert(key, Acknowledgement { offset, value: seen.value, applied_ms });
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
        let keys = inner.switches.keys().chain(inner.spouts.keys()).chain(inner.limits.keys());
        let keys = keys.map(|key| format!("{worker}/{key}"));
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
            limits: inner.limits.iter().map(|(key, known)| known.applied(key)).collect(),
            cursors: inner.boards.iter().map(|board| board.standing()).collect(),
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

impl Inner {
    fn turn(&mut self, now_ms: i64) {
        let Self { state, switches, spouts, limits, boards, turned, .. } = self;
        boards.iter().for_each(|board| board.want_of(&state.sought));
        turned.extend(turn(switches, state, now_ms));
        turned.extend(turn(spouts, state, now_ms));
        turned.extend(turn(limits, state, now_ms));
    }
}
