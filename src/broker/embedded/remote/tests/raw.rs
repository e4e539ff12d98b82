//! Connections of a client that does what a test likes.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::super::socket;
use super::super::wire::{Greeting, Reply, Request, hello};
use crate::broker::BrokerError;

/// A connection without a client, that a test writes what it likes to.
pub(super) struct Raw(pub(super) UnixStream);

impl Raw {
    pub(super) fn connect(dir: &Path) -> Self {
        let stream = UnixStream::connect(socket::path(dir)).unwrap();
        stream.set_read_timeout(Some(super::DEADLINE)).unwrap();
        let mut raw = Self(stream);
        assert!(matches!(Greeting::read(&raw.frame().into()), Some(Greeting::Welcome { .. })));
        raw
    }

    pub(super) fn greeted(dir: &Path) -> Self {
        let mut raw = Self::connect(dir);
        let mut bytes = Vec::new();
        hello(&mut bytes);
        raw.send(&bytes);
        raw
    }

    pub(super) fn send(&mut self, frame: &[u8]) {
        self.0.write_all(&framed(frame)).unwrap();
    }

    pub(super) fn frame(&mut self) -> Vec<u8> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length).unwrap();
        let mut frame = vec![0; u32::from_le_bytes(length) as usize];
        self.0.read_exact(&mut frame).unwrap();
        frame
    }

    /// Asks, and waits for the answer to it.
    pub(super) fn ask(&mut self, id: u64, request: &Request) -> Result<Reply, BrokerError> {
        let mut bytes = Vec::new();
        request.put(id, &mut bytes);
        self.send(&bytes);
        let (answered, answer) = Reply::read(&self.frame().into()).unwrap();
        assert_eq!(answered, id);
        answer
    }

    pub(super) fn refusal(&mut self) -> String {
        match Reply::read(&self.frame().into()).unwrap() {
            (0, Err(BrokerError::Invalid { what: "request", reason })) => reason,
            other => panic!("not refused: {other:?}"),
        }
    }

    /// Waits for the end of the connection.
    pub(super) fn ends(&mut self) {
        let mut rest = Vec::new();
        // Unread bytes make it a reset.
        let ended = self.0.read_to_end(&mut rest);
        let timed_out = ended.is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock);
        assert!(!timed_out && rest.is_empty(), "it goes on: {rest:?}");
    }
}

pub(super) fn framed(frame: &[u8]) -> Vec<u8> {
    [&(frame.len() as u32).to_le_bytes(), frame].concat()
}
