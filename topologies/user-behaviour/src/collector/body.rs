//! A request's body, within its bounds.
//!
//! Decompressed here, once all of it has arrived, and not by tower-http's layer: of a gzip body that consists of several
//! members, as a client makes it that appends to a file, that layer reads the first and leaves the others without a
//! word. Both bounds are small enough for that: one for what arrives, one for what is made of it.

use std::error::Error;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use squall::service::http::{Code, Problem};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::split::Framing;

/// The largest window of a zstd body, as a power of two: what every decoder must have (RFC 9659), 8 MiB.
const ZSTD_WINDOW: u32 = 23;

/// A body, and what it takes of the room for those that were unpacked.
pub(super) struct Unpacked {
    pub(super) bytes: Bytes,
    pub(super) room: Option<OwnedSemaphorePermit>,
}

/// The room for bodies that are unpacked.
#[derive(Clone)]
pub(super) struct Room(Arc<Semaphore>);

/// Bytes of a permit: a semaphore counts to less than what fits a machine.
const PERMIT: usize = 1024;
/// When a caller may come back that found no room.
const COME_BACK: Duration = Duration::from_secs(1);

impl Room {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.div_ceil(PERMIT).min(Semaphore::MAX_PERMITS))))
    }

    /// Unpacks into at most `max` bytes, of which what is not needed is given back.
    fn unpack(&self, decoder: impl Read, max: usize) -> Result<Unpacked, Problem> {
        let permits = |bytes: usize| bytes.div_ceil(PERMIT);
        let most = u32::try_from(permits(max)).unwrap_or(u32::MAX);
        let Ok(mut room) = self.0.clone().try_acquire_many_owned(most) else {
            let detail = "too many compressed bodies arrive at once; try again";
            return Err(Problem::new(Code::Overloaded, detail).retry_after(COME_BACK));
        };
        let bytes = inflate(decoder, max)?;
        drop(room.split(room.num_permits().saturating_sub(permits(bytes.len()))));
        Ok(Unpacked { bytes, room: Some(room) })
    }
}

/// Reads the body to its end, without its encoding.
///
/// # Errors
/// [`Code::Overloaded`] when there is no room to unpack it;
/// [`Code::UnsupportedMediaType`] for another encoding than gzip and zstd; [`Code::TooLarge`] when it has more than `max`
/// bytes, as it arrives or decompressed; [`Code::InvalidRequest`] when it ends early or is not what its encoding says.
pub(super) async fn read(headers: &HeaderMap, body: Body, max: usize, room: &Room) -> Result<Unpacked, Problem> {
    let encoding = Encoding::of(headers)?;
    let arrived = Limited::new(body, max).collect().await.map_err(|error| match is_too_long(&*error) {
        true => too_large(max),
        false => unreadable(&*error),
    })?;
    let arrived = arrived.to_bytes();
    match encoding {
        Encoding::Identity => Ok(Unpacked { bytes: arrived, room: None }),
        Encoding::Gzip => room.unpack(MultiGzDecoder::new(&arrived[..]), max),
        Encoding::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(&arrived[..]).map_err(|error| unreadable(&error))?;
            decoder.window_log_max(ZSTD_WINDOW).map_err(|error| unreadable(&error))?;
            room.unpack(decoder, max)
        }
    }
}

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let names =
            headers.get_all(CONTENT_ENCODING).into_iter().map(|name| String::from_utf8_lossy(name.as_bytes()));
        // More than one is a body that was encoded more than once.
        let name = names.collect::<Vec<_>>().join(", ").trim().to_ascii_lowercase();
        match name.as_str() {
            "" | "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            _ => {
                let detail = format!("`{name}` is not understood; send gzip, zstd or no Content-Encoding");
                Err(Problem::new(Code::UnsupportedMediaType, detail))
            }
        }
    }
}

/// All that a decoder gives; it makes no more than the bound and a byte.
fn inflate(decoder: impl Read, max: usize) -> Result<Bytes, Problem> {
    let mut content = Vec::new();
    let read = decoder.take(max as u64 + 1).read_to_end(&mut content);
    match read {
        _ if content.len() > max => Err(too_large(max)),
        Ok(_) => Ok(content.into()),
        Err(error) => Err(unreadable(&error)),
    }
}

fn too_large(max: usize) -> Problem {
    let detail = format!("the body has more than {max} bytes; send fewer records at once");
    Problem::new(Code::TooLarge, detail).with("max_bytes", max)
}

fn unreadable(error: &(dyn Error + 'static)) -> Problem {
    tracing::debug!(error, "a body could not be read");
    Problem::new(Code::InvalidRequest, "the body ended early, or is not what its Content-Encoding says")
}

/// How the records of a body of this type are put together; a type that says nothing of it is told apart by content.
///
/// # Errors
/// [`Code::UnsupportedMediaType`]. Types that a page of any origin may send unasked are not among those that are taken,
/// but `text/plain`, where it is `allowed`. A body without a type is taken: curl and small devices send none, and a page that
/// may send one so reads no answer, and could as well send a beacon.
pub(super) fn framing(headers: &HeaderMap, plain_allowed: bool) -> Result<Framing, Problem> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(Framing::Json) };
    let value = value.to_str().unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "application/json" => Ok(Framing::Json),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Ok(Framing::Lines),
        "text/plain" if plain_allowed => Ok(Framing::Json),
        _ => {
            let plain = if plain_allowed { ", text/plain" } else { "" };
            let detail =
                format!("`{kind}` is not understood; send application/json{plain} or application/x-ndjson");
            Err(Problem::new(Code::UnsupportedMediaType, detail))
        }
    }
}

/// Whether a bound was passed, however many layers have wrapped that up.
fn is_too_long(error: &(dyn Error + 'static)) -> bool {
    error.is::<LengthLimitError>() || error.source().is_some_and(is_too_long)
}
