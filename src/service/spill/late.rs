//! The producer of a log that is opened when it is there.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::broker::{Append, Broker, BrokerError, Position, Producer};
use crate::topology::{BoxFuture, Class, Error, Result};

/// A producer that opens its log in the background, again and again until it is there; until then appends fail at once.
///
/// For a service that has to start while the log is away: clients connect when they are made, and fail when nobody
/// answers.
pub struct LateProducer {
    shared: Arc<Shared>,
    opening: JoinHandle<()>,
}

struct Shared {
    address: String,
    log: OnceLock<Opened>,
    /// Why it is not there.
    reason: Mutex<String>,
}

/// The log, which is kept open as long as it is produced to.
struct Opened {
    broker: Arc<dyn Broker>,
    producer: Arc<dyn Producer>,
}

impl LateProducer {
    /// Begins to call `open`, which also makes what it needs, such as topics. Waits at most `patience` for the first
    /// call; each further one is made `retry` after the one before has failed. `address` is for messages.
    ///
    /// # Errors
    /// That of the first call when it is fatal and comes in time: what waiting does not mend. One that comes later is
    /// logged, and tried again like the others.
    pub async fn start<F>(
        address: impl Into<String>,
        patience: Duration,
        retry: Duration,
        open: impl Fn() -> F + Send + 'static,
    ) -> Result<Self>
    where
        F: Future<Output = Result<Arc<dyn Broker>>> + Send + 'static,
    {
        let reason = Mutex::new("it has not answered yet".to_owned());
        let shared = Arc::new(Shared { address: address.into(), log: OnceLock::new(), reason });
        let (first, answer) = tokio::sync::oneshot::channel();
        let opening = tokio::spawn({
            let shared = shared.clone();
            async move {
                let mut first = Some(first);
                while let Err(error) = shared.open(open()).await {
                    if let Some(first) = first.take() {
                        // Whoever waited for it may have gone on.
                        let _gone = first.send(error);
                    }
                    sleep(retry).await;
                }
            }
        });
        let late = Self { shared, opening };
        // A sender that is dropped has opened it.
        match tokio::time::timeout(patience, answer).await {
            Ok(Ok(error)) if error.class() == Class::Fatal => Err(error),
            _ => Ok(late),
        }
    }

    /// Why the log is not there; `None` when it is open.
    pub fn reason(&self) -> Option<String> {
        self.shared.log.get().is_none().then(|| self.shared.reason())
    }

    /// The log, once it is open.
    pub fn broker(&self) -> Option<Arc<dyn Broker>> {
        self.shared.log.get().map(|log| log.broker.clone())
    }
}

impl Drop for LateProducer {
    fn drop(&mut self) {
        self.opening.abort();
    }
}

impl Producer for LateProducer {
    fn append<'a>(
        &'a self,
        topic: &'a str,
        records: Vec<Append>,
    ) -> BoxFuture<'a, Result<Vec<Position>, BrokerError>> {
        match self.shared.log.get() {
            Some(log) => log.producer.append(topic, records),
            None => Box::pin(async move {
                let (address, reason) = (self.shared.address.clone(), self.shared.reason());
                Err(BrokerError::Unreachable { address, reason })
            }),
        }
    }
}

impl Shared {
    async fn open(&self, opening: impl Future<Output = Result<Arc<dyn Broker>>>) -> Result<(), Error> {
        let opened = async {
            let broker = opening.await?;
            let producer = broker.producer()?;
            Ok::<_, Error>(Opened { broker, producer })
        };
        match opened.await {
            Ok(opened) => {
                // Only this task sets it, once.
                let _set = self.log.set(opened);
                Ok(())
            }
            Err(error) => {
                if error.class() == Class::Fatal {
                    tracing::error!(%error, address = self.address, "the log cannot be opened; it is tried again");
                } else {
                    tracing::warn!(%error, address = self.address, "the log is away; it is tried again");
                }
                *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = error.to_string();
                Err(error)
            }
        }
    }

    fn reason(&self) -> String {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
