//! A group member through the socket.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::super::wire::{Reply, Request};
use super::conversation::{SLICE, split, waiting_for};
use super::line::strange;
use super::lines::Lines;
use super::seat::Seat;
use crate::broker::commit::not_assigned;
use crate::broker::{BrokerError, Commit, Consumer, ConsumerEvent, Fetched, GroupSettings};
use crate::topology::BoxFuture;

/// Joins with its first poll. It is a member as long as its connection stands; one that breaks has lost its
/// partitions, which is said before it joins again.
pub(super) struct RemoteConsumer {
    lines: Arc<Lines>,
    topic: String,
    settings: GroupSettings,
    seat: Option<Seat>,
    /// What came and was not handed out yet.
    ready: VecDeque<ConsumerEvent>,
    /// Partitions that the caller knows to be its own, with the epoch of each.
    assigned: BTreeMap<u32, u32>,
    /// Of those, the ones that the caller knows to be wanted back.
    revoking: Vec<u32>,
    /// What is added to the server's epochs, which begin anew with each connection.
    base: u32,
    newest: u32,
    /// Commits that wait for the one on its way.
    commits: BTreeMap<u32, Commit>,
    closed: bool,
}

impl RemoteConsumer {
    pub(super) fn new(lines: Arc<Lines>, topic: &str, settings: &GroupSettings) -> Self {
        Self {
            lines,
            topic: topic.to_owned(),
            settings: settings.clone(),
            seat: None,
            ready: VecDeque::new(),
            assigned: BTreeMap::new(),
            revoking: Vec::new(),
            base: 0,
            newest: 0,
            commits: BTreeMap::new(),
            closed: false,
        }
    }

    async fn next_event(&mut self, max: usize) -> Result<ConsumerEvent, BrokerError> {
        loop {
            if self.closed {
                return Err(CLOSED);
            }
            if let Some(event) = self.ready.pop_front() {
                return Ok(self.hand_out(event, max));
            }
            match self.ask(max).await {
                Ok(Reply::Event(event)) => {
                    let event = self.renumber(event);
                    self.ready.push_back(event);
                }
                Ok(Reply::Nothing) => {}
                Ok(other) => {
                    let error = strange(&self.lines.socket, &other);
                    self.disconnect();
                    return Err(error);
                }
                Err(error) => {
                    // Partitions that went with the connection are said to be lost, before the error comes again.
                    if self.seat.is_none() && !self.ready.is_empty() {
                        tracing::warn!(%error, "a group member lost its connection");
                        continue;
                    }
                    return Err(error);
                }
            }
        }
    }

    /// The answer to a poll, the one that is on its way or a new one. Cancel-safe.
    async fn ask(&mut self, max: usize) -> Result<Reply, BrokerError> {
        let limit = self.lines.settings.request_timeout;
        if self.seat.is_none() {
            let joining = Seat::join(&self.lines, &self.topic, &self.settings);
            self.seat = Some(self.lines.within("joining", limit, joining).await?);
            self.base = self.newest;
        }
        self.send_commits();
        let Some(seat) = &mut self.seat else { return Ok(Reply::Nothing) };
        let answer = self.lines.within("a poll", waiting_for(SLICE, limit), seat.poll(max)).await;
        // The inner errors are the log's, the outer ones those of the connection.
        answer.inspect_err(|_| self.disconnect())?
    }

    /// What the caller learns with an event.
    fn hand_out(&mut self, event: ConsumerEvent, max: usize) -> ConsumerEvent {
        match event {
            ConsumerEvent::Assigned(grants) => {
                self.assigned.extend(grants.iter().map(|grant| (grant.partition, grant.epoch)));
                ConsumerEvent::Assigned(grants)
            }
            ConsumerEvent::Revoking(partitions) => {
                self.revoking.extend(&partitions);
                ConsumerEvent::Revoking(partitions)
            }
            ConsumerEvent::Lost(partitions) => {
                self.assigned.retain(|p, _| !partitions.contains(p));
                self.revoking.retain(|p| !partitions.contains(p));
                self.commits.retain(|p, _| !partitions.contains(p));
                ConsumerEvent::Lost(partitions)
            }
            ConsumerEvent::Records(fetched) => {
                let (given, rest) = split(fetched, max);
                if let Some(rest) = rest {
                    self.ready.push_front(ConsumerEvent::Records(rest));
                }
                ConsumerEvent::Records(given)
            }
        }
    }

    /// The same event with epochs that grow over all connections.
    fn renumber(&mut self, event: ConsumerEvent) -> ConsumerEvent {
        match event {
            ConsumerEvent::Assigned(mut grants) => {
                for grant in &mut grants {
                    grant.epoch = grant.epoch.saturating_add(self.base);
                    self.newest = self.newest.max(grant.epoch);
                }
                ConsumerEvent::Assigned(grants)
            }
            ConsumerEvent::Records(fetched) => {
                let epoch = fetched.epoch.saturating_add(self.base);
                ConsumerEvent::Records(Fetched { epoch, ..fetched })
            }
            other => other,
        }
    }

