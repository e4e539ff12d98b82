//! One connection to the server.

use std::io::{Error, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use super::super::socket;
use super::super::wire::{FrameError, GREETING_BYTES, Greeting, Link, Reply, Request, hello};
use crate::broker::BrokerError;

/// A connection that was greeted. One that has failed once is of no more use.
pub(super) struct Line {
    link: Link,
    socket: Arc<Path>,
    /// Bytes that one record may have.
    pub(super) max_record_bytes: usize,
    /// Bytes that a request may have.
    pub(super) frame_bytes: usize,
    next_id: u64,
}

impl Line {
    /// Connects. `None` when nobody listens there.
    pub(super) async fn find(socket: &Arc<Path>) -> Result<Option<Self>, BrokerError> {
        let stream = match socket::connect(socket).await {
            Ok(stream) => stream,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                return Ok(None);
            }
            Err(error) => return Err(gone(socket, error)),
        };
        let mut link = Link::new(stream, GREETING_BYTES);
        link.queue(hello).expect("a greeting fits into a frame of its size");
        // A server that refuses may be gone before it is greeted; what it said can be read all the same.
        let _refused = link.flush().await;
        let greeting = link.next().await.map_err(|error| gone(socket, error))?;
        let not_ours = || gone(socket, Error::other("what answers is no log"));
        match Greeting::read(&greeting).ok_or_else(not_ours)? {
            Greeting::Welcome { max_record_bytes, frame_bytes } => {
                link.set_limit(frame_bytes);
                Ok(Some(Self { link, socket: socket.clone(), max_record_bytes, frame_bytes, next_id: 1 }))
            }
            Greeting::Refused(reason) => Err(gone(socket, Error::other(reason))),
            Greeting::Other(version) => Err(other_version(socket, version)),
        }
    }

    /// Connects to a server that must be there.
    pub(super) async fn open(socket: &Arc<Path>) -> Result<Self, BrokerError> {
        let line = Self::find(socket).await?;
        line.ok_or_else(|| gone(socket, ErrorKind::NotConnected.into()))
    }

    /// Sends a request without waiting; returns its id.
    ///
    /// # Errors
    /// [`BrokerError::TooLarge`], and then nothing is sent; those of the connection.
    pub(super) fn send(&mut self, request: &Request) -> Result<u64, BrokerError> {
        let id = self.next_id;
        let queued = self.link.queue(|buf| request.put(id, buf));
        queued.map_err(|FrameError { size, limit }| BrokerError::TooLarge { size, limit })?;
        self.next_id += 1;
        self.link.push().map_err(|error| gone(&self.socket, error))?;
        Ok(id)
    }

    /// The next reply, with the id of its request. Cancel-safe.
    ///
    /// # Errors
    /// Those of the connection; the inner ones are the log's.
    pub(super) async fn reply(&mut self) -> Result<(u64, Result<Reply, BrokerError>), BrokerError> {
        self.link.flush().await.map_err(|error| gone(&self.socket, error))?;
        let frame = self.link.next().await.map_err(|error| gone(&self.socket, error))?;
        let (id, answer) = Reply::read(&frame).ok_or_else(|| gone(&self.socket, Error::other("no such reply")))?;
        match (id, answer) {
            // What the server took for no request.
            (0, Err(error)) => Err(error),
            (id, answer) => Ok((id, answer)),
        }
    }

    /// Asks and waits for the answer.
    pub(super) async fn ask(&mut self, request: &Request) -> Result<Result<Reply, BrokerError>, BrokerError> {
        let asked = self.send(request)?;
        loop {
            let (id, answer) = self.reply().await?;
            if id == asked {
                return Ok(answer);
            }
        }
    }

    /// Whether the server is still there, as far as is known without waiting.
    pub(super) fn is_open(&mut self) -> bool {
        self.link.is_open()
    }

    /// Whether it can be used for another call.
    pub(super) fn is_idle(&mut self) -> bool {
        self.link.is_open() && self.link.is_quiet()
    }
}

const IS_IT_RUNNING: &str = "is the process that has the log open still running?";

/// The error of a reply that is none to its request.
pub(super) fn strange(socket: &Path, reply: &Reply) -> BrokerError {
    tracing::debug!(?reply, "a reply that was not asked for");
    gone(socket, Error::other("the reply is not one to the request"))
}

fn gone(socket: &Path, error: Error) -> BrokerError {
    let reason = match error.kind() {
        ErrorKind::UnexpectedEof => format!("it ended the connection; {IS_IT_RUNNING}"),
        ErrorKind::NotConnected => format!("nobody listens; {IS_IT_RUNNING}"),
        _ => error.to_string(),
    };
    BrokerError::Remote { socket: socket.to_owned(), reason }
}

fn other_version(socket: &Path, version: u8) -> BrokerError {
    let reason = format!(
        "the process at {} speaks version {version}, and this program another; run the same release of both",
        socket.display()
    );
    BrokerError::Invalid { what: "protocol", reason }
}
