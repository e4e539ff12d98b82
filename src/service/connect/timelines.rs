//! `[timelines]`

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::{set, set_ms};
use crate::service::config::Secret;
use crate::store::StoreError;
use crate::store::timeline::memory::{MemorySettings, MemoryTimelines};
use crate::store::timeline::redis::{RedisSettings, RedisTimelines};
use crate::store::timeline::{Limits, RingTimelines, Timelines};
use crate::topology::{Class, Classify};

/// A thousand years: what "for ever" is in seconds.
const MAX_AGE_S: u64 = 1000 * 366 * 86_400;

/// Which store of timelines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimelinesKind {
    /// In this process, with a journal under the data directory.
    #[default]
    Memory,
    /// Redis.
    Redis,
}

/// The store of timelines.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimelinesConfig {
    /// Which one.
    pub kind: TimelinesKind,
    /// Entries that a timeline holds at most.
    pub keep: Option<usize>,
    /// Age past which an entry goes, in days before the newest of its timeline.
    pub max_age_days: Option<u64>,
    /// Days for which a profile counts.
    pub count_days: Option<u32>,
    /// Settings of the one in memory.
    pub memory: MemoryConfig,
    /// Settings of Redis.
    pub redis: RedisConfig,
}

/// `[timelines.memory]`; see [`MemorySettings`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "each field is described at the settings it overrides")]
pub struct MemoryConfig {
    pub journal_bytes: Option<u64>,
    pub pending_bytes: Option<usize>,
}

/// `[timelines.redis]`; see [`RedisSettings`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "each field is described at the settings it overrides")]
pub struct RedisConfig {
    pub url: Secret,
    /// Takes the place of `url`: several servers, each with a part of the owners; see [`RingTimelines`].
    pub nodes: Vec<RedisNode>,
    pub prefix: Option<String>,
    pub connections: Option<usize>,
    pub connect_timeout_ms: Option<u64>,
    pub response_timeout_ms: Option<u64>,
    pub backoff_min_ms: Option<u64>,
    pub backoff_max_ms: Option<u64>,
}

/// `[[timelines.redis.nodes]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisNode {
    /// What decides which owners it has. Stays with the data, whatever the address is.
    pub name: String,
    /// Where it is.
    pub url: Secret,
}

impl TimelinesConfig {
    /// Opens the store; the one in memory with its journal under `data_dir/timelines`.
    ///
    /// # Errors
    /// What the store says: unreachable, in use by another process, damaged.
    pub async fn open(&self, data_dir: &Path) -> Result<Arc<dyn Timelines>, StoreError> {
        let limits = self.limits();
        match self.kind {
            TimelinesKind::Memory => {
                let mut settings = MemorySettings::default();
                set(&mut settings.journal_bytes, self.memory.journal_bytes);
                set(&mut settings.pending_bytes, self.memory.pending_bytes);
                let store = MemoryTimelines::open_with(&data_dir.join("timelines"), limits, settings)?;
                Ok(Arc::new(store))
            }
            TimelinesKind::Redis => {
                let store = self.redis(limits)?;
                store.ping().await?;
                Ok(store)
            }
        }
    }

    /// Opens the store. A server that is away is connected to with the first call that finds it: a worker must be able to
    /// start while it is down.
    ///
    /// # Errors
    /// What waiting cannot mend: settings that cannot work, a store that is in use or damaged.
    pub async fn open_patiently(&self, data_dir: &Path) -> Result<Arc<dyn Timelines>, StoreError> {
        match self.open(data_dir).await {
            Err(error) if self.kind == TimelinesKind::Redis && error.class() == Class::Retryable => {
                tracing::warn!(%error, "the timelines are away; they are connected to when they are back");
                self.redis(self.limits())
            }
            result => result,
        }
    }

    /// The store on servers, which are connected to with the first call.
    fn redis(&self, limits: Limits) -> Result<Arc<dyn Timelines>, StoreError> {
        let lazy = |url: &Secret| Ok(Arc::new(RedisTimelines::lazy(self.redis.settings(url), limits)?));
        match &*self.redis.nodes {
            [] => Ok(lazy(&self.redis.url)?),
            nodes => {
                let nodes =
                    nodes.iter().map(|node| Ok((node.name.clone(), lazy(&node.url)? as Arc<dyn Timelines>)));
                Ok(Arc::new(RingTimelines::new(nodes.collect::<Result<Vec<_>, StoreError>>()?)?))
            }
        }
    }

    /// How many servers share the owners.
    pub fn nodes(&self) -> usize {
        match self.kind {
            TimelinesKind::Memory => 1,
            TimelinesKind::Redis => self.redis.nodes.len().max(1),
        }
    }

    /// What a timeline keeps.
    pub fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        set(&mut limits.keep, self.keep);
        set(
            &mut limits.max_age,
            self.max_age_days.map(|days| Duration::from_secs(days.saturating_mul(86_400).min(MAX_AGE_S))),
        );
        set(&mut limits.count_days, self.count_days);
        limits
    }
}

impl RedisConfig {
    fn settings(&self, url: &Secret) -> RedisSettings {
        let mut settings = RedisSettings::new(url.expose());
        set(&mut settings.prefix, self.prefix.clone());
        set(&mut settings.connections, self.connections);
        set_ms(&mut settings.connect_timeout, self.connect_timeout_ms);
        set_ms(&mut settings.response_timeout, self.response_timeout_ms);
        set_ms(&mut settings.backoff_min, self.backoff_min_ms);
        set_ms(&mut settings.backoff_max, self.backoff_max_ms);
        settings
    }
}
