//! How things stand.

use serde::Serialize;

use crate::control::{Change, Key};

/// A switch, spout or limit: what it is to be, and what it is where.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyState {
    /// Which one.
    pub key: Key,
    /// What it is to be now.
    pub value: String,
    /// What it is while no change is in force, by the live worker that started last.
    pub default: String,
    /// The change that made it so; `None` when nobody ever changed it.
    pub change: Option<Change>,
    /// Where that change stands in the control topic.
    pub offset: Option<u64>,
    /// The workers that have to do with it.
    pub workers: Vec<WorkerStanding>,
}

/// What a change would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The record.
    pub change: Change,
    /// What the key is now.
    pub before: String,
    /// What it is while no change is in force.
    pub default: String,
}

/// How a worker has a switch, spout or limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkerStanding {
    /// Its name.
    pub worker: String,
    /// Whether its last heartbeat is recent.
    pub live: bool,
    /// What it was there at that time.
    pub value: String,
    /// The control record that made it so.
    pub offset: Option<u64>,
}
