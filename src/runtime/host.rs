//! What the runtime lends to each task of each operator.

use std::any::Any;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::control::Control;
use super::metrics::{Metrics, TaskMetrics};
use crate::topology::plan::{Fault, Host, Hosts, Incident};
use crate::topology::{Bounds, BoxFuture, Error, Operator};

/// Lines that a task writes at most in [`FLOOD_WINDOW`] about tuples that failed.
const FLOOD_LINES: u32 = 10;
const FLOOD_WINDOW: Duration = Duration::from_secs(10);

/// Decides which tuples fail, for tests. Asked before each try.
pub trait FaultScript: Send + Sync {
    /// The failure that this tuple meets in this operator now.
    fn fault(&self, operator: &str, tuple: &dyn Any) -> Option<Fault>;
}

/// Operator and index of a task.
type TaskName = (String, usize);

/// Makes the hosts of a run.
pub(super) struct HostRoom {
    pub(super) started: Instant,
    pub(super) control: Arc<Control>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) faults: Option<Arc<dyn FaultScript>>,
    pub(super) tasks: std::cell::RefCell<Vec<(TaskName, Arc<TaskMetrics>)>>,
}

impl Hosts for HostRoom {
    fn host(&self, operator: &Operator, index: usize, bounds: &Bounds) -> Arc<dyn Host> {
        let metrics = Arc::new(TaskMetrics::new(&operator.name));
        self.metrics.add_task(metrics.clone());
        self.tasks.borrow_mut().push(((operator.name.clone(), index), metrics.clone()));
        Arc::new(TaskHost {
            operator: operator.name.clone(),
            bounds: bounds.clone(),
            started: self.started,
            control: self.control.clone(),
            metrics,
            run: self.metrics.clone(),
            faults: self.faults.clone(),
            flood: Mutex::new(Flood::default()),
        })
    }
}

struct TaskHost {
    operator: String,
    bounds: Bounds,
    started: Instant,
    control: Arc<Control>,
    metrics: Arc<TaskMetrics>,
    run: Arc<Metrics>,
    faults: Option<Arc<dyn FaultScript>>,
    flood: Mutex<Flood>,
}

/// Keeps a store that refuses everything from filling the log: the first failures are told one by one, the others are
/// counted.
#[derive(Debug, Default)]
struct Flood {
    since: Option<Instant>,
    lines: u32,
    untold: u64,
}

impl Flood {
    /// Whether a failure at `now` is told, and if so how many have not been since the last one that was.
    fn tells(&mut self, now: Instant) -> Option<u64> {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= FLOOD_WINDOW) {
            (self.since, self.lines) = (Some(now), 0);
        }
        if self.lines == FLOOD_LINES {
            self.untold += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.untold))
    }
}

impl Host for TaskHost {
    fn operator(&self) -> &str {
        &self.operator
    }

    fn now_ns(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }

    fn waited(&self, ns: u64) {
        self.metrics.record_queue(ns);
    }

    fn executed(&self, rows: usize, ns: u64) {
        self.metrics.record_execute(rows, ns);
    }

    fn emitted(&self, rows: usize) {
        self.metrics.emitted.fetch_add(rows as u64, Ordering::Relaxed);
    }

    fn failed(&self, incident: Incident) {
        self.metrics.failed.fetch_add(1, Ordering::Relaxed);
        let Incident { class, panicked, origin, reason } = &incident;
        // Whole after every statement, so a panic elsewhere does not spoil it.
        let tells = self.flood.lock().unwrap_or_else(PoisonError::into_inner).tells(Instant::now());
        if let Some(untold) = tells {
            tracing::warn!(operator = self.operator, %class, panicked, origin, reason, untold, "a tuple failed");
        }
        self.run.incident(&self.operator, incident);
    }

    fn back_off<'a>(&'a self, attempt: u32, error: &'a Error) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            if attempt > self.bounds.retries {
                return false;
            }
            self.metrics.retried.fetch_add(1, Ordering::Relaxed);
            let pause = back_off(&self.bounds, attempt);
            tracing::debug!(operator = self.operator, attempt, ?pause, error = %error, "will try again");
            // Draining too: a deadlock that is over in a moment must not make a clean stop an unclean one.
            tokio::time::sleep(pause).await;
            true
        })
    }

    fn fatal(&self, error: Error) {
        self.control.fail(&self.operator, error);
    }

    fn has_faults(&self) -> bool {
        self.faults.is_some()
    }

    fn fault(&self, tuple: &dyn Any) -> Option<Fault> {
        self.faults.as_ref()?.fault(&self.operator, tuple)
    }
}

/// The pause before the `attempt`th retry (from 1): doubles from `back_off`, up to `back_off_max`.
pub(super) fn back_off(bounds: &Bounds, attempt: u32) -> Duration {
    let doubled = bounds.back_off.saturating_mul(1 << attempt.saturating_sub(1).min(20));
    doubled.min(bounds.back_off_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_told_by_its_first_lines_and_its_number() {
        let (mut flood, start) = (Flood::default(), Instant::now());
        let told = |flood: &mut Flood, after: Duration| flood.tells(start + after);
        for _ in 0..FLOOD_LINES {
            assert_eq!(told(&mut flood, Duration::ZERO), Some(0));
        }
        for _ in 0..1000 {
            assert_eq!(told(&mut flood, FLOOD_WINDOW / 2), None);
        }
        assert_eq!(told(&mut flood, FLOOD_WINDOW), Some(1000));
        assert_eq!(told(&mut flood, FLOOD_WINDOW), Some(0));
    }
}
