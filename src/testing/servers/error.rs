//! Why a server of a test cannot be had.

use std::process::ExitStatus;

/// An error of a server that a test owns.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// Something is not installed.
    #[error("{what} is not installed; {remedy}")]
    Missing {
        /// The program or file.
        what: String,
        /// What installs it.
        remedy: &'static str,
    },
    /// The server ended by itself.
    #[error("{server} ended with {status}; the end of its log:\n{log}")]
    Exited {
        /// Name of the server.
        server: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// Last lines of its log.
        log: String,
    },
    /// The server did not answer in time.
    #[error("{server} does not answer after {after_ms} ms: {reason}; the end of its log:\n{log}")]
    NotReady {
        /// Name of the server.
        server: &'static str,
        /// The bound in milliseconds.
        after_ms: u64,
        /// What the last attempt met.
        reason: String,
        /// Last lines of its log.
        log: String,
    },
    /// The server was named by the environment; a test may use it, but not stop it.
    #[error("cannot {action} {server}: the test does not own it (`{variable}` is set)")]
    External {
        /// Name of the server.
        server: &'static str,
        /// What was asked.
        action: &'static str,
        /// The environment variable.
        variable: &'static str,
    },
    /// The server is not running.
    #[error("cannot {action} {server}: it is not running")]
    Stopped {
        /// Name of the server.
        server: &'static str,
        /// What was asked.
        action: &'static str,
    },
    /// A command or query round the server failed.
    #[error("{context}: {reason}")]
    Failed {
        /// What was being done.
        context: String,
        /// What came of it.
        reason: String,
    },
    /// The operating system refused something.
    #[error("{context}")]
    Io {
        /// What was being done.
        context: String,
        /// The error.
        #[source]
        source: std::io::Error,
    },
}

impl ServerError {
    pub(super) fn io(context: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let context = context.into();
        move |source| Self::Io { context, source }
    }
}
