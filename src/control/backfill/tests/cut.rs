//! A log that ends its worker at a chosen write, tells late what is committed, and keeps a list of what was read with.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::broker::embedded::EmbeddedBroker;
use crate::broker::{
    Append, Bounds, Broker, BrokerError, Commit, Consumer, ConsumerEvent, Cursor, GroupSettings, Position,
    Producer, TopicInfo, TopicSpec,
};
use crate::topology::BoxFuture;

/// Lets so many writes pass, of records and of commits that are waited for; at the next one the worker dies, before it is
/// made or right after. Beside that it tells what a group has committed as late as it is told to, and keeps a list of the
/// cursors that were opened.
#[derive(Clone)]
pub(super) struct Cut {
    pub(super) inner: Arc<EmbeddedBroker>,
    left: Arc<AtomicU64>,
    after: bool,
    pub(super) death: Arc<Notify>,
    /// How often it was asked what a group has committed.
    pub(super) asked: Arc<AtomicU64>,
    /// How many milliseconds it takes to tell.
    pub(super) tells_after_ms: Arc<AtomicU64>,
    opened: Arc<Mutex<Vec<Opened>>>,
}

/// A cursor that was opened.
#[derive(Debug, Clone)]
pub(super) struct Opened {
    topic: String,
    /// How many records it reads ahead; none where that is not bounded.
    pub(super) ahead: Option<usize>,
    pub(super) at: Instant,
}

impl Cut {
    pub(super) fn at(inner: &Arc<EmbeddedBroker>, writes: u64, after: bool) -> Self {
        Self {
            inner: inner.clone(),
            left: Arc::new(AtomicU64::new(writes)),
            after,
            death: Arc::default(),
            asked: Arc::default(),
            tells_after_ms: Arc::default(),
            opened: Arc::default(),
        }
    }

    /// The cursors over this topic, in the order in which they were opened.
    pub(super) fn opened(&self, topic: &str) -> Vec<Opened> {
        self.opened.lock().unwrap().iter().filter(|opened| opened.topic == topic).cloned().collect()
    }

    fn note(&self, topic: &str, ahead: Option<usize>) {
        self.opened.lock().unwrap().push(Opened { topic: topic.to_owned(), ahead, at: Instant::now() });
    }

    /// Whether this write is the one.
    fn is_last(&self) -> bool {
        self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err()
    }

    /// Makes a write, if whoever makes it lives that long.
    async fn pass<T>(&self, write: impl Future<Output = Result<T, BrokerError>>) -> Result<T, BrokerError> {
        if !self.is_last() {
            return write.await;
        }
        if self.after {
            write.await?;
        }
        self.death.notify_one();
        std::future::pending().await
    }
}

impl Producer for Cut {
    fn append<'a>(
        &'a self,
        topic: &'a str,
        records: Vec<Append>,
    ) -> BoxFuture<'a, Result<Vec<Position>, BrokerError>> {
        Box::pin(async move {
            let producer = self.inner.producer()?;
            self.pass(producer.append(topic, records)).await
        })
    }
}

struct CutConsumer {
    inner: Box<dyn Consumer>,
    cut: Cut,
}

impl Consumer for CutConsumer {
    fn poll(&mut self, max: usize) -> BoxFuture<'_, Result<ConsumerEvent, BrokerError>> {
        self.inner.poll(max)
    }

    fn pause(&mut self, partition: u32, at: u64) -> Result<(), BrokerError> {
        self.inner.pause(partition, at)
    }

    fn resume(&mut self, partition: u32) -> Result<(), BrokerError> {
        self.inner.resume(partition)
    }

    fn commit(&mut self, commits: &[Commit]) -> Result<(), BrokerError> {
        self.inner.commit(commits)
    }

    fn commit_now<'a>(&'a mut self, commits: &'a [Commit]) -> BoxFuture<'a, Result<(), BrokerError>> {
        Box::pin(self.cut.pass(self.inner.commit_now(commits)))
    }

    fn release<'a>(&'a mut self, commits: &'a [Commit]) -> BoxFuture<'a, Result<(), BrokerError>> {
        self.inner.release(commits)
    }

    fn close<'a>(&'a mut self, commits: &'a [Commit]) -> BoxFuture<'a, Result<(), BrokerError>> {
        self.inner.close(commits)
    }
}

impl Broker for Cut {
    fn create_topic<'a>(&'a self, spec: &'a TopicSpec) -> BoxFuture<'a, Result<(), BrokerError>> {
        self.inner.create_topic(spec)
    }

    fn delete_topic<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), BrokerError>> {
        self.inner.delete_topic(name)
    }

    fn topic<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<TopicInfo>, BrokerError>> {
        self.inner.topic(name)
    }

    fn topics(&self) -> BoxFuture<'_, Result<Vec<TopicInfo>, BrokerError>> {
        self.inner.topics()
    }

    fn bounds<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, Result<Vec<Bounds>, BrokerError>> {
        self.inner.bounds(topic)
    }

    fn offsets_at<'a>(&'a self, topic: &'a str, at_ms: i64) -> BoxFuture<'a, Result<Vec<u64>, BrokerError>> {
        self.inner.offsets_at(topic, at_ms)
    }

    fn committed<'a>(
        &'a self,
        group: &'a str,
        topic: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Option<u64>>, BrokerError>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(self.tells_after_ms.load(Ordering::Relaxed))).await;
            self.inner.committed(group, topic).await
        })
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
        Ok(Arc::new(self.clone()))
    }

    fn cursor(&self, topic: &str, starts: &[(u32, u64)]) -> Result<Box<dyn Cursor>, BrokerError> {
        self.note(topic, None);
        self.inner.cursor(topic, starts)
    }

    fn slow_cursor(
        &self,
        topic: &str,
        starts: &[(u32, u64)],
        ahead: usize,
    ) -> Result<Box<dyn Cursor>, BrokerError> {
        self.note(topic, Some(ahead));
        self.inner.slow_cursor(topic, starts, ahead)
    }

    fn subscribe(&self, topic: &str, settings: &GroupSettings) -> Result<Box<dyn Consumer>, BrokerError> {
        Ok(Box::new(CutConsumer { inner: self.inner.subscribe(topic, settings)?, cut: self.clone() }))
    }
}

/// Longer than any of these runs.
pub(super) const LONG: Duration = Duration::from_secs(3_600);
