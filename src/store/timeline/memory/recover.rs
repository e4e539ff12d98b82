//! Opening a directory: the newest snapshot, then the journals since.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader};
use std::path::Path;

use super::super::entry::refuse;
use super::codec::{Reader, damaged};
use super::files::{Directory, JOURNAL, create};
use super::frame::{Frames, Step};
use super::shards::Shards;
use super::snapshot;
use crate::store::StoreError;

/// The journal to go on with.
pub(super) struct Tail {
    pub(super) number: u64,
    pub(super) file: File,
    pub(super) len: u64,
}

/// Opens the directory, fills `shards`, cuts off a torn end.
pub(super) fn recover(path: &Path, shards: &Shards) -> Result<(Directory, Tail), StoreError> {
    let failed = |source| io_error(format!("opening {}", path.display()), source);
    let directory = Directory::open(path).map_err(failed)?.ok_or_else(|| StoreError::Config {
        store: "memory",
        reason: format!("{} is in use by another process; stop it, or choose another directory", path.display()),
    })?;
    let listing = directory.list().map_err(failed)?;
    let start = match listing.snapshots.last() {
        Some(number) => {
            let file = directory.snapshot(*number);
            snapshot::read(&file, shards).map_err(|source| unreadable(&file, source))?;
            *number
        }
        None => 0,
    };
    let journals: Vec<u64> = listing.journals.into_iter().filter(|number| *number >= start).collect();
    for (expected, found) in (start..).zip(&journals) {
        if expected != *found {
            let missing = directory.journal(expected);
            return Err(unreadable(&missing, damaged("it is missing, and later ones are there")));
        }
    }
    let last = journals.last().copied().unwrap_or(start);
    let mut len = 0;
    for number in journals {
        let file = directory.journal(number);
        len = replay(&file, number == last, shards).map_err(|source| unreadable(&file, source))?;
    }
    let tail = tail(&directory, last, len).map_err(failed)?;
    directory.remove_before(start).map_err(failed)?;
    Ok((directory, tail))
}

/// Applies a journal; the length of what is whole.
fn replay(path: &Path, last: bool, shards: &Shards) -> io::Result<u64> {
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    let mut frames = Frames::new(BufReader::with_capacity(1 << 20, file), len);
    for index in 0_u64.. {
        match frames.next()? {
            Step::Frame => {}
            Step::End if index > 0 => return Ok(frames.at),
            Step::End | Step::Torn if last => {
                let bytes = len - frames.at;
                tracing::warn!(file = %path.display(), bytes, "cut off a torn write at the end of the journal");
                return Ok(frames.at);
            }
            _ => return Err(damaged("it is incomplete, or not what was written")),
        }
        if index == 0 {
            if frames.payload != JOURNAL {
                return Err(damaged("it is not a journal of a version that this program knows"));
            }
            continue;
        }
        let mut reader = Reader(&frames.payload);
        while !reader.is_empty() {
            let entry = reader.entry()?;
            if !refuse("memory", &[entry]).is_empty() {
                return Err(damaged("an entry is out of bounds"));
            }
            shards.apply(&entry, || ());
        }
    }
    unreachable!("the loop ends by a return")
}

fn tail(directory: &Directory, number: u64, len: u64) -> io::Result<Tail> {
    let path = directory.journal(number);
    let (file, len) = if len == 0 {
        create(&path, JOURNAL)?
    } else {
        let mut file = OpenOptions::new().write(true).open(path)?;
        file.set_len(len)?;
        io::Seek::seek(&mut file, io::SeekFrom::End(0))?;
        (file, len)
    };
    file.sync_all()?;
    directory.sync()?;
    Ok(Tail { number, file, len })
}

fn unreadable(path: &Path, source: io::Error) -> StoreError {
    let path = path.display();
    let context = format!(
        "cannot read {path}; put the directory back from a copy, or remove it and replay the log from the start"
    );
    io_error(context, source)
}

fn io_error(context: String, source: io::Error) -> StoreError {
    StoreError::Io { store: "memory", context, source }
}
