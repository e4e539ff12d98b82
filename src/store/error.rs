//! Everything that can go wrong with a store.

use crate::topology::{Class, Classify};

/// An error of a store implementation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The server cannot be reached, or the connection broke. The outcome of a write is unknown.
    #[error(
        "cannot reach {store} at {address}: {reason}; is it running, and is the url in the configuration right?"
    )]
    Unreachable {
        /// `redis`, `mysql` or `sqlite`.
        store: &'static str,
        /// Where it was looked for; never with credentials.
        address: String,
        /// What the client reported.
        reason: String,
    },
    /// No answer in time. The outcome of a write is unknown; its connection was thrown away.
    #[error("{store}: {what} took longer than {after_ms} ms")]
    Timeout {
        /// `redis`, `mysql` or `sqlite`.
        store: &'static str,
        /// What was waited for.
        what: &'static str,
        /// The bound in milliseconds.
        after_ms: u64,
    },
    /// The server is up and cannot serve now: loading, out of memory, read-only, deadlock, lock wait.
    #[error("{store} cannot serve now: {reason}")]
    Unavailable {
        /// `redis`, `mysql` or `sqlite`.
        store: &'static str,
        /// What the server said.
        reason: String,
    },
    /// This row will never be stored: too long, out of range, not encodable, in a place that something else occupies.
    /// Of a read: what stands there cannot be read.
    #[error("{store} refuses the row: {reason}")]
    BadRow {
        /// `redis`, `mysql` or `sqlite`.
        store: &'static str,
        /// Which column, which bound.
        reason: String,
    },
    /// The server's schema is not the one this program was built for.
    #[error("{store}: {reason}")]
    Schema {
        /// `mysql` or `sqlite`.
        store: &'static str,
        /// What differs, and the remedy.
        reason: String,
    },
    /// The settings cannot work.
    #[error("{store}: {reason}")]
    Config {
        /// `redis`, `mysql`, `sqlite` or `memory`.
        store: &'static str,
        /// What is wrong, and what is valid.
        reason: String,
    },
    /// A full disk, a damaged snapshot, a permission.
    #[error("{store}: {context}")]
    Io {
        /// `sqlite` or `memory`.
        store: &'static str,
        /// What was being done.
        context: String,
        /// The error.
        #[source]
        source: std::io::Error,
    },
    /// The server answered with an error that is nobody's in particular.
    #[error("{store}: {reason}")]
    Server {
        /// `redis`, `mysql` or `sqlite`.
        store: &'static str,
        /// What the server said.
        reason: String,
    },
}

impl Classify for StoreError {
    fn class(&self) -> Class {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Unavailable { .. } => Class::Retryable,
            Self::BadRow { .. } => Class::Poison,
            Self::Schema { .. } | Self::Config { .. } | Self::Io { .. } | Self::Server { .. } => Class::Fatal,
        }
    }
}
