//! The embedded log does what every log does.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::super::{EmbeddedBroker, EmbeddedSettings};
use crate::broker::Broker;
use crate::testing::broker::{Subject, run_all};
use crate::topology::BoxFuture;

struct Embedded {
    dir: TempDir,
    settings: EmbeddedSettings,
    broker: Option<EmbeddedBroker>,
}

impl Embedded {
    fn new(sync: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = EmbeddedSettings { sync, ..EmbeddedSettings::for_tests() };
        let broker = Some(EmbeddedBroker::open(dir.path(), settings.clone()).unwrap());
        Self { dir, settings, broker }
    }

    fn log(&self) -> &EmbeddedBroker {
        self.broker.as_ref().unwrap()
    }
}

impl Subject for Embedded {
    fn broker(&self) -> Arc<dyn Broker> {
        Arc::new(self.log().clone())
    }

    fn restart(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.broker = None;
            self.broker = Some(EmbeddedBroker::open(self.dir.path(), self.settings.clone()).unwrap());
        })
    }

    fn session_timeout(&self) -> Duration {
        // Members of one process have no session.
        Duration::from_millis(200)
    }

    fn expire_before<'a>(&'a self, topic: &'a str, partition: u32, offset: u64) -> BoxFuture<'a, ()> {
        Box::pin(async move { self.log().delete_before(topic, partition, offset).await.unwrap() })
    }

    fn compact<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, bool> {
        Box::pin(async move { self.log().compact(topic).await.map(|_| true).unwrap() })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_durable_log_conforms() {
    run_all(&mut Embedded::new(true)).await;
}

#[tokio::test(start_paused = true)]
async fn the_inline_log_conforms_on_paused_time() {
    run_all(&mut Embedded::new(false)).await;
}
