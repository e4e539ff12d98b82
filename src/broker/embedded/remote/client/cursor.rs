//! A cursor through the socket.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::wire::{Reply, Request};
use super::conversation::{SLICE, split, waiting_for};
use super::line::{Line, strange};
use super::lines::Lines;
use crate::broker::{BrokerError, Cursor, Fetched};
use crate::topology::BoxFuture;

/// Knows its places itself and says them with every request, so that a new connection goes on where the last one
/// ended.
pub(super) struct RemoteCursor {
    lines: Arc<Lines>,
    topic: String,
    places: BTreeMap<u32, u64>,
    line: Option<Line>,
    /// The requests that have no answer yet, and whose answer is still of use. Only the last of them waits.
    asked: Option<RangeInclusive<u64>>,
    /// Records that came for a fetch that was dropped, and do not fit into the next.
    ready: Option<Fetched>,
}

impl RemoteCursor {
    pub(super) fn new(lines: Arc<Lines>, topic: &str, starts: &[(u32, u64)]) -> Self {
        let places = starts.iter().copied().collect();
        Self { lines, topic: topic.to_owned(), places, line: None, asked: None, ready: None }
    }

    async fn next(&mut self, max: usize, wait: Duration) -> Result<Option<Fetched>, BrokerError> {
        let deadline = Instant::now().checked_add(wait);
        // What a dropped fetch asked for may be on its way: its records are as good, but not its wait.
        let mut is_ours = false;
        loop {
            if let Some(fetched) = self.ready.take_if(|_| max > 0) {
                let (given, rest) = split(fetched, max);
                self.ready = rest;
                self.places.insert(given.partition, given.next);
                return Ok(Some(given));
            }
            let left = deadline.map_or(SLICE, |deadline| deadline.saturating_duration_since(Instant::now()));
            let slice = left.min(SLICE);
            if self.asked.is_none() || (!is_ours && slice.is_zero()) {
                self.ask(max, slice).await?;
                is_ours = true;
            }
            match self.answer(slice, is_ours).await? {
                // The older request holds no longer than this fetch may wait.
                None => self.ask(max, Duration::ZERO).await.map(|()| is_ours = true)?,
                Some(Reply::Records(fetched)) if self.places.contains_key(&fetched.partition) => {
                    self.ready = Some(fetched);
                }
                Some(Reply::Places(places)) => {
                    self.places.extend(places);
                    if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                        return Ok(None);
                    }
                }
                Some(other) => {
                    self.line = None;
                    return Err(strange(&self.lines.socket, &other));
                }
            }
        }
    }

    /// Sends a request, beside the one that may be on its way.
    async fn ask(&mut self, max: usize, wait: Duration) -> Result<(), BrokerError> {
        // A server closes what is idle for long.
        let line = match self.line.take_if(|line| line.is_open()) {
            Some(line) => self.line.insert(line),
            None => {
                let limit = self.lines.settings.request_timeout;
                let line = self.lines.within("connecting", limit, self.lines.open()).await?;
                self.asked = None;
                self.line.insert(line)
            }
        };
        let places = self.places.iter().map(|(p, offset)| (*p, *offset)).collect();
        let max = u32::try_from(max).unwrap_or(u32::MAX);
        let sent = line.send(&Request::Fetch { topic: self.topic.clone(), places, max, wait });
        let id = sent.inspect_err(|_| self.line = None)?;
        self.asked = Some(self.asked.take().map_or(id, |asked| *asked.start())..=id);
        Ok(())
    }

    /// The next answer of use. `None` when none came within `slice` to a request that is not ours.
    async fn answer(&mut self, slice: Duration, is_ours: bool) -> Result<Option<Reply>, BrokerError> {
        let (Some(asked), Some(line)) = (self.asked.clone(), &mut self.line) else { return Ok(None) };
        let answer = async {
            loop {
                match line.reply().await? {
                    // Ended by the next request, which is still to be answered.
                    (id, Ok(Reply::Nothing)) if id < *asked.end() => {}
                    (id, answer) if asked.contains(&id) => return Ok(answer),
                    // Asked before a seek.
                    _ => {}
                }
            }
        };
        if !is_ours {
            match tokio::time::timeout(slice, answer).await {
                Err(_) => return Ok(None),
                Ok(answer) => return self.settle(answer),
            }
        }
        let limit = waiting_for(slice, self.lines.settings.request_timeout);
        let answer = self.lines.within("a fetch", limit, answer).await;
        self.settle(answer)
    }

    fn settle(
        &mut self,
        answer: Result<Result<Reply, BrokerError>, BrokerError>,
    ) -> Result<Option<Reply>, BrokerError> {
        self.asked = None;
        // The outer errors are those of the connection.
        let answer = answer.inspect_err(|_| self.line = None)?;
        answer.map(Some)
    }
}

impl Cursor for RemoteCursor {
    fn fetch(&mut self, max: usize, wait: Duration) -> BoxFuture<'_, Result<Option<Fetched>, BrokerError>> {
        Box::pin(self.next(max, wait))
    }

    fn seek(&mut self, partition: u32, offset: u64) -> Result<(), BrokerError> {
        let unknown = || BrokerError::UnknownPartition { topic: self.topic.clone(), partition };
        *self.places.get_mut(&partition).ok_or_else(unknown)? = offset;
        // Of what is on its way for other partitions nothing was handed out: it comes again.
        (self.asked, self.ready) = (None, None);
        Ok(())
    }

    fn position(&self, partition: u32) -> Option<u64> {
        self.places.get(&partition).copied()
    }
}
