//! A log that need not be there yet.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::{
    Append, Bounds, Broker, BrokerError, Consumer, Cursor, GroupSettings, Position, Producer, TopicInfo, TopicSpec,
};
use crate::topology::{BoxFuture, Class, Error};

/// A log that is opened in the background, again and again until it is there; until then every call fails with
/// [`BrokerError::Unreachable`], which callers take for an outage.
///
/// For a service that has to start while the log is away: clients connect when they are made, and fail when nobody
/// answers.
#[derive(Clone)]
pub struct LateBroker {
    shared: Arc<Shared>,
    _opening: Arc<Opening>,
}

struct Shared {
    address: String,
    log: OnceLock<Arc<dyn Broker>>,
    producer: OnceLock<Arc<dyn Producer>>,
    /// Why it is not there.
    reason: Mutex<String>,
}

/// Ends the task when the last clone is dropped.
struct Opening(AbortHandle);

impl Drop for Opening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl LateBroker {
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
    ) -> Result<Self, Error>
    where
        F: Future<Output = Result<Arc<dyn Broker>, Error>> + Send + 'static,
    {
        let shared = Arc::new(Shared {
            address: address.into(),
            log: OnceLock::new(),
            producer: OnceLock::new(),
            reason: Mutex::new("it has not answered yet".to_owned()),
        });
        let (first, answer) = oneshot::channel();
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
        let late = Self { shared, _opening: Arc::new(Opening(opening.abort_handle())) };
        // A sender that is dropped has opened it.
        match timeout(patience, answer).await {
            Ok(Ok(error)) if error.class() == Class::Fatal => Err(error),
            _ => Ok(late),
        }
    }

    /// Why the log is not there; `None` when it is open.
    pub fn reason(&self) -> Option<String> {
        self.shared.log.get().is_none().then(|| self.shared.reason())
    }

    fn log(&self) -> Result<&Arc<dyn Broker>, BrokerError> {
        self.shared.log.get().ok_or_else(|| self.shared.away())
    }

    /// Makes a call of the log, once it is there.
    fn call<'a, T: Send + 'a>(
        &'a self,
        call: impl FnOnce(&'a dyn Broker) -> BoxFuture<'a, Result<T, BrokerError>>,
    ) -> BoxFuture<'a, Result<T, BrokerError>> {
        match self.log() {
            Ok(log) => call(&**log),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }
}

impl Shared {
    async fn open(&self, opening: impl Future<Output = Result<Arc<dyn Broker>, Error>>) -> Result<(), Error> {
        let opened = async {
            let broker = opening.await?;
            Ok::<_, Error>((broker.producer()?, broker))
        };
        match opened.await {
            Ok((producer, broker)) => {
                // Only this task sets them, once; the producer first, so that an open log has one.
                let _set = (self.producer.set(producer), self.log.set(broker));
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

    fn away(&self) -> BrokerError {
        BrokerError::Unreachable { address: self.address.clone(), reason: self.reason() }
    }
}

impl Producer for LateBroker {
    fn append<'a>(
        &'a self,
        topic: &'a str,
        records: Vec<Append>,
    ) -> BoxFuture<'a, Result<Vec<Position>, BrokerError>> {
        match self.shared.producer.get() {
            Some(producer) => producer.append(topic, records),
            None => Box::pin(std::future::ready(Err(self.shared.away()))),
        }
    }
}

impl Broker for LateBroker {
    fn create_topic<'a>(&'a self, spec: &'a TopicSpec) -> BoxFuture<'a, Result<(), BrokerError>> {
        self.call(|log| log.create_topic(spec))
    }

    fn delete_topic<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), BrokerError>> {
        self.call(|log| log.delete_topic(name))
    }

    fn topic<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<TopicInfo>, BrokerError>> {
        self.call(|log| log.topic(name))
    }

