//! The connection of a group member.

use super::super::wire::{Reply, Request};
use super::conversation::SLICE;
use super::holds::Holds;
use super::line::Line;
use super::lines::Lines;
use crate::broker::{BrokerError, Commit, GroupSettings};

/// A connection that has joined a group. Leaves it when it is dropped.
///
/// A poll, a commit, pauses and a delivery may be on their way at once; the server ends the wait of the poll for what
/// follows it, and what it answers meanwhile is kept for the next poll.
pub(super) struct Seat {
    line: Line,
    polling: Option<u64>,
    committing: Option<u64>,
    holding: Option<u64>,
    /// Pauses and resumptions, which go before the next poll.
    pub(super) holds: Holds,
    /// The answer to a poll that came while something else was waited for.
    polled: Option<Result<Reply, BrokerError>>,
    /// The error of a commit that nobody waited for.
    failed: Option<BrokerError>,
}

impl Seat {
    pub(super) async fn join(lines: &Lines, topic: &str, settings: &GroupSettings) -> Result<Self, BrokerError> {
        let mut line = lines.open().await?;
        line.ask(&Request::Subscribe(topic.to_owned(), settings.clone())).await??;
        let holds = Holds::default();
        Ok(Self { line, polling: None, committing: None, holding: None, holds, polled: None, failed: None })
    }

    /// The answer to the poll that is on its way, or to a new one; nothing of what was paused meanwhile. Cancel-safe.
    pub(super) async fn poll(&mut self, max: usize) -> Result<Result<Reply, BrokerError>, BrokerError> {
        loop {
            if let Some(answer) = self.polled.take().filter(|answer| self.holds.lets_pass(answer)) {
                return Ok(answer);
            }
            // One at a time, so that a server that is slow to answer does not get ever more to do.
            if self.holding.is_none()
                && let Some(holds) = self.holds.take()
            {
                self.holding = Some(self.line.send(&Request::Hold(holds))?);
            }
            if self.polling.is_none() && self.holds.are_sent() {
                let max = u32::try_from(max).unwrap_or(u32::MAX);
                self.polling = Some(self.line.send(&Request::Poll { max, wait: SLICE })?);
                self.holds.polls_anew();
            }
            self.receive().await?;
        }
    }

    /// Whether a commit is on its way.
    pub(super) fn is_committing(&self) -> bool {
        self.committing.is_some()
    }

    /// Sends a commit without waiting.
    pub(super) fn commit(&mut self, commits: Vec<(u32, Commit)>) -> Result<(), BrokerError> {
        self.committing = Some(self.line.send(&Request::Commit(commits))?);
        Ok(())
    }

    /// The error of an earlier commit.
    pub(super) fn take_failure(&mut self) -> Option<BrokerError> {
        self.failed.take()
    }

    /// Asks and waits for the answer. An earlier commit that failed is superseded by it.
    pub(super) async fn deliver(&mut self, request: &Request) -> Result<Result<Reply, BrokerError>, BrokerError> {
        let asked = self.line.send(request)?;
        loop {
            if let Some((id, answer)) = self.receive().await?
                && id == asked
            {
                self.failed = None;
                return Ok(answer);
            }
        }
    }

    /// Takes the next reply; one that is neither to the poll, the commit nor the pauses is returned. Cancel-safe.
    ///
    /// # Errors
    /// Those of the connection, and of pauses: records would come that the caller does not expect.
    async fn receive(&mut self) -> Result<Option<(u64, Result<Reply, BrokerError>)>, BrokerError> {
        let (id, answer) = self.line.reply().await?;
        if self.polling == Some(id) {
            self.polling = None;
            self.polled = Some(answer);
        } else if self.committing == Some(id) {
            self.committing = None;
            self.failed = answer.err().or(self.failed.take());
        } else if self.holding == Some(id) {
            self.holding = None;
            answer?;
        } else {
            return Ok(Some((id, answer)));
        }
        Ok(None)
    }
}
