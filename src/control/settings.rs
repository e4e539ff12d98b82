//! The bounds of a worker's side.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;
use std::time::Duration;

use super::host_name;
use crate::guard::{Clock, Mode};

/// How a [`Control`](super::Control) works.
#[derive(Debug, Clone)]
pub struct ControlSettings {
    /// Folder of the last-known-good file `control.json`.
    pub data_dir: PathBuf,
    /// Name of this worker, unique among all of the topology. A `/` in it becomes `-`.
    pub worker: String,
    /// What it does, such as `worker`.
    pub role: String,
    /// How often it says that it lives.
    pub heartbeat: Duration,
    /// How long one fetch of the control topic waits; changes that come meanwhile end it.
    pub follow_wait: Duration,
    /// Records of one fetch.
    pub fetch: usize,
    /// How long a start waits for the log before it goes on with the last-known-good file.
    pub start_timeout: Duration,
    /// How long a close waits for the log to take the farewell.
    pub close_timeout: Duration,
    /// Wait after the first failed try; doubles with each.
    pub back_off: Duration,
    /// Longest wait between tries.
    pub back_off_max: Duration,
    /// By name, the positions that switches have here while no change of an operator is in force; `off` for others.
    pub positions: BTreeMap<String, Mode>,
    /// The time. What expires is judged by its wall time at each look, so that a clock that is set right counts.
    pub clock: Clock,
}

impl ControlSettings {
    /// A worker named after host, process and chance; heartbeat 2 s, fetches of 500 records within 1 s, 5 s to start,
    /// 2 s to close, tries from 100 ms to 5 s apart; every switch off.
    pub fn new(data_dir: impl Into<PathBuf>, role: impl Into<String>) -> Self {
        Self {
            data_dir: data_dir.into(),
            worker: format!("{}-{}-{:04x}", host_name(), std::process::id(), chance()),
            role: role.into(),
            heartbeat: Duration::from_secs(2),
            follow_wait: Duration::from_secs(1),
            fetch: 500,
            start_timeout: Duration::from_secs(5),
            close_timeout: Duration::from_secs(2),
            back_off: Duration::from_millis(100),
            back_off_max: Duration::from_secs(5),
            positions: BTreeMap::new(),
            clock: Clock::wall(),
        }
    }
}

/// Tells two workers of one process apart, and a process from an earlier one of the same id.
fn chance() -> u16 {
    RandomState::new().build_hasher().finish() as u16
}
