//! What a connection asks of the log.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::timeout;

use super::super::wire::{Hold, Reply, Request};
use crate::broker::commit::not_assigned;
use crate::broker::embedded::EmbeddedBroker;
use crate::broker::embedded::consumer::EmbeddedConsumer;
use crate::broker::embedded::cursor::EmbeddedCursor;
use crate::broker::{Broker, BrokerError, Commit, Consumer, ConsumerEvent, Cursor, GroupSettings, TopicInfo};

/// The longest wait of one request; a client that waits longer asks again.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// Topics of one page. What follows is asked for with the next request.
const PAGE: usize = 1000;

/// The log as one connection sees it.
pub(super) struct Desk {
    log: EmbeddedBroker,
    cursor: Option<(String, EmbeddedCursor)>,
    member: Option<Member>,
}

/// A group member with the epochs that the client was told.
struct Member {
    consumer: EmbeddedConsumer,
    epochs: BTreeMap<u32, u32>,
}

impl Desk {
    pub(super) fn new(log: EmbeddedBroker) -> Self {
        Self { log, cursor: None, member: None }
    }

    /// Leaves the group, if this is a member.
    pub(super) fn leave(&mut self) {
        self.member = None;
    }

    /// Dropping this future is safe for what [`is_interruptible`](Request::is_interruptible).
    pub(super) async fn answer(&mut self, request: Request) -> Result<Reply, BrokerError> {
        Ok(match request {
            Request::CreateTopic(spec) => self.log.create_topic(&spec).await.map(|()| Reply::Done)?,
            Request::DeleteTopic(name) => self.log.delete_topic(&name).await.map(|()| Reply::Done)?,
            Request::Topic(name) => Reply::Topic(self.log.topic(&name).await?),
            Request::Topics(after) => Reply::Topics(page(self.log.topics().await?, &after)),
            Request::Bounds(topic) => Reply::Bounds(self.log.bounds(&topic).await?),
            Request::OffsetsAt(topic, time) => Reply::Offsets(self.log.offsets_at(&topic, time).await?),
            Request::Committed(group, topic) => Reply::Committed(self.log.committed(&group, &topic).await?),
            Request::Reset(group, topic, offsets) => {
                self.log.reset(&group, &topic, &offsets).await.map(|()| Reply::Done)?
            }
            Request::Append(topic, records) => {
                Reply::Positions(self.log.producer()?.append(&topic, records).await?)
            }
            Request::Fetch { topic, places, max, wait } => self.fetch(topic, &places, max, wait).await?,
            Request::Subscribe(topic, settings) => self.subscribe(&topic, &settings)?,
            Request::Poll { max, wait } => self.member()?.poll(max, wait).await?,
            Request::Hold(holds) => self.member()?.hold(&holds).map(|()| Reply::Done)?,
            Request::Commit(commits) => {
                let member = self.member()?;
                let known = member.known(&commits);
                member.consumer.commit(&known).map(|()| Reply::Done)?
            }
            Request::Release { commits, give_back } => self.member()?.release(&commits, give_back).await?,
            Request::Close(commits) => {
                let mut member = self.member.take().ok_or(CLOSED)?;
                let known = member.known(&commits);
                member.consumer.close(&known).await.map(|()| Reply::Done)?
            }
        })
    }

    async fn fetch(
        &mut self,
        topic: String,
        places: &[(u32, u64)],
        max: u32,
        wait: Duration,
    ) -> Result<Reply, BrokerError> {
        let cursor = self.cursor(topic, places)?;
        match cursor.fetch(max as usize, wait.min(MAX_WAIT)).await? {
            Some(fetched) => Ok(Reply::Records(fetched)),
            None => {
                let place = |(partition, _): &(u32, u64)| Some((*partition, cursor.position(*partition)?));
                Ok(Reply::Places(places.iter().filter_map(place).collect()))
            }
        }
    }

    /// The cursor of the last request, moved to where the client is; another one when that was another.
    fn cursor(&mut self, topic: String, places: &[(u32, u64)]) -> Result<&mut EmbeddedCursor, BrokerError> {
        let is_same = self.cursor.as_ref().is_some_and(|(of, cursor)| {
            *of == topic
                && cursor.len() == places.len()
                && places.iter().all(|(p, _)| cursor.position(*p).is_some())
        });
        if !is_same {
            let cursor = self.log.open_cursor(&topic, places, self.fetch_bytes())?;
            self.cursor = Some((topic, cursor));
        }
        let (_, cursor) = self.cursor.as_mut().expect("it was made just now, if it was not there");
        for (partition, offset) in places {
            if cursor.position(*partition) != Some(*offset) {
                cursor.seek(*partition, *offset)?;
            }
        }
        Ok(cursor)
    }

    fn subscribe(&mut self, topic: &str, settings: &GroupSettings) -> Result<Reply, BrokerError> {
        let consumer = self.log.join(topic, settings, self.fetch_bytes())?;
        self.member = Some(Member { consumer, epochs: BTreeMap::new() });
        Ok(Reply::Done)
    }

    fn member(&mut self) -> Result<&mut Member, BrokerError> {
        self.member.as_mut().ok_or(CLOSED)
    }

    /// A fetch fits into a frame with the record that ends it.
    fn fetch_bytes(&self) -> usize {
        self.log.settings().fetch_max_bytes.min(self.log.settings().max_record_bytes)
    }
}

impl Member {
    async fn poll(&mut self, max: u32, wait: Duration) -> Result<Reply, BrokerError> {
        let Ok(event) = timeout(wait.min(MAX_WAIT), self.consumer.poll(max as usize)).await else {
            return Ok(Reply::Nothing);
        };
        let event = event?;
        match &event {
            ConsumerEvent::Assigned(grants) => {
                self.epochs.extend(grants.iter().map(|grant| (grant.partition, grant.epoch)))
            }
            ConsumerEvent::Lost(partitions) => self.epochs.retain(|p, _| !partitions.contains(p)),
            ConsumerEvent::Revoking(_) | ConsumerEvent::Records(_) => {}
        }
        Ok(Reply::Event(event))
    }

    fn hold(&mut self, holds: &[Hold]) -> Result<(), BrokerError> {
        for Hold { partition, epoch, at, paused } in holds {
            if self.epochs.get(partition) != Some(epoch) {
                continue;
            }
            if let Some(at) = at {
                self.consumer.pause(*partition, *at)?;
            }
            if !paused {
                self.consumer.resume(*partition)?;
            }
        }
        Ok(())
    }

    async fn release(&mut self, commits: &[(u32, Commit)], give_back: bool) -> Result<Reply, BrokerError> {
        let known = self.known(commits);
        if give_back {
            self.consumer.release(&known).await?;
        } else {
            self.consumer.commit_now(&known).await?;
            if known.len() < commits.len() {
                return Err(not_assigned());
            }
        }
        Ok(Reply::Done)
    }

    /// The commits of assignments that have not been followed by another one, which the client may not know of yet.
    fn known(&self, commits: &[(u32, Commit)]) -> Vec<Commit> {
        let current = commits.iter().filter(|(epoch, commit)| self.epochs.get(&commit.partition) == Some(epoch));
        current.map(|(_, commit)| *commit).collect()
    }
}

fn page(topics: Vec<TopicInfo>, after: &str) -> Vec<TopicInfo> {
    topics.into_iter().filter(|topic| topic.name.as_str() > after).take(PAGE).collect()
}

const CLOSED: BrokerError = BrokerError::Closed { what: "the consumer" };
