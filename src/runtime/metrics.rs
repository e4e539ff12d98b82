//! What a run measures of itself.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::time::Instant;

use crate::topology::plan::{Depth, Incident};
use crate::topology::{Graph, Kind};

/// Incidents kept for the report.
const INCIDENTS: usize = 64;

/// All measurements of a run. Handles are resolved when the topology is planned; recording takes no lock that
/// another task holds.
pub struct Metrics {
    started: Instant,
    graph: Graph,
    tasks: Mutex<Vec<Arc<TaskMetrics>>>,
    spouts: Mutex<Vec<Arc<SpoutMetrics>>>,
    incidents: Mutex<VecDeque<(String, Incident)>>,
}

/// Quantiles of a latency, in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// Measurements.
    pub count: u64,
    /// Median.
    pub p50_ns: u64,
    /// 99th percentile.
    pub p99_ns: u64,
    /// Greatest.
    pub max_ns: u64,
}

/// An operator at one moment, over all its tasks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OperatorSnapshot {
    /// Name.
    pub operator: String,
    /// Spout, bolt or sink.
    pub kind: Kind,
    /// Tasks.
    pub tasks: usize,
    /// Tuples taken.
    pub tuples_in: u64,
    /// Tuples emitted; for a spout, pulled.
    pub tuples_out: u64,
    /// Tuples that failed for good.
    pub failed: u64,
    /// Tries that failed and were repeated.
    pub retried: u64,
    /// Time of one call, which handles a batch or a slice of one.
    pub execute: Latency,
    /// Time that a batch waited in front of a task.
    pub queue: Latency,
    /// Batches that wait in front of its tasks now.
    pub queue_depth: usize,
    /// Share of the time since the start that its tasks were busy; 1 is all of it.
    pub capacity: f64,
}

/// A partition that a spout reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionSnapshot {
    /// Partition.
    pub partition: u32,
    /// Position below which everything is settled.
    pub watermark: Option<u64>,
    /// Records behind the last one pulled, if that is known.
    pub lag: Option<u64>,
}

/// A spout at one moment, over all its tasks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SpoutSnapshot {
    /// Name.
    pub spout: String,
    /// Runs in flight.
    pub pending: usize,
    /// Runs that every sink has.
    pub acked: u64,
    /// Tries of runs that failed.
    pub failed: u64,
    /// Runs that failed and were not made good by a later try, or are still in flight.
    pub outstanding: usize,
    /// From pull to settled, counted once a tuple.
    pub complete: Latency,
    /// What it reads.
    pub partitions: Vec<PartitionSnapshot>,
}

/// A run at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Snapshot {
    /// Milliseconds since the run began.
    pub elapsed_ms: u64,
    /// All operators, in the order of construction.
    pub operators: Vec<OperatorSnapshot>,
    /// All spouts.
    pub spouts: Vec<SpoutSnapshot>,
}

impl Snapshot {
    /// The operator of this name.
    pub fn operator(&self, name: &str) -> Option<&OperatorSnapshot> {
        self.operators.iter().find(|operator| operator.operator == name)
    }
}

impl Metrics {
    pub(super) fn new(started: Instant, graph: Graph) -> Self {
        Self { started, graph, tasks: Mutex::default(), spouts: Mutex::default(), incidents: Mutex::default() }
    }

    pub(super) fn add_task(&self, task: Arc<TaskMetrics>) {
        lock(&self.tasks).push(task);
    }

    pub(super) fn add_spout(&self, spout: Arc<SpoutMetrics>) {
        lock(&self.spouts).push(spout);
    }

    pub(super) fn incident(&self, operator: &str, incident: Incident) {
        let mut incidents = lock(&self.incidents);
        if incidents.len() == INCIDENTS {
            incidents.pop_front();
        }
        incidents.push_back((operator.to_owned(), incident));
    }

    /// The latest failures, oldest first, each with its operator; at most 64.
    pub fn incidents(&self) -> Vec<(String, Incident)> {
        lock(&self.incidents).iter().cloned().collect()
    }

    /// Everything, now.
    pub fn snapshot(&self) -> Snapshot {
        let elapsed = self.started.elapsed();
        let tasks = lock(&self.tasks);
        let operators = self.graph.operators.iter().map(|operator| {
            let own: Vec<&TaskMetrics> =
                tasks.iter().filter(|task| task.operator == operator.name).map(|task| &**task).collect();
            let sum = |read: fn(&TaskMetrics) -> u64| own.iter().map(|task| read(task)).sum::<u64>();
            let busy = sum(|task| task.busy_ns.load(Ordering::Relaxed)) as f64;
            OperatorSnapshot {
                operator: operator.name.clone(),
                kind: operator.kind,
                tasks: operator.parallelism,
                tuples_in: sum(|task| task.executed.load(Ordering::Relaxed)),
                tuples_out: sum(|task| task.emitted.load(Ordering::Relaxed)),
                failed: sum(|task| task.failed.load(Ordering::Relaxed)),
                retried: sum(|task| task.retried.load(Ordering::Relaxed)),
                execute: merged(own.iter().map(|task| &task.execute)),
                queue: merged(own.iter().map(|task| &task.queue)),
                queue_depth: own.iter().filter_map(|task| task.depth.get()).map(|depth| depth()).sum(),
                capacity: busy / (elapsed.as_nanos().max(1) as f64 * own.len().max(1) as f64),
            }
        });
        let operators = operators.collect();
        Snapshot { elapsed_ms: elapsed.as_millis() as u64, operators, spouts: self.spout_snapshots() }
    }

