//! The store itself.

use std::collections::HashSet;
use std::fmt;

use redis::Pipeline;
use xxhash_rust::xxh3::xxh3_64;

use super::super::entry::{Bounds, refuse};
use super::super::{Entry, Limits, Profile, Timeline, Timelines, Whole};
use super::batch::Calls;
use super::connection::{Connections, Server, config};
use super::decode::{self, Bytes};
use super::key::{base, is_base, pattern};
use super::script::Loaded;
use super::settings::RedisSettings;
use crate::store::StoreError;
use crate::topology::BoxFuture;

/// Keys looked at in one step of a walk.
const SCAN: usize = 1000;

/// Timelines on a Redis server.
pub struct RedisTimelines {
    connections: Connections,
    apply: Loaded,
    read: Loaded,
    repair: Loaded,
    bounds: Bounds,
    prefix: String,
}

impl RedisTimelines {
    /// Connects once, to fail early.
    ///
    /// # Errors
    /// [`StoreError::Config`] when the settings cannot work; those of a call.
    pub async fn connect(settings: RedisSettings, limits: Limits) -> Result<Self, StoreError> {
        let store = Self::lazy(settings, limits)?;
        store.ping().await?;
        Ok(store)
    }

    /// Connects with the first call: for programs that must start while the server is down.
    ///
    /// # Errors
    /// [`StoreError::Config`] when the settings cannot work.
    pub fn lazy(settings: RedisSettings, limits: Limits) -> Result<Self, StoreError> {
        if settings.prefix.is_empty() || settings.prefix.contains(['{', '}']) {
            return Err(config("the prefix of the keys must not be empty nor hold a brace"));
        }
        let bounds = Bounds::from(limits);
        let (apply, read, repair) = (Loaded::apply(&bounds), Loaded::read(), Loaded::repair());
        let mut greeting = Pipeline::new();
        for script in [&apply, &read, &repair] {
            greeting.add_command(script.load()).ignore();
        }
        let prefix = settings.prefix.clone();
        Ok(Self { connections: Connections::new(settings, greeting)?, apply, read, repair, bounds, prefix })
    }

    async fn write(&self, entries: &[Entry<'_>]) -> Result<Vec<(usize, StoreError)>, StoreError> {
        let mut refused = refuse("redis", entries);
        if refused.len() == entries.len() {
            return Ok(refused);
        }
        let calls = Calls::plan(entries, &refused);
        let failed = self.send("writing a batch", &calls).await?;
        if !failed.is_empty() {
            // An owner has many keys: which entries need the wrong one shows when each is written by itself.
            let single = calls.one_by_one(&failed, entries, &refused);
            let culprits = self.send("writing entries one by one", &single).await?;
            refused.extend(culprits.into_iter().map(|(call, error)| (single.index_of(call), error)));
            refused.sort_unstable_by_key(|(at, _)| *at);
        }
        Ok(refused)
    }

    async fn send(&self, what: &'static str, calls: &Calls<'_>) -> Result<Vec<(usize, StoreError)>, StoreError> {
        self.connections.write(what, |server| calls.pipeline(&self.prefix, &self.apply, server.now_s())).await
    }

    async fn held(&self, owner: &str, line: Option<&str>, limit: usize) -> Result<Timeline, StoreError> {
        let mut call = self.read.call(&base(&self.prefix, owner));
        call.arg(limit.min(u32::MAX as usize));
        let ask = |server: &Server| {
            call.arg(&**server.run());
            if let Some(line) = line {
                call.arg(line);
            }
            let mut pipeline = Pipeline::with_capacity(1);
            pipeline.add_command(call);
            pipeline
        };
        let ((mark, packed),): ((Bytes, Bytes),) = self.connections.query("reading a timeline", ask).await?;
        decode::timeline(&mark, &packed)
    }

    /// A step of a repair, which ends with a mark; the number that the script answers.
    async fn step(&self, owner: &str, repair: u64, ends: Option<Whole>) -> Result<Option<u64>, StoreError> {
        let mut call = self.repair.call(&base(&self.prefix, owner));
        let ask = |server: &Server| {
            call.arg(repair).arg(&**server.run());
            if let Some(whole) = ends {
                call.arg(decode::mark(whole, server.run()));
            }
            let mut pipeline = Pipeline::with_capacity(1);
            pipeline.add_command(call);
            pipeline
        };
        let (number,) = self.connections.query("marking an owner", ask).await?;
        Ok(number)
    }

    async fn fields(&self, owner: &str) -> Result<Option<Profile>, StoreError> {
        let mut run = None;
        let ask = |server: &Server| {
            run = Some(server.run().clone());
            let mut pipeline = Pipeline::with_capacity(1);
            pipeline.cmd("HGETALL").arg(base(&self.prefix, owner));
            pipeline
        };
        let (fields,): (Vec<(Bytes, Bytes)>,) = self.connections.query("reading a profile", ask).await?;
        decode::profile(fields, &self.bounds, run.as_deref())
    }

    async fn walk(&self) -> Result<u64, StoreError> {
        let pattern = pattern(&self.prefix);
        // A walk may give a key twice.
        let mut seen = HashSet::new();
        let mut cursor = 0_u64;
        loop {
            let mut pipeline = Pipeline::with_capacity(1);
            pipeline.cmd("SCAN").arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(SCAN);
            let ((next, keys),): ((u64, Vec<Bytes>),) =
                self.connections.query("walking the keys", |_| pipeline).await?;
            seen.extend(keys.iter().filter(|key| is_base(key)).map(|key| xxh3_64(key)));
            if next == 0 {
                return Ok(seen.len() as u64);
            }
            cursor = next;
        }
    }
}

impl fmt::Debug for RedisTimelines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisTimelines").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Timelines for RedisTimelines {
    fn apply<'a>(
        &'a self,
        entries: &'a [Entry<'a>],
    ) -> BoxFuture<'a, Result<Vec<(usize, StoreError)>, StoreError>> {
        Box::pin(self.write(entries))
    }

    fn read<'a>(
        &'a self,
        owner: &'a str,
        line: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Timeline, StoreError>> {
        Box::pin(self.held(owner, line, limit))
    }

    fn profile<'a>(&'a self, owner: &'a str) -> BoxFuture<'a, Result<Option<Profile>, StoreError>> {
        Box::pin(self.fields(owner))
    }

    fn begin_repair<'a>(&'a self, owner: &'a str, repair: u64) -> BoxFuture<'a, Result<Option<u64>, StoreError>> {
        Box::pin(self.step(owner, repair, None))
    }

    fn end_repair<'a>(
        &'a self,
        owner: &'a str,
        repair: u64,
        whole: Whole,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move { Ok(self.step(owner, repair, Some(whole)).await?.is_some()) })
    }

    fn owners(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(self.walk())
    }

    /// Nothing: the server's own persistence decides what a crash of the server takes. Acknowledged writes survive
    /// it only with `appendonly yes` and `appendfsync always`.
    fn flush(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let mut pipeline = Pipeline::with_capacity(1);
            pipeline.cmd("PING").ignore();
            self.connections.query::<()>("a ping", |_| pipeline).await
        })
    }
}
