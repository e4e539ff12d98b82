//! A log that goes away and comes back, and on which others are at work.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::broker::embedded::EmbeddedBroker;
use crate::broker::{
    Append, Bounds, Broker, BrokerError, Consumer, Cursor, Fetched, GroupSettings, Position, Producer, TopicInfo,
    TopicSpec,
};
use crate::topology::BoxFuture;

/// Clones of its state are shared with its cursors and its producer.
pub(crate) struct Flaky {
    inner: EmbeddedBroker,
    away: Arc<AtomicBool>,
    hangs: Arc<AtomicBool>,
    /// Who reads what as fast as it arrives: a group and a topic.
    busy: OnceLock<(String, String)>,
    /// The topic and the partition of which no cursor gets a record.
    mute: OnceLock<(String, u32)>,
    /// Calls that failed.
    pub(crate) failed: Arc<AtomicUsize>,
}

impl Flaky {
    pub(crate) fn over(inner: EmbeddedBroker) -> Self {
        let (away, hangs, busy, mute, failed) = Default::default();
        Self { inner, away, hangs, busy, mute, failed }
    }

    /// Takes the log away from everybody, or gives it back.
    pub(crate) fn away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// From now on appends never end.
    pub(crate) fn hang(&self) {
        self.hangs.store(true, Ordering::SeqCst);
    }

    /// From now on a record arrives in each partition of `topic`, and is committed by `group`, after every answer to
    /// what the topic holds and to what the group has committed.
    pub(crate) fn busy(&self, group: &str, topic: &str) {
        self.busy.set((group.to_owned(), topic.to_owned())).expect("it is told once");
    }

    /// From now on cursors get no record of this partition.
    pub(crate) fn mute(&self, topic: &str, partition: u32) {
        self.mute.set((topic.to_owned(), partition)).expect("it is told once");
    }

    async fn go_on(&self, answered: &str) {
        let Some((group, topic)) = self.busy.get().filter(|(_, topic)| topic == answered) else { return };
        let held = self.inner.bounds(topic).await.unwrap();
        let record = |held: &Bounds| Append { partition: Some(held.partition), ..Append::default() };
        let producer = self.inner.producer().unwrap();
        producer.append(topic, held.iter().map(record).collect()).await.unwrap();
        let ends: Vec<_> = held.iter().map(|held| (held.partition, held.latest + 1)).collect();
        self.inner.reset(group, topic, &ends).await.unwrap();
    }

    /// Deletes records of a partition, as retention does.
    pub(crate) async fn delete_before(&self, topic: &str, partition: u32, offset: u64) {
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
            let bounds = self.inner.bounds(topic).await;
            self.go_on(topic).await;
            bounds
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
        Box::pin(async move {
            let committed = self.inner.committed(group, topic).await;
            self.go_on(topic).await;
            committed
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
        let (away, failed) = (self.away.clone(), self.failed.clone());
        Ok(Arc::new(FlakyProducer { inner: self.inner.producer()?, away, hangs: self.hangs.clone(), failed }))
    }

    fn cursor(&self, topic: &str, starts: &[(u32, u64)]) -> Result<Box<dyn Cursor>, BrokerError> {
        self.check()?;
        let (away, failed) = (self.away.clone(), self.failed.clone());
        let is_mute = |partition| self.mute.get().is_some_and(|mute| *mute == (topic.to_owned(), partition));
        let starts: Vec<_> = starts.iter().copied().filter(|(partition, _)| !is_mute(*partition)).collect();
        Ok(Box::new(FlakyCursor { inner: self.inner.cursor(topic, &starts)?, away, failed }))
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