    fn spout_snapshots(&self) -> Vec<SpoutSnapshot> {
        let spouts = lock(&self.spouts);
        let mut by_name: BTreeMap<&str, Vec<&SpoutMetrics>> = BTreeMap::new();
        for spout in spouts.iter() {
            by_name.entry(&spout.spout).or_default().push(spout);
        }
        let snapshots = by_name.into_iter().map(|(name, tasks)| SpoutSnapshot {
            spout: name.to_owned(),
            pending: tasks.iter().map(|task| task.pending.load(Ordering::Relaxed)).sum(),
            acked: tasks.iter().map(|task| task.acked.load(Ordering::Relaxed)).sum(),
            failed: tasks.iter().map(|task| task.failed.load(Ordering::Relaxed)).sum(),
            outstanding: tasks.iter().map(|task| task.outstanding.load(Ordering::Relaxed)).sum(),
            complete: merged(tasks.iter().map(|task| &task.complete)),
            partitions: tasks.iter().flat_map(|task| lock(&task.partitions).clone()).collect(),
        });
        snapshots.collect()
    }
}

/// What one task of one operator measures.
pub(super) struct TaskMetrics {
    pub(super) operator: String,
    pub(super) executed: AtomicU64,
    pub(super) emitted: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) retried: AtomicU64,
    pub(super) busy_ns: AtomicU64,
    execute: Mutex<Histogram<u64>>,
    queue: Mutex<Histogram<u64>>,
    pub(super) depth: std::sync::OnceLock<Depth>,
}

impl TaskMetrics {
    pub(super) fn new(operator: &str) -> Self {
        Self {
            operator: operator.to_owned(),
            executed: AtomicU64::new(0),
            emitted: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            retried: AtomicU64::new(0),
            busy_ns: AtomicU64::new(0),
            execute: Mutex::new(histogram()),
            queue: Mutex::new(histogram()),
            depth: std::sync::OnceLock::new(),
        }
    }

    pub(super) fn record_execute(&self, rows: usize, ns: u64) {
        self.executed.fetch_add(rows as u64, Ordering::Relaxed);
        self.busy_ns.fetch_add(ns, Ordering::Relaxed);
        lock(&self.execute).saturating_record(ns.max(1));
    }

    pub(super) fn record_queue(&self, ns: u64) {
        lock(&self.queue).saturating_record(ns.max(1));
    }
}

/// What one task of a spout measures.
pub(super) struct SpoutMetrics {
    spout: String,
    pub(super) pending: AtomicUsize,
    pub(super) acked: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) outstanding: AtomicUsize,
    complete: Mutex<Histogram<u64>>,
    partitions: Mutex<Vec<PartitionSnapshot>>,
}

impl SpoutMetrics {
    pub(super) fn new(spout: &str) -> Self {
        Self {
            spout: spout.to_owned(),
            pending: AtomicUsize::new(0),
            acked: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            outstanding: AtomicUsize::new(0),
            complete: Mutex::new(histogram()),
            partitions: Mutex::default(),
        }
    }

    pub(super) fn record_complete(&self, ns: u64, tuples: u64) {
        lock(&self.complete).saturating_record_n(ns.max(1), tuples);
    }

    pub(super) fn set_partitions(&self, partitions: Vec<PartitionSnapshot>) {
        *lock(&self.partitions) = partitions;
    }
}

/// From 1 ns to an hour, with two significant digits.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 3_600_000_000_000, 2).expect("constant bounds that hdrhistogram accepts")
}

fn merged<'a>(parts: impl Iterator<Item = &'a Mutex<Histogram<u64>>>) -> Latency {
    let mut all = histogram();
    for part in parts {
        // Equal bounds: adding cannot fail.
        let _same_bounds = all.add(&*lock(part));
    }
    if all.is_empty() {
        return Latency::default();
    }
    Latency {
        count: all.len(),
        p50_ns: all.value_at_quantile(0.5),
        p99_ns: all.value_at_quantile(0.99),
        max_ns: all.max(),
    }
}

/// Nothing panics while these locks are held; a poisoned value would still be whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
