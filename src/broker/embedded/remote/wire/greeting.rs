//! How both sides begin.

use bytes::Bytes;

use super::super::super::EmbeddedSettings;
use super::super::super::codec::{Reader, put_varint};
use super::parts::{number, put_text, text};

/// Raised with every change of what goes over the socket.
pub(in super::super) const VERSION: u8 = 3;
/// Bytes that a greeting has at most.
pub(in super::super) const GREETING_BYTES: usize = 4096;
const MAGIC: &[u8] = b"squall-log";
/// Least size of a frame, so that lists fit whatever size records may have.
const LEAST_FRAME: usize = 1024 * 1024;
/// Room in a frame beside records.
const BESIDE: usize = 64 * 1024;

/// What the server says first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Greeting {
    /// The bounds that the client keeps.
    Welcome {
        /// Bytes that key, value and headers of one record may have together.
        max_record_bytes: usize,
        /// Bytes that a frame may have, either way.
        frame_bytes: usize,
    },
    /// Why nobody is served here.
    Refused(String),
    /// The server speaks another version.
    Other(u8),
}

impl Greeting {
    pub(in super::super) fn welcome(settings: &EmbeddedSettings) -> Self {
        Self::Welcome { max_record_bytes: settings.max_record_bytes, frame_bytes: frame_bytes(settings) }
    }

    pub(in super::super) fn put(&self, buf: &mut Vec<u8>) {
        buf.extend_from_slice(MAGIC);
        match self {
            Self::Welcome { max_record_bytes, frame_bytes } => {
                buf.extend([VERSION, 0]);
                put_varint(buf, *max_record_bytes as u64);
                put_varint(buf, *frame_bytes as u64);
            }
            Self::Refused(reason) => {
                buf.extend([VERSION, 1]);
                put_text(buf, reason);
            }
            Self::Other(version) => buf.push(*version),
        }
    }

    /// The greeting in a frame; `None` when it is none.
    pub(in super::super) fn read(frame: &Bytes) -> Option<Self> {
        let rest = frame.strip_prefix(MAGIC)?;
        let from = &mut Reader::new(frame, frame.len() - rest.len());
        let version = from.byte()?;
        if version != VERSION {
            return Some(Self::Other(version));
        }
        match from.byte()? {
            0 => Some(Self::Welcome { max_record_bytes: number(from)?, frame_bytes: number(from)? }),
            1 => text(from).map(Self::Refused),
            _ => None,
        }
    }
}

/// Bytes that a frame may have, either way.
pub(in super::super) fn frame_bytes(settings: &EmbeddedSettings) -> usize {
    // Twice, since lengths stand beside the parts of a record, and a fetch ends with a whole one.
    settings.max_record_bytes.saturating_mul(2).clamp(LEAST_FRAME, u32::MAX as usize / 2) + BESIDE
}

/// What a client says first.
pub(in super::super) fn hello(buf: &mut Vec<u8>) {
    buf.extend_from_slice(MAGIC);
    buf.push(VERSION);
}

/// Whether a client of this version said it.
pub(in super::super) fn is_hello(frame: &[u8]) -> bool {
    frame.strip_prefix(MAGIC) == Some(&[VERSION])
}
