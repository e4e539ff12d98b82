//! The connections that calls share.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::super::super::shared::UNPOISONED;
use super::super::wire::{Reply, Request};
use super::RemoteSettings;
use super::line::Line;
use crate::broker::BrokerError;

/// Idle connections to one server, and the way to new ones.
pub(super) struct Lines {
    pub(super) socket: Arc<Path>,
    pub(super) settings: RemoteSettings,
    idle: Mutex<Vec<Line>>,
    room: Semaphore,
    max_record_bytes: AtomicUsize,
    frame_bytes: AtomicUsize,
}

impl Lines {
    /// Begins with a connection that was just made.
    pub(super) fn new(socket: Arc<Path>, settings: RemoteSettings, first: Line) -> Self {
        let room = Semaphore::new(settings.connections.clamp(1, Semaphore::MAX_PERMITS));
        let (record, frame) = (first.max_record_bytes.into(), first.frame_bytes.into());
        let idle = Mutex::new(vec![first]);
        Self { socket, settings, idle, room, max_record_bytes: record, frame_bytes: frame }
    }

    /// A new connection.
    pub(super) async fn open(&self) -> Result<Line, BrokerError> {
        let line = Line::open(&self.socket).await?;
        self.max_record_bytes.store(line.max_record_bytes, Ordering::Relaxed);
        self.frame_bytes.store(line.frame_bytes, Ordering::Relaxed);
        Ok(line)
    }

    /// Bytes that a record may have, as the server said last.
    pub(super) fn max_record_bytes(&self) -> usize {
        self.max_record_bytes.load(Ordering::Relaxed)
    }

    /// Bytes that a request may have.
    pub(super) fn frame_bytes(&self) -> usize {
        self.frame_bytes.load(Ordering::Relaxed)
    }

    /// Asks within the time of a question.
    pub(super) async fn question(&self, what: &str, request: &Request) -> Result<Reply, BrokerError> {
        self.within(what, self.settings.request_timeout, self.ask(request)).await
    }

    /// Asks for what must become durable, within the time of that.
    pub(super) async fn delivery(&self, what: &str, request: &Request) -> Result<Reply, BrokerError> {
        self.within(what, self.settings.delivery_timeout, self.ask(request)).await
    }

    /// Asks over a connection that is idle, or a new one. One that failed, or whose answer nobody waits for any more,
    /// is closed.
    pub(super) async fn ask(&self, request: &Request) -> Result<Reply, BrokerError> {
        let _room = self.room.acquire().await.expect("the semaphore is never closed");
        let mut line = match self.idle() {
            Some(line) => line,
            None => self.open().await?,
        };
        let answer = line.ask(request).await?;
        self.idle.lock().expect(UNPOISONED).push(line);
        answer
    }

    /// `work`, with the error of a call that took too long.
    pub(super) async fn within<T>(
        &self,
        what: &str,
        limit: Duration,
        work: impl Future<Output = Result<T, BrokerError>>,
    ) -> Result<T, BrokerError> {
        let late = || BrokerError::Timeout {
            what: format!("{what} through {}", self.socket.display()),
            after_ms: limit.as_millis() as u64,
        };
        tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(late()))
    }

    /// A connection that is still good.
    fn idle(&self) -> Option<Line> {
        let mut idle = self.idle.lock().expect(UNPOISONED);
        while let Some(mut line) = idle.pop() {
            if line.is_idle() {
                return Some(line);
            }
        }
        None
    }
}
