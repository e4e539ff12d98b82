//! Errors of the storage engine, and what a failure of it leaves behind.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::broker::BrokerError;

/// Why the log takes no more writes.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    dir: PathBuf,
    disk_full: bool,
    reason: String,
}

impl Failure {
    /// What `error` means for the log in `dir`.
    pub(super) fn of(error: &fjall::Error, dir: &Path) -> Self {
        // The engine's own threads only leave the mark `Poisoned`; the disk tells why.
        let disk_full = io_kind(error).is_some_and(is_full)
            || (matches!(error, fjall::Error::Poisoned) && probe(dir).is_some_and(is_full));
        Self { dir: dir.to_owned(), disk_full, reason: error.to_string() }
    }

    /// The error that a caller gets whose write was not stored.
    pub(super) fn error(&self) -> BrokerError {
        if self.disk_full {
            return BrokerError::DiskFull { path: self.dir.clone() };
        }
        let context =
            format!("embedded log in {} takes no more writes until it is opened again", self.dir.display());
        BrokerError::Io { context, source: std::io::Error::other(self.reason.clone()) }
    }
}

/// The error of opening or reading the store in `dir`.
pub(super) fn storage_error(context: &'static str, error: fjall::Error, dir: &Path) -> BrokerError {
    use fjall::{Error, LsmError};
    if io_kind(&error).is_some_and(is_full) {
        return BrokerError::DiskFull { path: dir.to_owned() };
    }
    let damaged = match &error {
        Error::Locked => return BrokerError::Locked { path: dir.to_owned() },
        Error::JournalRecovery(_)
        | Error::InvalidVersion(_)
        | Error::Decompress(_)
        | Error::InvalidTrailer
        | Error::InvalidTag(_)
        | Error::Unrecoverable => true,
        Error::Storage(source) => !matches!(source, LsmError::Io(_)),
        _ => false,
    };
    if damaged {
        return BrokerError::Corrupt { context: format!("{context}: {error}") };
    }
    BrokerError::Storage { context, source: error }
}

/// The error of a file operation in `dir`.
pub(super) fn io_error(context: &str, error: std::io::Error, dir: &Path) -> BrokerError {
    if is_full(error.kind()) {
        return BrokerError::DiskFull { path: dir.to_owned() };
    }
    BrokerError::Io { context: format!("{context} {}", dir.display()), source: error }
}

fn io_kind(error: &fjall::Error) -> Option<ErrorKind> {
    match error {
        fjall::Error::Io(source) | fjall::Error::Storage(fjall::LsmError::Io(source)) => Some(source.kind()),
        _ => None,
    }
}

fn is_full(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// Why a small file cannot be written in `dir` now.
fn probe(dir: &Path) -> Option<ErrorKind> {
    let write = || {
        let mut file = tempfile::tempfile_in(dir)?;
        file.write_all(&[0; 1024 * 1024])?;
        file.sync_data()
    };
    write().err().map(|error: std::io::Error| error.kind())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::{Class, Classify};

    fn full() -> std::io::Error {
        std::io::Error::from_raw_os_error(28)
    }

    #[test]
    fn a_full_disk_is_named_wherever_the_engine_met_it() {
        let dir = Path::new("/data");
        for error in [fjall::Error::Io(full()), fjall::Error::Storage(fjall::LsmError::Io(full()))] {
            assert!(matches!(Failure::of(&error, dir).error(), BrokerError::DiskFull { .. }));
            assert!(matches!(storage_error("append", error, dir), BrokerError::DiskFull { .. }));
        }
        assert!(matches!(io_error("create", full(), dir), BrokerError::DiskFull { .. }));
    }

    #[test]
    fn any_other_failure_is_fatal_and_keeps_its_reason() {
        let dir = tempfile::tempdir().unwrap();
        let error = Failure::of(&fjall::Error::Poisoned, dir.path()).error();
        assert_eq!(error.class(), Class::Fatal);
        let source = std::error::Error::source(&error).expect("a source");
        assert!(source.to_string().contains("Poisoned"), "{source}");
    }
}
