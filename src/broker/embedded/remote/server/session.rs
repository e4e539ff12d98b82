//! One connection.

use std::future::pending;
use std::io::{Error, ErrorKind, Result};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::UnixStream;
use tokio::sync::OwnedSemaphorePermit;

use super::super::wire::{GREETING_BYTES, Greeting, Link, Reply, Request, frame_bytes, is_hello};
use super::desk::Desk;
use crate::broker::BrokerError;
use crate::broker::embedded::EmbeddedBroker;

/// A client, from its greeting to its end.
pub(super) struct Session {
    // First, so that there is room for another when a client sees the end of this one.
    _room: OwnedSemaphorePermit,
    link: Link,
    desk: Desk,
    frame_bytes: usize,
    io_timeout: Duration,
    idle_timeout: Duration,
    greeting: Greeting,
}

impl Session {
    pub(super) fn new(stream: UnixStream, log: EmbeddedBroker, room: OwnedSemaphorePermit) -> Self {
        let (greeting, frame_bytes) = (Greeting::welcome(log.settings()), frame_bytes(log.settings()));
        let (io_timeout, idle_timeout) = (log.settings().share_io_timeout, log.settings().share_idle_timeout);
        let link = Link::new(stream, GREETING_BYTES);
        Self { _room: room, link, desk: Desk::new(log), frame_bytes, io_timeout, idle_timeout, greeting }
    }

    /// Answers until the client goes, or does what it may not.
    pub(super) async fn serve(mut self) {
        let ended = match self.greet().await {
            Ok(()) => self.answer_all().await,
            Err(error) => error,
        };
        tracing::debug!(reason = %ended, "a connection to the log ended");
    }

    async fn greet(&mut self) -> Result<()> {
        let greeting = &self.greeting;
        self.link.queue(|buf| greeting.put(buf)).map_err(Error::other)?;
        within(self.io_timeout, self.link.flush()).await?;
        let hello = within(self.io_timeout, self.link.next()).await?;
        if !is_hello(&hello) {
            return Err(Error::new(ErrorKind::InvalidData, "it is no client of this version"));
        }
        self.link.set_limit(self.frame_bytes);
        Ok(())
    }

    async fn answer_all(&mut self) -> Error {
        loop {
            let done = match self.request().await {
                Ok(frame) => match Request::read(&frame) {
                    Some((id, request)) => self.answer(id, request).await,
                    None => self.refuse("it is no request of this version".to_owned()).await,
                },
                Err(error) if error.kind() == ErrorKind::InvalidData => self.refuse(error.to_string()).await,
                Err(error) => Err(error),
            };
            if let Err(ended) = done {
                return ended;
            }
        }
    }

    /// The next request, which may be long in coming, but not once it has begun.
    async fn request(&mut self) -> Result<Bytes> {
        if self.link.waiting() == 0 {
            within(self.idle_timeout, self.link.fill()).await?;
        }
        within(self.io_timeout, self.link.next()).await
    }

    async fn answer(&mut self, id: u64, request: Request) -> Result<()> {
        let interruptible = request.is_interruptible();
        let answer = tokio::select! {
            biased;
            answer = self.desk.answer(request) => answer,
            interrupted = watch(&mut self.link, interruptible, self.frame_bytes) => {
                interrupted?;
                Ok(Reply::Nothing)
            }
        };
        self.reply(id, answer).await
    }

    async fn reply(&mut self, id: u64, answer: std::result::Result<Reply, BrokerError>) -> Result<()> {
        if let Err(error) = self.link.queue(|buf| Reply::put(&answer, id, buf)) {
            // What a member was given and does not get would be missing without a trace.
            self.desk.leave();
            let error = Err(BrokerError::TooLarge { size: error.size, limit: error.limit });
            self.link.queue(|buf| Reply::put(&error, id, buf)).map_err(Error::other)?;
        }
        within(self.io_timeout, self.link.flush()).await
    }

    /// Answers what is no request, and ends.
    async fn refuse(&mut self, reason: String) -> Result<()> {
        let error = BrokerError::Invalid { what: "request", reason: reason.clone() };
        self.reply(0, Err(error)).await?;
        Err(Error::new(ErrorKind::InvalidData, reason))
    }
}

/// Waits beside a request: for the next one, when that may interrupt, and always for the end of the connection.
async fn watch(link: &mut Link, interruptible: bool, most: usize) -> Result<()> {
    loop {
        if interruptible && link.has_frame() {
            return Ok(());
        }
        if link.waiting() > most {
            return pending().await;
        }
        link.fill().await?;
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}