    /// The server's epoch of a partition that is ours.
    fn epoch(&self, partition: u32) -> Option<u32> {
        self.assigned.get(&partition).map(|epoch| epoch.saturating_sub(self.base))
    }

    /// The seat, and the server's epoch of a partition of which records may come.
    fn reading(&mut self, partition: u32) -> Result<Option<(&mut Seat, u32)>, BrokerError> {
        if self.closed {
            return Err(CLOSED);
        }
        let epoch = self.epoch(partition).filter(|_| !self.revoking.contains(&partition));
        Ok(self.seat.as_mut().zip(epoch))
    }

    /// Everything to be committed now, the newest of each partition that is ours, with the server's epochs.
    fn take_commits(&mut self, commits: &[Commit]) -> Vec<(u32, Commit)> {
        let mut all = std::mem::take(&mut self.commits);
        all.extend(commits.iter().map(|commit| (commit.partition, *commit)));
        all.into_values().filter_map(|commit| Some((self.epoch(commit.partition)?, commit))).collect()
    }

    fn send_commits(&mut self) {
        if self.commits.is_empty() || self.seat.as_ref().is_none_or(Seat::is_committing) {
            return;
        }
        let commits = self.take_commits(&[]);
        if let Some(seat) = &mut self.seat {
            // A connection that has failed is noticed by the next poll.
            let _failed = seat.commit(commits);
        }
    }

    /// Asks for what must be done when it returns. Without a connection nothing is ours, so there is nothing to do.
    async fn deliver(&mut self, request: Request) -> Result<(), BrokerError> {
        let Some(seat) = &mut self.seat else { return Ok(()) };
        let limit = self.lines.settings.delivery_timeout;
        let answer = self.lines.within("commit", limit, seat.deliver(&request)).await;
        match answer.inspect_err(|_| self.disconnect())?? {
            Reply::Done => Ok(()),
            other => Err(strange(&self.lines.socket, &other)),
        }
    }

    /// Is no member any more. What the caller holds is lost.
    fn disconnect(&mut self) {
        self.seat = None;
        self.commits.clear();
        self.ready.clear();
        if !self.assigned.is_empty() {
            self.ready.push_back(ConsumerEvent::Lost(self.assigned.keys().copied().collect()));
        }
    }
}

impl Consumer for RemoteConsumer {
    fn poll(&mut self, max: usize) -> BoxFuture<'_, Result<ConsumerEvent, BrokerError>> {
        Box::pin(self.next_event(max))
    }

    fn pause(&mut self, partition: u32, at: u64) -> Result<(), BrokerError> {
        if let Some((seat, epoch)) = self.reading(partition)? {
            seat.holds.pause(partition, epoch, at);
            self.ready.retain(
                |event| !matches!(event, ConsumerEvent::Records(fetched) if fetched.partition == partition),
            );
        }
        Ok(())
    }

    fn resume(&mut self, partition: u32) -> Result<(), BrokerError> {
        if let Some((seat, epoch)) = self.reading(partition)? {
            seat.holds.resume(partition, epoch);
        }
        Ok(())
    }

    fn commit(&mut self, commits: &[Commit]) -> Result<(), BrokerError> {
        // Without a connection nothing is ours.
        if self.seat.is_none() {
            return Ok(());
        }
        let ours = commits.iter().filter(|commit| self.assigned.contains_key(&commit.partition));
        self.commits.extend(ours.map(|commit| (commit.partition, *commit)));
        self.send_commits();
        self.seat.as_mut().and_then(Seat::take_failure).map_or(Ok(()), Err)
    }

    fn commit_now<'a>(&'a mut self, commits: &'a [Commit]) -> BoxFuture<'a, Result<(), BrokerError>> {
        Box::pin(async move {
            let ours = |commit: &Commit| self.seat.is_some() && self.epoch(commit.partition).is_some();
            let whole = commits.iter().all(ours);
            let commits = self.take_commits(commits);
            self.deliver(Request::Release { commits, give_back: false }).await?;
            if whole { Ok(()) } else { Err(not_assigned()) }
        })
    }

    fn release<'a>(&'a mut self, commits: &'a [Commit]) -> BoxFuture<'a, Result<(), BrokerError>> {
        Box::pin(async move {
            let commits = self.take_commits(commits);
            let give_back = !self.revoking.is_empty();
            self.deliver(Request::Release { commits, give_back }).await?;
            for partition in std::mem::take(&mut self.revoking) {
                self.assigned.remove(&partition);
            }
            Ok(())
        })
    }

    fn close<'a>(&'a mut self, commits: &'a [Commit]) -> BoxFuture<'a, Result<(), BrokerError>> {
        Box::pin(async move {
            let commits = self.take_commits(commits);
            let outcome = self.deliver(Request::Close(commits)).await;
            self.closed = true;
            self.seat = None;
            outcome
        })
    }
}

const CLOSED: BrokerError = BrokerError::Closed { what: "the consumer" };