    fn topics(&self) -> BoxFuture<'_, Result<Vec<TopicInfo>, BrokerError>> {
        self.call(|log| log.topics())
    }

    fn bounds<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, Result<Vec<Bounds>, BrokerError>> {
        self.call(|log| log.bounds(topic))
    }

    fn offsets_at<'a>(
        &'a self,
        topic: &'a str,
        timestamp_ms: i64,
    ) -> BoxFuture<'a, Result<Vec<u64>, BrokerError>> {
        self.call(move |log| log.offsets_at(topic, timestamp_ms))
    }

    fn committed<'a>(
        &'a self,
        group: &'a str,
        topic: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Option<u64>>, BrokerError>> {
        self.call(|log| log.committed(group, topic))
    }

    fn reset<'a>(
        &'a self,
        group: &'a str,
        topic: &'a str,
        offsets: &'a [(u32, u64)],
    ) -> BoxFuture<'a, Result<(), BrokerError>> {
        self.call(|log| log.reset(group, topic, offsets))
    }

    /// A producer, also while the log is away: its appends fail until it is there.
    fn producer(&self) -> Result<Arc<dyn Producer>, BrokerError> {
        match self.shared.producer.get() {
            Some(producer) => Ok(producer.clone()),
            None => Ok(Arc::new(self.clone())),
        }
    }

    fn cursor(&self, topic: &str, starts: &[(u32, u64)]) -> Result<Box<dyn Cursor>, BrokerError> {
        self.log()?.cursor(topic, starts)
    }

    fn slow_cursor(
        &self,
        topic: &str,
        starts: &[(u32, u64)],
        ahead: usize,
    ) -> Result<Box<dyn Cursor>, BrokerError> {
        self.log()?.slow_cursor(topic, starts, ahead)
    }

    fn subscribe(&self, topic: &str, settings: &GroupSettings) -> Result<Box<dyn Consumer>, BrokerError> {
        self.log()?.subscribe(topic, settings)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::broker::embedded::{EmbeddedBroker, EmbeddedSettings};

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn it_is_an_outage_until_it_is_there() {
        let (dir, tries) = (tempfile::tempdir().unwrap(), Arc::<AtomicUsize>::default());
        let log = EmbeddedBroker::open(&dir.path().join("log"), EmbeddedSettings::for_tests()).unwrap();
        let (opened, counted) = (log.clone(), tries.clone());
        let open = move || {
            let (log, tries) = (opened.clone(), counted.fetch_add(1, Ordering::SeqCst) + 1);
            async move {
                // As long as a client tries to connect.
                sleep(SECOND * 10).await;
                match tries <= 3 {
                    true => Err(Error::retryable("nobody answers")),
                    false => Ok(Arc::new(log) as Arc<dyn Broker>),
                }
            }
        };
        let late = LateBroker::start("kafka:9092", SECOND, SECOND, open).await.unwrap();
        // Whoever has the producer alone goes on opening.
        let producer = late.clone().producer().unwrap();
        let record = || Append { value: Some("x".into()), ..Append::default() };
        let error = producer.append("t", vec![record()]).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("kafka:9092") && text.contains("it has not answered yet"), "{text}");
        assert!(matches!(late.topics().await, Err(BrokerError::Unreachable { .. })));
        assert!(matches!(late.cursor("t", &[(0, 0)]), Err(BrokerError::Unreachable { .. })));
        sleep(SECOND * 15).await;
        assert_eq!(late.reason().as_deref(), Some("nobody answers"));
        sleep(SECOND * 60).await;
        assert_eq!((late.reason(), tries.load(Ordering::SeqCst)), (None, 4));
        late.create_topic(&TopicSpec::new("t", 1)).await.unwrap();
        producer.append("t", vec![record()]).await.unwrap();
        assert_eq!(log.bounds("t").await.unwrap()[0].latest, 1, "the producer from before appends too");
    }

    #[tokio::test(start_paused = true)]
    async fn what_waiting_does_not_mend_ends_the_start() {
        let open = || async { Err(Error::fatal("broker.kafka.bootstrap is missing")) };
        let error = LateBroker::start("?", SECOND, SECOND, open).await.err().unwrap();
        assert_eq!(error.to_string(), "broker.kafka.bootstrap is missing");
    }
}
