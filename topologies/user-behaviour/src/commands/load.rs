//! From a file into the log.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use bytes::Bytes;
use squall::Headers;
use squall::broker::dead_letter::TRUNCATED_FROM;
use squall::broker::{Append, Producer};
use xxhash_rust::xxh3::Xxh3;

use super::Failure;
use crate::format::{Format, decode};
use crate::topology::{FORMAT_HEADER, format_header, now_ms};

/// Records of one append.
const BATCH: usize = 1000;
/// Bytes of a line that are kept; many times what a record can have.
const MAX_LINE: usize = 256 * 1024;

/// What a file held: enough to find each of its records in the stores again.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    /// Lines.
    pub(super) read: u64,
    /// Lines that decode.
    pub(super) decoded: u64,
    /// The newest version of each distinct record, by the digest of its key.
    pub(super) newest: HashMap<u128, i64>,
    /// Users of records that decode.
    pub(super) users: std::collections::BTreeSet<String>,
}

/// Appends every line of a file to the topic, as it is, and notes what should come of it.
pub(super) async fn load(
    path: &Path,
    format: &'static dyn Format,
    producer: &dyn Producer,
    topic: &str,
) -> Result<Loaded, Failure> {
    let file = File::open(path).map_err(|error| format!("--input {}: {error}", path.display()))?;
    let bytes = file.metadata().map(|metadata| metadata.len()).unwrap_or_default();
    let progress = squall::service::progress_bytes(bytes, "loading");
    let (mut lines, mut loaded, mut batch) = (BufReader::new(file), Loaded::default(), Vec::new());
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = read_line(&mut lines, &mut line).map_err(|error| format!("{}: {error}", path.display()))?;
        if read == 0 || batch.len() == BATCH {
            producer.append(topic, std::mem::take(&mut batch)).await?;
        }
        if read == 0 {
            break;
        }
        progress.inc(read as u64);
        let value = line.strip_suffix(b"\n").unwrap_or(&line);
        let value = value.strip_suffix(b"\r").unwrap_or(value);
        batch.push(loaded.note(value, read, format));
    }
    progress.finish_and_clear();
    Ok(loaded)
}

/// Reads a line and says how long it was. Of one above [`MAX_LINE`] only the beginning is kept, which no format takes
/// for a record: it ends as a dead letter.
fn read_line(lines: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<usize> {
    let mut read = lines.take(MAX_LINE as u64 + 1).read_until(b'\n', line)?;
    if read > MAX_LINE && !line.ends_with(b"\n") {
        read += lines.skip_until(b'\n')?;
    }
    Ok(read)
}

impl Loaded {
    /// Notes one line, and makes the record of it. A line that does not decode has no key.
    fn note(&mut self, value: &[u8], read: usize, format: &'static dyn Format) -> Append {
        self.read += 1;
        let mut headers = Headers::default().with(FORMAT_HEADER, format_header(format));
        if read > MAX_LINE {
            headers.push(TRUNCATED_FROM, Bytes::from(read.to_string()));
        }
        let decoded = decode(format, value, &headers, now_ms()).ok();
        let key = decoded.as_ref().map(|decoded| Bytes::copy_from_slice(decoded.record().user_id.as_bytes()));
        if let Some(decoded) = decoded {
            let record = decoded.record();
            self.decoded += 1;
            let newest = self.newest.entry(digest(&record.user_id, &record.event_id)).or_insert(i64::MIN);
            *newest = record.occurred_at.max(*newest);
            if !self.users.contains(record.user_id.as_str()) {
                self.users.insert(record.user_id.to_string());
            }
        }
        Append { key, value: Some(Bytes::copy_from_slice(value)), headers, ..Append::default() }
    }
}

/// The key of a record in 16 bytes, so that millions can be compared in memory.
pub(super) fn digest(user_id: &str, event_id: &str) -> u128 {
    let mut hasher = Xxh3::new();
    hasher.update(&(user_id.len() as u64).to_le_bytes());
    hasher.update(user_id.as_bytes());
    hasher.update(event_id.as_bytes());
    hasher.digest128()
}
