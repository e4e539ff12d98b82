//! Worker processes, and how much memory they take.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::{JoinHandle, block_in_place};
use tokio::time::{Instant, sleep};

use super::support::cluster::args;
use super::support::process::Process;

/// How often the workers are looked at.
const EVERY: Duration = Duration::from_millis(250);
/// How long after a worker ended by itself it is started again.
const RESTART: Duration = Duration::from_secs(1);

/// Workers as a supervisor keeps them: one that ends by itself is started again, and counted.
pub(crate) struct Crew {
    inner: Arc<Mutex<Inner>>,
    task: JoinHandle<()>,
}

struct Inner {
    slots: Vec<Slot>,
    overrides: Vec<String>,
    exits: u32,
    unclean_stops: u64,
    memory: Vec<(Instant, u64)>,
    peak_kib: u64,
}

struct Slot {
    dir: PathBuf,
    process: Option<Process>,
    /// When it is to be started again after it ended by itself.
    due: Option<Instant>,
}

impl Crew {
    /// Starts `workers` of them with data directories below `dir`.
    pub(crate) fn start(dir: &Path, workers: usize, overrides: Vec<String>) -> Self {
        let slot = |n| Slot { dir: dir.join(format!("worker-{n}")), process: None, due: None };
        let slots = (0..workers).map(slot).collect();
        let mut inner = Inner { slots, overrides, exits: 0, unclean_stops: 0, memory: Vec::new(), peak_kib: 0 };
        (0..workers).for_each(|n| inner.spawn(n));
        let inner = Arc::new(Mutex::new(inner));
        let kept = inner.clone();
        let task = tokio::spawn(async move {
            loop {
                lock(&kept).tend();
                sleep(EVERY).await;
            }
        });
        Self { inner, task }
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.inner).slots.len()
    }

    /// SIGKILL. It stays away until [`spawn`](Self::spawn).
    pub(crate) fn kill(&self, n: usize) {
        let slot = &mut lock(&self.inner).slots[n];
        slot.due = None;
        if let Some(mut process) = slot.process.take() {
            process.kill();
        }
    }

    /// Starts it again.
    pub(crate) fn spawn(&self, n: usize) {
        lock(&self.inner).spawn(n);
    }

    /// Sends a signal by its name; nothing to one that is away.
    pub(crate) fn signal(&self, n: usize, signal: &str) {
        if let Some(process) = &lock(&self.inner).slots[n].process {
            process.signal(signal);
        }
    }

    /// How often a worker ended by itself.
    pub(crate) fn exits(&self) -> u32 {
        lock(&self.inner).exits
    }

    /// The largest resident set of any worker so far, in MiB.
    pub(crate) fn peak_mib(&self) -> u64 {
        lock(&self.inner).peak_kib / 1024
    }

    /// The largest resident set of any worker from `from` to `to`, in MiB.
    pub(crate) fn peak_mib_between(&self, from: Instant, to: Instant) -> u64 {
        let inner = lock(&self.inner);
        let within = inner.memory.iter().filter(|(at, _)| (from..to).contains(at));
        within.map(|(_, kib)| kib / 1024).max().unwrap_or_default()
    }

    /// SIGTERM to all, and waits for their ends.
    pub(crate) fn stop(&mut self) {
        self.task.abort();
        let mut inner = lock(&self.inner);
        let processes: Vec<_> = inner.slots.iter_mut().filter_map(|slot| slot.process.take()).collect();
        processes.iter().for_each(Process::terminate);
        block_in_place(|| {
            for mut process in processes {
                inner.unclean_stops += u64::from(!process.wait().0.success());
            }
        });
    }

    /// How many of those that were told to stop ended with an error.
    pub(crate) fn unclean_stops(&self) -> u64 {
        lock(&self.inner).unclean_stops
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.task.abort();
        lock(&self.inner).slots.clear();
    }
}

impl Inner {
    fn spawn(&mut self, n: usize) {
        let slot = &mut self.slots[n];
        slot.due = None;
        let mut command = vec!["run"];
        // A store that is away fails thousands of records, and each would be a line.
        if std::env::var_os("SQUALL_LOG").is_none() {
            command.extend(["--log", "error"]);
        }
        slot.process = Some(Process::start(&slot.dir, &args(&command, &self.overrides)));
    }

    fn tend(&mut self) {
        let mut largest = 0;
        for n in 0..self.slots.len() {
            let slot = &mut self.slots[n];
            let Some(process) = &mut slot.process else {
                if slot.due.is_some_and(|due| Instant::now() >= due) {
                    self.spawn(n);
                }
                continue;
            };
            if process.is_running() {
                let (now, peak) = memory_kib(process.id());
                largest = now.max(largest);
                self.peak_kib = self.peak_kib.max(peak);
            } else {
                eprintln!("worker {n} [{}] ended by itself", process.id());
                slot.process = None;
                slot.due = Some(Instant::now() + RESTART);
                self.exits += 1;
            }
        }
        self.memory.push((Instant::now(), largest));
    }
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Resident set of a process, now and at its largest; nothing of one that is gone.
fn memory_kib(id: u32) -> (u64, u64) {
    let text = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
    };
    (field("VmRSS:"), field("VmHWM:"))
}
