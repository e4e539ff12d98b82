//! All formats, and the way from a record of the log to a record of the domain.

use squall::Headers;
use squall::broker::LogRecord;

use super::{BehaviourJson, DecodeError, Format, TaobaoCsv};
use crate::record::Decoded;

/// Every format. A new one is added here.
pub const FORMATS: &[&dyn Format] = &[&BehaviourJson, &TaobaoCsv];

/// The header that names the version of the format, as a decimal number. Without it, the first version.
pub const VERSION_HEADER: &str = "version";

/// The format called `name`.
///
/// # Errors
/// [`DecodeError::UnknownFormat`].
pub fn find(name: &str) -> Result<&'static dyn Format, DecodeError> {
    FORMATS.iter().copied().find(|format| format.name() == name).ok_or_else(|| {
        let known: Vec<_> = FORMATS.iter().map(|format| format.name()).collect();
        DecodeError::UnknownFormat { name: cut(name.as_bytes()), known: known.join(", ") }
    })
}

/// The record that `value` holds, checked at the time `now_ms`, with its canonical JSON.
///
/// # Errors
/// Whatever keeps `value` from being stored; never [`DecodeError::UnknownFormat`].
pub fn decode(format: &dyn Format, value: &[u8], headers: &Headers, now_ms: i64) -> Result<Decoded, DecodeError> {
    let record = format.decode(version(format, headers)?, value)?;
    Ok(Decoded::new(record, now_ms)?)
}

/// [`decode`] for a record as the log holds it.
///
/// # Errors
/// As [`decode`], and [`DecodeError::NoValue`] for a tombstone.
pub fn decode_record(format: &dyn Format, record: &LogRecord, now_ms: i64) -> Result<Decoded, DecodeError> {
    let value = record.value.as_ref().ok_or(DecodeError::NoValue)?;
    decode(format, value, &record.headers, now_ms)
}

fn version(format: &dyn Format, headers: &Headers) -> Result<u32, DecodeError> {
    let (first, last) = (*format.versions().start(), *format.versions().end());
    let Some(header) = headers.last(VERSION_HEADER) else { return Ok(first) };
    match parse_version(header) {
        Some(version) if (first..=last).contains(&version) => Ok(version),
        _ => Err(DecodeError::UnknownVersion { format: format.name(), version: cut(header), first, last }),
    }
}

/// Digits only: `str::parse` would take a sign.
fn parse_version(header: &[u8]) -> Option<u32> {
    if !header.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(header).ok()?.parse().ok()
}

fn cut(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(64)]).into_owned()
}
