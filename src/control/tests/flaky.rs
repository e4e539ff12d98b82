//! A log that goes away and comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::broker::embedded::EmbeddedBroker;
use crate::broker::{
    Append, Bounds, Broker, BrokerError, Consumer, Cursor, Fetched, GroupSettings, Position, Producer, TopicInfo,
    TopicSpec,
};
use crate::topology::BoxFuture;

/// Clones of its state are shared with its cursors and its producer.
pub(super) struct Flaky {
    inner: EmbeddedBroker,
    away: Arc<AtomicBool>,
    hangs: Arc<AtomicBool>,
    /// Calls that failed.
    pub(super) failed: Arc<AtomicUsize>,
}

impl Flaky {
    pub(super) fn over(inner: EmbeddedBroker) -> Self {
        Self { inner, away: Arc::default(), hangs: Arc::default(), failed: Arc::default() }
    }

    /// Takes the log away from everybody, or gives it back.
    pub(super) fn away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// From now on appends never end.
    pub(super) fn hang(&self) {
        self.hangs.store(true, Ordering::SeqCst);
    }

    /// Deletes records of a partition, as retention does.
    pub(super) async fn delete_before(&self, topic: &str, partition: u32, offset: u64) {
        self.inner.delete_before(topic, partition, offset).await.unwrap();
    }

    fn check(&self) -> Result<(), BrokerError> {
        check(&self.away, &self.failed)
    }
}

fn check(away: &AtomicBool, failed: &AtomicUsize) -> Result<(), BrokerError> {
    if away.load(Ordering::SeqCst) {
        failed.fetch_add(1, Ordering::SeqCst);
        return Err(BrokerError::Unreachable { address: "here".into(), reason: "away".into() });
    }
    Ok(())
}

impl Broker for Flaky {
    fn create_topic<'a>(&'a self, spec: &'a TopicSpec) -> BoxFuture<'a, Result<(), BrokerError>> {
        self.inner.create_topic(spec)
    }

    fn delete_topic<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), BrokerError>> {
        self.inner.delete_topic(name)
    }

    fn topic<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<TopicInfo>, BrokerError>> {
        Box::pin(async move {
            self.check()?;
            self.inner.topic(name).await
        })
    }

    fn topics(&self) -> BoxFuture<'_, Result<Vec<TopicInfo>, BrokerError>> {
        self.inner.topics()
    }

    fn bounds<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, Result<Vec<Bounds>, BrokerError>> {
        Box::pin(async move {
            self.check()?;
            self.inner.bounds(topic).await
        })
    }

    fn offsets_at<'a>(&'a self, topic: &'a str, at_ms: i64) -> BoxFuture<'a, Result<Vec<u64>, BrokerError>> {
        self.inner.offsets_at(topic, at_ms)
    }

    fn committed<'a>(
        &'a self,
        group: &'a str,
        topic: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Option<u64>>, BrokerError>> {
        self.inner.committed(group, topic)
    }

    fn reset<'a>(
        &'a self,
        group: &'a str,
        topic: &'a str,
        offsets: &'a [(u32, u64)],
    ) -> BoxFuture<'a, Result<(), BrokerError>> {
        self.inner.reset(group, topic, offsets)
    }

    fn producer(&self) -> Result<Arc<dyn Producer>, BrokerError> {
        let (away, failed) = (self.away.clone(), self.failed.clone());
        Ok(Arc::new(FlakyProducer { inner: self.inner.producer()?, away, hangs: self.hangs.clone(), failed }))
    }

    fn cursor(&self, topic: &str, starts: &[(u32, u64)]) -> Result<Box<dyn Cursor>, BrokerError> {
        self.check()?;
        let (away, failed) = (self.away.clone(), self.failed.clone());
        Ok(Box::new(FlakyCursor { inner: self.inner.cursor(topic, starts)?, away, failed }))
    }

    fn subscribe(&self, topic: &str, settings: &GroupSettings) -> Result<Box<dyn Consumer>, BrokerError> {
        self.inner.subscribe(topic, settings)
    }
}

struct FlakyProducer {
    inner: Arc<dyn Producer>,
    away: Arc<AtomicBool>,
    hangs: Arc<AtomicBool>,
    failed: Arc<AtomicUsize>,
}

impl Producer for FlakyProducer {
    fn append<'a>(
        &'a self,
        topic: &'a str,
        records: Vec<Append>,
    ) -> BoxFuture<'a, Result<Vec<Position>, BrokerError>> {
        Box::pin(async move {
            if self.hangs.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            check(&self.away, &self.failed)?;
            self.inner.append(topic, records).await
        })
    }
}

struct FlakyCursor {
    inner: Box<dyn Cursor>,
    away: Arc<AtomicBool>,
    failed: Arc<AtomicUsize>,
}

impl Cursor for FlakyCursor {
    fn fetch(&mut self, max: usize, wait: Duration) -> BoxFuture<'_, Result<Option<Fetched>, BrokerError>> {
        Box::pin(async move {
            let fetched = self.inner.fetch(max, wait).await?;
            check(&self.away, &self.failed)?;
            Ok(fetched)
        })
    }

    fn seek(&mut self, partition: u32, offset: u64) -> Result<(), BrokerError> {
        self.inner.seek(partition, offset)
    }

    fn position(&self, partition: u32) -> Option<u64> {
        self.inner.position(partition)
    }
}
