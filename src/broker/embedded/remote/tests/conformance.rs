//! The log through the socket does what every log does, groups included.

use std::sync::Arc;

use tempfile::TempDir;

use super::super::super::EmbeddedBroker;
use super::super::RemoteBroker;
use super::{connect, serve, shared};
use crate::broker::Broker;
use crate::broker::embedded::EmbeddedSettings;
use crate::testing::broker::{Subject, run_all};
use crate::topology::BoxFuture;

struct Remote {
    dir: TempDir,
    settings: EmbeddedSettings,
    log: Option<EmbeddedBroker>,
    remote: Option<RemoteBroker>,
}

impl Remote {
    fn log(&self) -> &EmbeddedBroker {
        self.log.as_ref().unwrap()
    }
}

impl Subject for Remote {
    fn broker(&self) -> Arc<dyn Broker> {
        Arc::new(self.remote.clone().unwrap())
    }

    fn restart(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // The client stays connected: it does not keep the directory.
            self.log = None;
            self.log = Some(serve(self.dir.path(), &self.settings));
        })
    }

    fn expire_before<'a>(&'a self, topic: &'a str, partition: u32, offset: u64) -> BoxFuture<'a, ()> {
        Box::pin(async move { self.log().delete_before(topic, partition, offset).await.unwrap() })
    }

    fn compact<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, bool> {
        Box::pin(async move { self.log().compact(topic).await.map(|_| true).unwrap() })
    }
}

async fn subject(sync: bool) -> Remote {
    let dir = tempfile::tempdir().unwrap();
    let settings = EmbeddedSettings { sync, ..shared() };
    let log = Some(serve(dir.path(), &settings));
    let remote = Some(connect(dir.path()).await);
    Remote { dir, settings, log, remote }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shared_log_conforms() {
    run_all(&mut subject(true).await).await;
}

#[tokio::test]
async fn the_shared_inline_log_conforms_on_one_thread() {
    run_all(&mut subject(false).await).await;
}
