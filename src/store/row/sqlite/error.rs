//! SQLite's result codes, by who has to act.

use std::io;

use crate::store::StoreError;

pub(super) const STORE: &str = "sqlite";

pub(super) fn classify(error: sqlx::Error, path: &str) -> StoreError {
    let reason = error.to_string();
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().and_then(|code| code.parse::<u32>().ok()).unwrap_or(1);
            of_code(code, format!("{} ({code})", error.message()), path)
        }
        sqlx::Error::Io(source) => io_error(path, source),
        sqlx::Error::Configuration(_) | sqlx::Error::InvalidArgument(_) => {
            StoreError::Config { store: STORE, reason }
        }
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Protocol(_)
        | sqlx::Error::BeginFailed => StoreError::Unreachable { store: STORE, address: path.to_owned(), reason },
        sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::TypeNotFound { .. }
        | sqlx::Error::Decode(_) => StoreError::Schema { store: STORE, reason },
        _ => StoreError::Server { store: STORE, reason },
    }
}

/// The low byte of a code is its kind.
fn of_code(code: u32, reason: String, path: &str) -> StoreError {
    use io::ErrorKind;
    let io = |kind| io_error(path, io::Error::new(kind, reason.clone()));
    match code & 0xff {
        // Busy, locked, out of memory, interrupted, lock protocol.
        5 | 6 | 7 | 9 | 15 => StoreError::Unavailable { store: STORE, reason },
        13 => io(ErrorKind::StorageFull),
        // No permission, read-only, cannot open.
        3 | 8 | 14 | 23 => io(ErrorKind::PermissionDenied),
        11 | 26 => io(ErrorKind::InvalidData),
        10 => io(ErrorKind::Other),
        // Too big, constraint, type mismatch, out of range.
        18 | 19 | 20 | 25 => StoreError::BadRow { store: STORE, reason },
        1 | 17 if reason.contains("no such") || reason.contains("has no column") => {
            StoreError::Schema { store: STORE, reason }
        }
        _ => StoreError::Server { store: STORE, reason },
    }
}

fn io_error(path: &str, source: io::Error) -> StoreError {
    let remedy = match source.kind() {
        io::ErrorKind::StorageFull => "the disk is full; make room, then start again",
        io::ErrorKind::InvalidData => {
            "the file is damaged; put it back from a copy, or remove it and replay the log"
        }
        _ => "cannot use the file",
    };
    StoreError::Io { store: STORE, context: format!("{path}: {remedy}"), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::{Class, Classify};

    #[test]
    fn codes_are_classed_by_who_has_to_act() {
        let class = |code| of_code(code, "no such table: t".to_owned(), "file").class();
        assert_eq!([5, 6, 5 + 256].map(class), [Class::Retryable; 3]);
        assert_eq!([18, 19, 1555].map(class), [Class::Poison; 3]);
        assert_eq!([13, 14, 11, 10].map(class), [Class::Fatal; 4]);
        assert!(matches!(of_code(1, "no such table: t".to_owned(), "file"), StoreError::Schema { .. }));
        let full = of_code(13, "database or disk is full".to_owned(), "file").to_string();
        assert_eq!(full, "sqlite: file: the disk is full; make room, then start again");
    }
}
