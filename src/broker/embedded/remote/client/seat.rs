//! The connection of a group member.

use super::super::wire::{Reply, Request};
use super::conversation::SLICE;
use super::line::Line;
use super::lines::Lines;
use crate::broker::{BrokerError, GroupSettings};

/// A connection that has joined a group. Leaves it when it is dropped.
///
/// A poll, a commit and a delivery may be on their way at once; the server ends the wait of the poll for what follows
/// it, and what it answers meanwhile is kept for the next poll.
pub(super) struct Seat {
    line: Line,
    polling: Option<u64>,
    committing: Option<u64>,
    /// The answer to a poll that came while something else was waited for.
    polled: Option<Result<Reply, BrokerError>>,
    /// The error of a commit that nobody waited for.
    failed: Option<BrokerError>,
}

impl Seat {
    pub(super) async fn join(lines: &Lines, topic: &str, settings: &GroupSettings) -> Result<Self, BrokerError> {
        let mut line = lines.open().await?;
        line.ask(&Request::Subscribe(topic.to_owned(), settings.clone())).await??;
        Ok(Self { line, polling: None, committing: None, polled: None, failed: None })
    }

    /// The answer to the poll that is on its way, or to a new one. Cancel-safe.
    pub(super) async fn poll(&mut self, max: usize) -> Result<Result<Reply, BrokerError>, BrokerError> {
        loop {
            if let Some(answer) = self.polled.take() {
                return Ok(answer);
            }
            if self.polling.is_none() {
                let max = u32::try_from(max).unwrap_or(u32::MAX);
                self.polling = Some(self.line.send(&Request::Poll { max, wait: SLICE })?);
            }
            self.receive().await?;
        }
    }

    /// Whether a commit is on its way.
    pub(super) fn is_committing(&self) -> bool {
        self.committing.is_some()
    }

    /// Sends a commit without waiting.
    pub(super) fn commit(&mut self, offsets: Vec<(u32, u32, u64)>) -> Result<(), BrokerError> {
        self.committing = Some(self.line.send(&Request::Commit(offsets))?);
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

    /// Takes the next reply; one that is neither to the poll nor to the commit is returned. Cancel-safe.
    async fn receive(&mut self) -> Result<Option<(u64, Result<Reply, BrokerError>)>, BrokerError> {
        let (id, answer) = self.line.reply().await?;
        if self.polling == Some(id) {
            self.polling = None;
            self.polled = Some(answer);
        } else if self.committing == Some(id) {
            self.committing = None;
            self.failed = answer.err().or(self.failed.take());
        } else {
            return Ok(Some((id, answer)));
        }
        Ok(None)
    }
}
