//! The files of a directory of timelines.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::frame::put_frame;

/// A directory that this process alone has open.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    lock: File,
}

/// The numbers of the files that are there, ascending.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) journals: Vec<u64>,
    pub(super) snapshots: Vec<u64>,
}

/// Unlocks by name: a child process that is just being started holds a copy of the file, and with it a lock that is
/// only let go with the last copy.
impl Drop for Directory {
    fn drop(&mut self) {
        // A lock that cannot be let go ends with the process.
        let _held = self.lock.unlock();
    }
}

impl Directory {
    /// Creates it when it is missing. `Ok(None)` when another process has it open.
    pub(super) fn open(path: &Path) -> io::Result<Option<Self>> {
        fs::create_dir_all(path)?;
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(path.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self { path: path.to_owned(), lock })),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    pub(super) fn journal(&self, number: u64) -> PathBuf {
        self.path.join(format!("journal-{number}"))
    }

    pub(super) fn snapshot(&self, number: u64) -> PathBuf {
        self.path.join(format!("snapshot-{number}"))
    }

    /// Where snapshot `number` is written before it is renamed.
    pub(super) fn unfinished(&self, number: u64) -> PathBuf {
        self.path.join(format!("snapshot-{number}.tmp"))
    }

    /// Lists journals and snapshots; removes unfinished snapshots.
    pub(super) fn list(&self) -> io::Result<Listing> {
        let mut listing = Listing::default();
        for file in fs::read_dir(&self.path)? {
            let name = file?.file_name();
            let name = name.to_string_lossy();
            let number = |prefix| name.strip_prefix(prefix).and_then(|number| number.parse().ok());
            if name.starts_with("snapshot-") && name.ends_with(".tmp") {
                fs::remove_file(self.path.join(&*name))?;
            } else if let Some(number) = number("journal-") {
                listing.journals.push(number);
            } else if let Some(number) = number("snapshot-") {
                listing.snapshots.push(number);
            }
        }
        listing.journals.sort_unstable();
        listing.snapshots.sort_unstable();
        Ok(listing)
    }

    /// Removes journals and snapshots before `number`.
    pub(super) fn remove_before(&self, number: u64) -> io::Result<()> {
        let Listing { journals, snapshots } = self.list()?;
        let old = |numbers: Vec<u64>| numbers.into_iter().filter(move |found| *found < number);
        old(journals).try_for_each(|number| fs::remove_file(self.journal(number)))?;
        old(snapshots).try_for_each(|number| fs::remove_file(self.snapshot(number)))
    }

    /// Makes created, renamed and removed names durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

/// What the first frame of each file says.
pub(super) const JOURNAL: &[u8] = b"squall timelines journal 1";
pub(super) const SNAPSHOT: &[u8] = b"squall timelines snapshot 1";

/// A file with its first frame, not yet synced.
pub(super) fn create(path: &Path, kind: &[u8]) -> io::Result<(File, u64)> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    let mut head = Vec::new();
    put_frame(&mut head, |out| out.extend_from_slice(kind));
    io::Write::write_all(&mut file, &head)?;
    Ok((file, head.len() as u64))
}
