//! The server's error numbers, by who has to act.

use sqlx::mysql::MySqlDatabaseError;

use crate::store::StoreError;

pub(super) const STORE: &str = "mysql";

pub(super) fn classify(error: sqlx::Error, address: &str) -> StoreError {
    let reason = error.to_string();
    match error {
        sqlx::Error::Database(error) => {
            let error = error.downcast::<MySqlDatabaseError>();
            of_number(error.number(), format!("{} ({})", error.message(), error.number()), address)
        }
        sqlx::Error::Configuration(_) | sqlx::Error::InvalidArgument(_) | sqlx::Error::Tls(_) => {
            StoreError::Config { store: STORE, reason }
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => unreachable(reason, address),
        sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::TypeNotFound { .. }
        | sqlx::Error::Decode(_) => StoreError::Schema { store: STORE, reason },
        _ => StoreError::Server { store: STORE, reason },
    }
}

/// Numbers are MySQL's; those from 1900 to 1999 and from 4000 on MariaDB's.
fn of_number(number: u16, reason: String, address: &str) -> StoreError {
    match number {
        // Deadlock, lock wait, record changed since last read, lock refused at once, no room for locks.
        1213 | 1205 | 1020 | 3572 | 1206
        // The table was altered meanwhile: the statement has to be prepared, the transaction begun again.
        | 1412 | 1615
        // Read-only, as a replica or after a failover.
        | 1290 | 1836 | 1792 | 1874
        // Disk or table full, out of memory, no more files, threads or connections.
        | 3 | 1021 | 1026 | 1114 | 1030 | 1037 | 1038 | 1041 | 1135 | 1015 | 1016 | 1040 | 1203 | 1226 | 1637
        // Interrupted, killed, out of time, shutting down, not ready, too many prepared statements.
        | 1317 | 1927 | 1969 | 3024 | 1028 | 1053 | 1077 | 1079 | 1047 | 1461 | 1129
        // Rolled back by a cluster.
        | 1180 | 1614 | 3101 => StoreError::Unavailable { store: STORE, reason },
        // The connection broke, seen from the server.
        1152 | 1158..=1161 | 1184 | 2002 | 2003 | 2006 | 2013 | 2055 => unreachable(reason, address),
        // Too long, out of range, wrong for the column, not null, duplicate, constraint, packet too large, no partition
        // for it, refused by a trigger.
        1406 | 1264 | 1366 | 1265 | 1292 | 1367 | 1411 | 1048 | 1062 | 1586 | 1153 | 1301 | 1118 | 1216 | 1452
        | 3819 | 4025 | 3140 | 1690 | 1300 | 1526 | 1748 | 1644 => StoreError::BadRow { store: STORE, reason },
        // Unknown column, table or database; no default; a count that does not match.
        1054 | 1146 | 1049 | 1364 | 1136 | 1051 | 1091 | 1060 | 1050 => StoreError::Schema { store: STORE, reason },
        // Access.
        1044 | 1045 | 1142 | 1143 | 1227 | 1130 | 1251 | 1698 | 1862 | 3118 | 3159 | 4151 => {
            StoreError::Config { store: STORE, reason }
        }
        _ => StoreError::Server { store: STORE, reason },
    }
}

fn unreachable(reason: String, address: &str) -> StoreError {
    StoreError::Unreachable { store: STORE, address: address.to_owned(), reason }
}

/// Whether a fresh connection may be answered otherwise: the address may lead to the new primary by now, or the server
/// is about to close this one.
pub(super) fn wants_new_connection(error: &sqlx::Error) -> bool {
    let number = error.as_database_error().and_then(|error| error.try_downcast_ref::<MySqlDatabaseError>());
    number.is_some_and(|error| matches!(error.number(), 1290 | 1836 | 1792 | 1874 | 1053 | 1927 | 1047 | 1153))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::{Class, Classify};

    #[test]
    fn numbers_are_classed_by_who_has_to_act() {
        let class = |number| of_number(number, String::new(), "host").class();
        for number in [1213, 1205, 1020, 2006, 2013, 1290, 1836, 1021, 1114, 1040, 1203] {
            assert_eq!(class(number), Class::Retryable, "{number}");
        }
        for number in [1406, 1264, 1366, 1062, 1153, 1048] {
            assert_eq!(class(number), Class::Poison, "{number}");
        }
        for number in [1054, 1146, 1045, 1064] {
            assert_eq!(class(number), Class::Fatal, "{number}");
        }
    }
}
