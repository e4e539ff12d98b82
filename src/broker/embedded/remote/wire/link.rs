//! Frames over a connection.

use std::io::{Error, ErrorKind, Result};

use bytes::{Buf, Bytes, BytesMut};
use tokio::net::UnixStream;

/// Bytes of the length before a frame.
const LENGTH: usize = 4;
/// Bytes read at a time.
const READ: std::ops::RangeInclusive<usize> = 4 * 1024..=64 * 1024;

/// A frame above the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {size} bytes exceeds the limit of {limit}")]
pub(in super::super) struct FrameError {
    pub(in super::super) size: usize,
    pub(in super::super) limit: usize,
}

/// A connection with what was read of it and what is still to be written. Every method is cancel-safe: what is half
/// read or half written goes on with the next call.
pub(in super::super) struct Link {
    stream: UnixStream,
    limit: usize,
    inbox: BytesMut,
    outbox: BytesMut,
}

impl Link {
    /// Frames of at most `limit` bytes, either way.
    pub(in super::super) fn new(stream: UnixStream, limit: usize) -> Self {
        Self { stream, limit, inbox: BytesMut::new(), outbox: BytesMut::new() }
    }

    pub(in super::super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Adds a frame to what is to be written.
    ///
    /// # Errors
    /// [`FrameError`], and then nothing is added.
    pub(in super::super) fn queue(
        &mut self,
        put: impl FnOnce(&mut Vec<u8>),
    ) -> std::result::Result<(), FrameError> {
        let mut frame = vec![0; LENGTH];
        put(&mut frame);
        let size = frame.len() - LENGTH;
        let length = u32::try_from(size).ok().filter(|_| size <= self.limit);
        let length = length.ok_or(FrameError { size, limit: self.limit })?;
        frame[..LENGTH].copy_from_slice(&length.to_le_bytes());
        self.outbox.extend_from_slice(&frame);
        Ok(())
    }

    /// Writes what goes without waiting.
    pub(in super::super) fn push(&mut self) -> Result<()> {
        while !self.outbox.is_empty() {
            match self.stream.try_write(&self.outbox) {
                Ok(written) => self.outbox.advance(written),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes all there is.
    pub(in super::super) async fn flush(&mut self) -> Result<()> {
        loop {
            self.push()?;
            if self.outbox.is_empty() {
                return Ok(());
            }
            self.stream.writable().await?;
        }
    }

    /// The next frame.
    pub(in super::super) async fn next(&mut self) -> Result<Bytes> {
        loop {
            if let Some(frame) = self.take().map_err(|error| Error::new(ErrorKind::InvalidData, error))? {
                return Ok(frame);
            }
            self.fill().await?;
        }
    }

    /// Reads something.
    ///
    /// # Errors
    /// [`ErrorKind::UnexpectedEof`] when the other side has gone.
    pub(in super::super) async fn fill(&mut self) -> Result<()> {
        while !self.read()? {
            self.stream.readable().await?;
        }
        Ok(())
    }

    /// Whether the other side is still there, as far as is known without waiting.
    pub(in super::super) fn is_open(&mut self) -> bool {
        while self.inbox.len() < self.limit {
            match self.read() {
                Ok(true) => {}
                Ok(false) => return true,
                Err(_) => return false,
            }
        }
        true
    }

    /// Whether nothing is on its way, either way.
    pub(in super::super) fn is_quiet(&self) -> bool {
        self.inbox.is_empty() && self.outbox.is_empty()
    }

    /// Bytes that were read and not taken.
    pub(in super::super) fn waiting(&self) -> usize {
        self.inbox.len()
    }

    /// Whether [`next`](Self::next) has an answer without waiting.
    pub(in super::super) fn has_frame(&self) -> bool {
        self.size().is_some_and(|size| size > self.limit || self.inbox.len() >= LENGTH + size)
    }

    fn take(&mut self) -> std::result::Result<Option<Bytes>, FrameError> {
        let Some(size) = self.size() else { return Ok(None) };
        if size > self.limit {
            return Err(FrameError { size, limit: self.limit });
        }
        if self.inbox.len() < LENGTH + size {
            return Ok(None);
        }
        self.inbox.advance(LENGTH);
        Ok(Some(self.inbox.split_to(size).freeze()))
    }

    /// Size of the frame that comes next.
    fn size(&self) -> Option<usize> {
        self.inbox.first_chunk::<LENGTH>().map(|length| u32::from_le_bytes(*length) as usize)
    }

    /// Reads what is there; `false` when nothing is.
    fn read(&mut self) -> Result<bool> {
        let held = self.inbox.len();
        let missing = self.size().map_or(0, |size| (LENGTH + size).saturating_sub(held));
        // Room grows with what has come, not with what a length promises.
        self.inbox.resize(held + missing.clamp(*READ.start(), *READ.end()), 0);
        let read = self.stream.try_read(&mut self.inbox[held..]);
        self.inbox.truncate(held + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }
}
