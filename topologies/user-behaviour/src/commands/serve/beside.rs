//! Services that answer while something else goes on in the process.

use std::collections::BTreeMap;

use squall::service::http::{Ended, Service};
use squall::service::until_signal;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::collector::Collector;
use crate::commands::Failure;

/// Services under way. They stop at the first signal, or when they are told to.
pub(crate) struct Beside {
    serving: JoinSet<(&'static str, Ended)>,
    /// Ended when this is dropped.
    watching: JoinSet<()>,
    collector: Option<Collector>,
    urls: BTreeMap<&'static str, String>,
    stop: watch::Sender<bool>,
}

impl Beside {
    /// None yet.
    pub(crate) fn new() -> Self {
        let (serving, stop) = (JoinSet::new(), watch::Sender::new(false));
        Self { serving, watching: JoinSet::new(), collector: None, urls: BTreeMap::new(), stop }
    }

    /// Begins to answer, and says where.
    pub(crate) fn start(&mut self, name: &'static str, service: Service) {
        eprintln!("{name} listens on {}", service.url());
        self.urls.insert(name, service.url());
        let mut stopped = self.stop.subscribe();
        self.serving.spawn(async move {
            let stop = async move {
                tokio::select! {
                    // Without signals only whoever holds this stops it.
                    Ok(()) = until_signal() => {}
                    _ = stopped.wait_for(|stopped| *stopped) => {}
                }
            };
            (name, service.run(stop).await)
        });
    }

    /// Has something go on until the services have stopped.
    pub(crate) fn watch(&mut self, watching: impl Future<Output = ()> + Send + 'static) {
        self.watching.spawn(watching);
    }

    /// Where a service answers; empty for one that does not.
    pub(crate) fn url(&self, name: &str) -> &str {
        self.urls.get(name).map_or("", String::as_str)
    }

    /// What the service that takes records has to close.
    pub(crate) fn closes(&mut self, collector: Collector) {
        self.collector = Some(collector);
    }

    /// Waits until all have stopped by a signal.
    pub(crate) async fn wait(&mut self) -> Result<(), Failure> {
        let mut panicked = None;
        while let Some(ended) = self.serving.join_next().await {
            let (name, ended) = match ended {
                Ok(ended) => ended,
                Err(panic) => {
                    panicked = Some(panic);
                    continue;
                }
            };
            if ended.abandoned_requests > 0 {
                eprintln!("{name}: {} requests were given up at the stop", ended.abandoned_requests);
            }
        }
        // No request is under way any more: what the log has not acknowledged is on the disk.
        if let Some(collector) = self.collector.take() {
            collector.producer().close().await;
        }
        panicked.map_or(Ok(()), |panic| Err(panic.into()))
    }

    /// Stops them, and waits.
    pub(crate) async fn stop(&mut self) -> Result<(), Failure> {
        self.stop.send_replace(true);
        self.wait().await
    }
}
