//! A log that holds its group to the rule: nothing is committed that is not stored, and nothing moves back.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use super::Stored;
use crate::broker::{
    Append, Bounds, Broker, BrokerError, Commit, Consumer, ConsumerEvent, Cursor, Fetched, GroupSettings,
    Position, Producer, TopicInfo, TopicSpec, dead_letter,
};
use crate::topology::BoxFuture;

#[derive(Default)]
pub(super) struct Seen {
    committed: BTreeMap<u32, u64>,
    /// What broke the rule.
    pub(super) violations: Vec<String>,
    /// Settings of the members that joined.
    pub(super) joined: Vec<GroupSettings>,
    /// Commits that do not wait, as they were asked for.
    pub(super) commits: Vec<Vec<Commit>>,
    /// Records that were pulled.
    pub(super) pulled: usize,
    pub(super) revoked: usize,
    pub(super) lost: usize,
    /// Cursors that were opened.
    pub(super) cursors: usize,
    /// This many commits that do not wait fail, of which the next one tells, as with a client of a cluster.
    pub(super) fail_commits: usize,
    failed_commit: bool,
    /// This many commits that are waited for fail.
    pub(super) fail_notes: usize,
    /// Polls that fail.
    pub(super) fail_polls: VecDeque<BrokerError>,
    /// Cursors that cannot be opened.
    pub(super) fail_cursors: VecDeque<BrokerError>,
    /// This many releases fail.
    pub(super) fail_releases: usize,
    /// Offsets at which partition 0 has no record, which are passed over in a fetch that brings none.
    pub(super) hole: Option<Fetched>,
    pub(super) events: VecDeque<ConsumerEvent>,
}

/// Clones share everything.
#[derive(Clone)]
pub(super) struct Checked {
    inner: Arc<dyn Broker>,
    pub(super) stored: Stored,
    pub(super) seen: Arc<Mutex<Seen>>,
}

impl Checked {
    pub(super) fn new(inner: Arc<dyn Broker>) -> Self {
        Self { inner, stored: Stored::default(), seen: Arc::default() }
    }

    /// Fails when the rule was broken.
    pub(super) fn assert_kept(&self) {
        assert_eq!(self.seen.lock().unwrap().violations, [""; 0]);
    }
}

struct CheckedConsumer {
    inner: Box<dyn Consumer>,
    log: Checked,
    topic: String,
    group: String,
}

impl CheckedConsumer {
    /// Looks at what is committed now.
    async fn look(&mut self) {
        let committed = self.log.inner.committed(&self.group, &self.topic).await.unwrap();
        let bounds = self.log.inner.bounds(&self.topic).await.unwrap();
        let (stored, mut seen) = (self.log.stored.lock().unwrap(), self.log.seen.lock().unwrap());
        for (bounds, next) in bounds.iter().zip(committed) {
            let (partition, next) = (bounds.partition, next.unwrap_or(0));
            let before = seen.committed.insert(partition, next).unwrap_or(0);
            if next < before {
                seen.violations.push(format!("partition {partition} went back from {before} to {next}"));
            }
            let missing = (before..next).find(|offset| !stored.contains_key(&(partition, *offset)));
            if let Some(missing) = missing {
                seen.violations.push(format!("{partition}@{missing} is not stored but {next} is committed"));
            }
        }
    }
}

/// Counts what is durable in the topic `dead` as done with.
struct CheckedProducer {
    inner: Arc<dyn Producer>,
    log: Checked,
}

impl Producer for CheckedProducer {
    fn append<'a>(
        &'a self,
        topic: &'a str,
        records: Vec<Append>,
    ) -> BoxFuture<'a, Result<Vec<Position>, BrokerError>> {
        Box::pin(async move {
            let number = |record: &Append, name| -> u64 {
                std::str::from_utf8(record.headers.last(name).unwrap()).unwrap().parse().unwrap()
            };
            let place = |record: &Append| {
                let partition = number(record, dead_letter::ORIGIN_PARTITION) as u32;
                (partition, number(record, dead_letter::ORIGIN_OFFSET))
            };
            assert_eq!(topic, "dead");
            let places: Vec<_> = records.iter().map(place).collect();
            let positions = self.inner.append(topic, records).await?;
            let mut stored = self.log.stored.lock().unwrap();
            for place in places {
                stored.entry(place).or_default();
            }
            Ok(positions)
        })
    }
}

