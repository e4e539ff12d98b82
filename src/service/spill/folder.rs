//! The folder of a spill: one process at a time, a folder for each segment.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::SpillError;

/// What the name of a segment's folder ends with while it is being removed.
const GONE: &str = ".gone";

/// A folder that this process alone has open.
///
/// Unlocks by name: a child process that is just being started holds a copy of the file, and with it a lock that is only
/// let go with the last copy.
pub(super) struct Folder {
    path: PathBuf,
    lock: File,
}

/// Whether a folder is one that this process could not have created anything in.
fn is_foreign(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    matches!(kind, PermissionDenied | ReadOnlyFilesystem | InvalidInput | Unsupported)
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A lock that cannot be let go ends with the process.
        let _held = self.lock.unlock();
    }
}

impl Folder {
    /// Creates it when it is missing.
    pub(super) fn open(path: &Path) -> Result<Self, SpillError> {
        fs::create_dir_all(path).map_err(|error| SpillError::io("create", path, &error))?;
        // What is synced below it is there after a power cut only when its own name is, and those of the folders that it
        // is in: whoever created them, and whether or not he came to sync them. They end where
        // this program could not have created any.
        let whole = fs::canonicalize(path).map_err(|error| SpillError::io("find", path, &error))?;
        for folder in whole.ancestors().skip(1) {
            match File::open(folder).and_then(|folder| folder.sync_all()) {
                Err(error) if is_foreign(error.kind()) => break,
                synced => synced.map_err(|error| SpillError::io("sync", folder, &error))?,
            }
        }
        let file = path.join("lock");
        let lock = File::options().write(true).create(true).truncate(false).open(&file);
        let lock = lock.map_err(|error| SpillError::io("open", &file, &error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), lock }),
            Err(TryLockError::WouldBlock) => Err(SpillError::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => Err(SpillError::io("lock", &file, &error)),
        }
    }

    /// The folder of segment `number`.
    pub(super) fn segment(&self, number: u64) -> PathBuf {
        self.path.join(format!("{number:08}"))
    }

    /// The segments that are there, in their order. Finishes removals that a crash cut short.
    pub(super) fn segments(&self) -> Result<Vec<u64>, SpillError> {
        let failed = |error: io::Error| SpillError::io("read", &self.path, &error);
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.ends_with(GONE) {
                fs::remove_dir_all(entry.path())
                    .map_err(|error| SpillError::io("remove", entry.path(), &error))?;
            } else if let Ok(number) = name.parse() {
                numbers.push(number);
            }
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Makes the names in it and in the folder of segment `number` durable.
    pub(super) fn sync(&self, number: u64) -> Result<(), SpillError> {
        for path in [&self.segment(number), &self.path] {
            let synced = File::open(path).and_then(|folder| folder.sync_all());
            synced.map_err(|error| SpillError::io("sync", path, &error))?;
        }
        Ok(())
    }

    /// Removes segment `number` with all that it holds. Its name goes first, so that half a segment is never opened.
    pub(super) fn remove(&self, number: u64) -> Result<(), SpillError> {
        let path = self.segment(number);
        let gone = path.with_extension(&GONE[1..]);
        let removed = fs::rename(&path, &gone)
            .and_then(|()| File::open(&self.path)?.sync_all())
            .and_then(|()| fs::remove_dir_all(&gone));
        removed.map_err(|error| SpillError::io("remove", path, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_belongs_to_one_and_finishes_removals() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        assert!(matches!(Folder::open(dir.path()), Err(SpillError::Locked { .. })));
        for number in [2, 10, 1] {
            fs::create_dir_all(folder.segment(number).join("log")).unwrap();
            folder.sync(number).unwrap();
        }
        fs::rename(folder.segment(2), dir.path().join("00000002.gone")).unwrap();
        assert_eq!(folder.segments().unwrap(), [1, 10]);
        assert!(!dir.path().join("00000002.gone").exists());
        folder.remove(10).unwrap();
        assert_eq!(folder.segments().unwrap(), [1]);
        drop(folder);
        Folder::open(dir.path()).unwrap();
    }
}
