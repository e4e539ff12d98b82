//! The suite, in memory alone and over a directory whose journal is replaced again and again.

use std::sync::Arc;

use tempfile::TempDir;

use super::super::super::{Limits, Timelines};
use super::super::{MemorySettings, MemoryTimelines};
use crate::testing::store::timeline::{Subject, run_all};
use crate::topology::BoxFuture;

struct InMemory;

impl Subject for InMemory {
    fn fresh(&mut self, limits: Limits) -> BoxFuture<'_, Arc<dyn Timelines>> {
        Box::pin(async move { Arc::new(MemoryTimelines::new(limits)) as Arc<dyn Timelines> })
    }

    fn restart(&mut self) -> BoxFuture<'_, Option<Arc<dyn Timelines>>> {
        Box::pin(async { None })
    }
}

struct OnDisk {
    dir: TempDir,
    limits: Limits,
}

impl OnDisk {
    fn open(&self) -> Arc<dyn Timelines> {
        let settings = MemorySettings { journal_bytes: 4096, pending_bytes: 8192 };
        Arc::new(MemoryTimelines::open_with(self.dir.path(), self.limits, settings).unwrap())
    }
}

impl Subject for OnDisk {
    fn fresh(&mut self, limits: Limits) -> BoxFuture<'_, Arc<dyn Timelines>> {
        Box::pin(async move {
            *self = Self { dir: tempfile::tempdir().unwrap(), limits };
            self.open()
        })
    }

    fn restart(&mut self) -> BoxFuture<'_, Option<Arc<dyn Timelines>>> {
        Box::pin(async move { Some(self.open()) })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn conforms_in_memory() {
    run_all(&mut InMemory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn conforms_on_disk() {
    let mut subject = OnDisk { dir: tempfile::tempdir().unwrap(), limits: Limits::default() };
    run_all(&mut subject).await;
}