fn failure() -> BrokerError {
    BrokerError::Timeout { what: "a commit".to_owned(), after_ms: 1 }
}

impl Consumer for CheckedConsumer {
    fn poll(&mut self, max: usize) -> BoxFuture<'_, Result<ConsumerEvent, BrokerError>> {
        Box::pin(async move {
            self.look().await;
            {
                let mut seen = self.log.seen.lock().unwrap();
                if let Some(error) = seen.fail_polls.pop_front() {
                    return Err(error);
                }
                if let Some(event) = seen.events.pop_front() {
                    return Ok(event);
                }
            }
            let event = self.inner.poll(max).await?;
            let mut seen = self.log.seen.lock().unwrap();
            match &event {
                ConsumerEvent::Records(fetched) => seen.pulled += fetched.records.len(),
                ConsumerEvent::Revoking(partitions) => seen.revoked += partitions.len(),
                ConsumerEvent::Lost(partitions) => seen.lost += partitions.len(),
                ConsumerEvent::Assigned(_) => {
                    let hole = seen.hole.take().map(ConsumerEvent::Records);
                    seen.events.extend(hole);
                }
            }
            Ok(event)
        })
    }

    fn pause(&mut self, partition: u32, at: u64) -> Result<(), BrokerError> {
        self.inner.pause(partition, at)
    }

    fn resume(&mut self, partition: u32) -> Result<(), BrokerError> {
        self.inner.resume(partition)
    }

    fn commit_now<'a>(&'a mut self, commits: &'a [Commit]) -> BoxFuture<'a, Result<(), BrokerError>> {
        Box::pin(async move {
            {
                let mut seen = self.log.seen.lock().unwrap();
                if seen.fail_notes > 0 {
                    seen.fail_notes -= 1;
                    return Err(failure());
                }
            }
            self.inner.commit_now(commits).await?;
            self.look().await;
            Ok(())
        })
    }

    fn commit(&mut self, commits: &[Commit]) -> Result<(), BrokerError> {
        let mut seen = self.log.seen.lock().unwrap();
        seen.commits.push(commits.to_vec());
        let failed = std::mem::take(&mut seen.failed_commit);
        if seen.fail_commits > 0 {
            seen.fail_commits -= 1;
            seen.failed_commit = true;
        } else {
            self.inner.commit(commits)?;
        }
        if failed { Err(failure()) } else { Ok(()) }
    }

    fn release<'a>(&'a mut self, commits: &'a [Commit]) -> BoxFuture<'a, Result<(), BrokerError>> {
        Box::pin(async move {
            self.look().await;
            {
                let mut seen = self.log.seen.lock().unwrap();
                if seen.fail_releases > 0 {
                    seen.fail_releases -= 1;
                    return Err(failure());
                }
            }
            self.inner.release(commits).await?;
            self.look().await;
            Ok(())
        })
    }

    fn close<'a>(&'a mut self, commits: &'a [Commit]) -> BoxFuture<'a, Result<(), BrokerError>> {
        Box::pin(async move {
            self.look().await;
            self.inner.close(commits).await?;
            self.look().await;
            Ok(())
        })
    }
}

impl Broker for Checked {
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

    fn offsets_at<'a>(&'a self, topic: &'a str, time: i64) -> BoxFuture<'a, Result<Vec<u64>, BrokerError>> {
        self.inner.offsets_at(topic, time)
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
        Ok(Arc::new(CheckedProducer { inner: self.inner.producer()?, log: self.clone() }))
    }

    fn cursor(&self, topic: &str, starts: &[(u32, u64)]) -> Result<Box<dyn Cursor>, BrokerError> {
        let mut seen = self.seen.lock().unwrap();
        seen.cursors += 1;
        match seen.fail_cursors.pop_front() {
            Some(error) => Err(error),
            None => self.inner.cursor(topic, starts),
        }
    }

    fn subscribe(&self, topic: &str, settings: &GroupSettings) -> Result<Box<dyn Consumer>, BrokerError> {
        self.seen.lock().unwrap().joined.push(settings.clone());
        let inner = self.inner.subscribe(topic, settings)?;
        let (topic, group) = (topic.to_owned(), settings.group.clone());
        Ok(Box::new(CheckedConsumer { inner, log: self.clone(), topic, group }))
    }
}
