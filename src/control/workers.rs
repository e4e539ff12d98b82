//! What workers say of themselves, and the roster that comes of it.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Key;
use crate::broker::{Append, Gap, LogRecord};

/// Missed intervals after which a worker does not count as live.
const LIVE_BEATS: u64 = 3;
/// Roles that take chunks of backfill jobs.
const BACKFILLS: [&str; 2] = ["all", "backup"];

/// Record `<worker>` of the workers' topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// What it does.
    pub role: String,
    /// Where it runs.
    pub host: String,
    /// Its process.
    pub pid: u32,
    /// When it started, in milliseconds since the Unix epoch.
    pub started_ms: i64,
    /// When it said this.
    pub beat_ms: i64,
    /// How often it says so, in milliseconds.
    pub heartbeat_ms: u64,
    /// Its switches as they are.
    pub switches: Vec<Applied>,
    /// Its spouts as they are.
    pub spouts: Vec<Applied>,
    /// Its limits as they are.
    #[serde(default)]
    pub limits: Vec<Applied>,
    /// Where its spouts read, as far as they can be told to go on elsewhere.
    #[serde(default)]
    pub cursors: Vec<CursorStanding>,
}

/// A spout of a worker, and the partitions that it has there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CursorStanding {
    /// Name of the spout.
    pub spout: String,
    /// The topic that it reads.
    pub topic: String,
    /// The group as which it reads.
    pub group: String,
    /// The partitions, ordered by number.
    pub partitions: Vec<PartitionStanding>,
}

/// A partition of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionStanding {
    /// Which one, counted from 0.
    pub partition: u32,
    /// Number of the last seek that it has applied; 0 = none.
    pub seek: u64,
    /// Deleted records at which it waits for a seek.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<Gap>,
}

/// A switch, spout or limit of a worker, as it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Its name.
    pub name: String,
    /// What it is.
    pub value: String,
    /// The control record that made it so; `None` without one.
    pub offset: Option<u64>,
    /// What it is there while no change is in force; `None` when the worker does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// Record `<worker>/<control key>` of the workers' topic: a change is in effect there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// The control record.
    pub offset: u64,
    /// What the key is now.
    pub value: String,
    /// Since when, by the worker's clock, in milliseconds since the Unix epoch.
    pub applied_ms: i64,
}

/// A worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Worker {
    /// Its name.
    pub worker: String,
    /// Whether its last heartbeat is recent.
    pub live: bool,
    /// That heartbeat, with what it has acknowledged since.
    #[serde(flatten)]
    pub heartbeat: Heartbeat,
}

impl Worker {
    /// Whether it is there to take chunks of backfill jobs: with the role `all` or `backup`, alone or beside services.
    pub fn takes_backfills(&self) -> bool {
        self.live && self.heartbeat.role.split(',').any(|role| BACKFILLS.contains(&role))
    }
}

impl Heartbeat {
    /// Whether it is recent enough at `now_ms`.
    pub fn is_live(&self, now_ms: i64) -> bool {
        now_ms.saturating_sub(self.beat_ms) <= self.heartbeat_ms.saturating_mul(LIVE_BEATS).cast_signed()
    }

    /// How the worker has `key`; `None` when it has nothing to do with it.
    pub fn applied(&self, key: &Key) -> Option<&Applied> {
        self.all(key).iter().find(|applied| applied.name == key.name())
    }

    /// All that it has of the kind of `key`.
    pub fn all(&self, key: &Key) -> &[Applied] {
        match key {
            Key::Switch(_) => &self.switches,
            Key::Spout(_) => &self.spouts,
            Key::Limit(_) => &self.limits,
        }
    }

    /// All that it has of every kind.
    pub fn everything(&self) -> impl Iterator<Item = (Key, &Applied)> {
        fn of(list: &[Applied], key: fn(String) -> Key) -> impl Iterator<Item = (Key, &Applied)> {
            list.iter().map(move |applied| (key(applied.name.clone()), applied))
        }
        of(&self.switches, Key::Switch).chain(of(&self.spouts, Key::Spout)).chain(of(&self.limits, Key::Limit))
    }

    fn applied_mut(&mut self, key: &Key) -> Option<&mut Applied> {
        let list = match key {
            Key::Switch(_) => &mut self.switches,
            Key::Spout(_) => &mut self.spouts,
            Key::Limit(_) => &mut self.limits,
        };
        list.iter_mut().find(|applied| applied.name == key.name())
    }
}

/// A record of the workers' topic; `value: None` takes it back.
pub(super) fn record<T: Serialize>(key: String, value: Option<&T>, now_ms: i64) -> Append {
    let json = |value| serde_json::to_vec(value).expect("texts and numbers are always JSON");
    let (key, value) = (Some(key.into()), value.map(|value| Bytes::from(json(value))));
    Append { partition: Some(0), key, value, timestamp_ms: Some(now_ms), ..Append::default() }
}

/// All workers that were heard of, by name. What does not decode is left out.
#[derive(Debug, Clone, Default)]
pub(super) struct Roster(BTreeMap<String, Heartbeat>);

impl Roster {
    /// Takes a record in.
    pub(super) fn note(&mut self, record: &LogRecord) {
        let Some(Ok(key)) = record.key.as_deref().map(std::str::from_utf8) else { return };
        match (key.split_once('/'), &record.value) {
            (None, None) => drop(self.0.remove(key)),
            (None, Some(json)) => {
                if let Ok(heartbeat) = serde_json::from_slice(json) {
                    self.0.insert(key.to_owned(), heartbeat);
                }
            }
            (Some((worker, key)), Some(json)) => self.acknowledge(worker, key, json),
            (Some(_), None) => {}
        }
    }

    fn acknowledge(&mut self, worker: &str, key: &str, json: &[u8]) {
        let heartbeat = self.0.get_mut(worker);
        let applied = key.parse().ok().and_then(|key| heartbeat?.applied_mut(&key));
        let (Some(applied), Ok(ack)) = (applied, serde_json::from_slice::<Acknowledgement>(json)) else { return };
        if applied.offset.is_none_or(|offset| ack.offset >= offset) {
            applied.value = ack.value;
            applied.offset = Some(ack.offset);
        }
    }

    /// What `key` is while no change is in force: what the worker says that has it, a live one rather than a silent
    /// one, the last that started rather than earlier ones.
    pub(super) fn default_of(&self, key: &Key, now_ms: i64) -> String {
        let said = self.0.values().filter_map(|heartbeat| {
            let default = heartbeat.applied(key)?.default.as_ref()?;
            Some(((heartbeat.is_live(now_ms), heartbeat.started_ms), default))
        });
        said.max().map_or(key.default_value(), |(_, default)| default).to_owned()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Heartbeat)> {
        self.0.iter()
    }

    pub(super) fn workers(&self, now_ms: i64) -> Vec<Worker> {
        let worker = |(name, heartbeat): (&String, &Heartbeat)| Worker {
            worker: name.clone(),
            live: heartbeat.is_live(now_ms),
            heartbeat: heartbeat.clone(),
        };
        self.0.iter().map(worker).collect()
    }
}
