//! A run, from its start to the status it ends with.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::control::{Control, Stop};
use super::host::{FaultScript, HostRoom};
use super::metrics::{Metrics, Snapshot, SpoutMetrics};
use super::spout::SpoutLoop;
use super::stage;
use crate::topology::plan::{Incident, PlannedTask, Work};
use crate::topology::{BuildError, Error, Settings, Topology};

/// How long spouts may take to commit and close past the drain deadline.
const CLOSE: Duration = Duration::from_secs(5);

/// How a topology is run.
#[derive(Clone)]
pub struct Options {
    /// How long a stop waits for what is in flight.
    pub drain: Duration,
    /// Failures for tests.
    pub faults: Option<Arc<dyn FaultScript>>,
}

impl Default for Options {
    /// 30 s to drain.
    fn default() -> Self {
        Self { drain: Duration::from_secs(30), faults: None }
    }
}

/// Why a run is over.
#[derive(Debug)]
pub enum Ended {
    /// Every spout was exhausted, and what it had pulled is settled.
    Finished,
    /// It was asked to stop, and what was in flight is settled.
    Drained,
    /// It was asked to stop, and the drain deadline passed: what was still in flight is not acknowledged, and comes
    /// again with the next start.
    Abandoned,
    /// An operator met a fatal error; nothing past it was committed.
    Failed {
        /// Name of the operator.
        operator: String,
        /// What it met.
        error: Error,
    },
}

/// What a run has to say when it is over.
#[derive(Debug)]
pub struct Report {
    /// Why it is over.
    pub ended: Ended,
    /// The last measurements.
    pub snapshot: Snapshot,
    /// The latest failures, each with its operator.
    pub incidents: Vec<(String, Incident)>,
}

impl Report {
    /// The process's exit status: 0 when all went well, 1 for a fatal error, 3 when the drain deadline passed, 4 when
    /// runs failed and were not made good. (2 is a wrong command line.)
    pub fn exit_code(&self) -> u8 {
        match self.ended {
            Ended::Failed { .. } => 1,
            Ended::Abandoned => 3,
            Ended::Finished | Ended::Drained => 4 * u8::from(!self.is_settled()),
        }
    }

    /// Whether every run that was pulled is settled: a failed one was made good by a later try.
    fn is_settled(&self) -> bool {
        self.snapshot.spouts.iter().all(|spout| spout.outstanding == 0)
    }
}

/// A topology that runs.
pub struct Running {
    control: Arc<Control>,
    metrics: Arc<Metrics>,
    tasks: JoinSet<()>,
    names: HashMap<Id, String>,
    /// Tasks with an inbox: aborted first, so that the shares they hold fail and the spouts can settle and close.
    stages: Vec<AbortHandle>,
    drain: Duration,
}

/// Plans a topology and starts all its tasks on the current tokio runtime.
///
/// # Errors
/// As [`Topology::check`].
///
/// # Panics
/// Outside a tokio runtime.
pub fn start(topology: Topology, settings: &Settings, options: Options) -> Result<Running, BuildError> {
    let started = Instant::now();
    let control = Control::new();
    let metrics = Arc::new(Metrics::new(started, topology.graph(settings)));
    let room = HostRoom {
        started,
        control: control.clone(),
        metrics: metrics.clone(),
        faults: options.faults,
        tasks: std::cell::RefCell::default(),
    };
    let plan = topology.plan(settings, &room)?;
    let mut known: HashMap<_, _> = room.tasks.into_inner().into_iter().collect();
    let (mut tasks, mut names, mut stages) = (JoinSet::new(), HashMap::new(), Vec::new());
    for PlannedTask { operator, index, bounds, work } in plan.tasks {
        let task = known.remove(&(operator.to_string(), index)).expect("planning a task makes its host");
        let handle = match work {
            Work::Source(source) => {
                let spout = Arc::new(SpoutMetrics::new(&operator));
                metrics.add_spout(spout.clone());
                let control = control.clone();
                tasks.spawn(SpoutLoop::new(&operator, source, bounds, started, control, spout, task).drive())
            }
            Work::Stage(stage) => {
                // A task has one inbox: its gauge is set once.
                let _first = task.depth.set(stage.depth());
                let handle = tasks.spawn(stage::drive(stage, started));
                stages.push(handle.clone());
                handle
            }
        };
        names.insert(handle.id(), operator.to_string());
    }
    Ok(Running { control, metrics, tasks, names, stages, drain: options.drain })
}

impl Running {
    /// A handle that stops the run.
    pub fn stopper(&self) -> Stop {
        Stop(self.control.clone())
    }

    /// The run's measurements, which stay readable after its end.
    pub fn metrics(&self) -> Arc<Metrics> {
        self.metrics.clone()
    }

    /// Waits for the end. Dropping the future aborts the run: nothing more is acknowledged.
    pub async fn wait(mut self) -> Report {
        let mut abandoned = false;
        let control = self.control.clone();
        let deadline = async {
            control.draining().await;
            tokio::time::sleep(self.drain).await;
        };
        let mut deadline = std::pin::pin!(deadline);
        let mut last_deadline = std::pin::pin!(tokio::time::sleep(Duration::MAX));
        loop {
            tokio::select! {
                ended = self.tasks.join_next_with_id() => match ended {
                    None => break,
                    Some(Ok(_)) => {}
                    Some(Err(error)) => report_panic(&self.control, &self.names, error),
                },
                () = &mut deadline, if !abandoned => {
                    tracing::error!(drain = ?self.drain, "the drain deadline passed; what is in flight is given up");
                    abandoned = true;
                    self.stages.iter().for_each(AbortHandle::abort);
                    last_deadline.as_mut().reset(Instant::now() + CLOSE);
                }
                () = &mut last_deadline, if abandoned => self.tasks.abort_all(),
            }
        }
        let ended = match self.control.take_fatal() {
            Some((operator, error)) => Ended::Failed { operator, error },
            None if abandoned => Ended::Abandoned,
            None if self.control.is_draining() => Ended::Drained,
            None => Ended::Finished,
        };
        Report { ended, snapshot: self.metrics.snapshot(), incidents: self.metrics.incidents() }
    }
}

/// A task that panicked outside an operator's call: a spout, or squall itself.
fn report_panic(control: &Control, names: &HashMap<Id, String>, error: JoinError) {
    if error.is_cancelled() {
        return;
    }
    let operator = names.get(&error.id()).map_or("?", String::as_str);
    control.fail(operator, Error::fatal(format!("panicked: {error}")));
}
