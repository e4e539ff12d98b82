//! Errors of the client, by who has to act.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::store::StoreError;

const STORE: &str = "redis";

/// What an error means, and whether its connection can still be used.
pub(super) struct Failure {
    pub(super) error: StoreError,
    pub(super) discard: bool,
}

/// Whether the server does not know the script, as after a restart.
pub(super) fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

pub(super) fn classify(error: &RedisError, address: &str) -> Failure {
    let (code, reason) = describe(error);
    let unreachable = || Failure {
        error: StoreError::Unreachable { store: STORE, address: address.to_owned(), reason: reason.clone() },
        discard: true,
    };
    match error.kind() {
        ErrorKind::Io
        | ErrorKind::Parse
        | ErrorKind::UnexpectedReturnType
        | ErrorKind::ClusterConnectionNotFound
        | ErrorKind::MasterNameNotFoundBySentinel
        | ErrorKind::NoValidReplicasFoundBySentinel => unreachable(),
        ErrorKind::AuthenticationFailed
        | ErrorKind::InvalidClientConfig
        | ErrorKind::EmptySentinelList
        | ErrorKind::RESP3NotSupported => config(reason),
        ErrorKind::Server(kind) => of_server(kind, reason),
        _ => of_code(&code, reason),
    }
}

/// The code that the server's message starts with, and the message; of a pipeline the first that failed.
fn describe(error: &RedisError) -> (String, String) {
    let first = error.clone().into_server_errors().and_then(|all| all.first().map(|(_, first)| first.clone()));
    match first {
        Some(first) => {
            let code = first.code().to_owned();
            let reason = format!("{code} {}", first.details().unwrap_or_default());
            (code, reason.trim_end().to_owned())
        }
        None => (error.code().unwrap_or_default().to_owned(), error.to_string()),
    }
}

fn of_server(kind: ServerErrorKind, reason: String) -> Failure {
    match kind {
        // A demoted or moved node: the address may lead to the right one by now.
        ServerErrorKind::ReadOnly
        | ServerErrorKind::Moved
        | ServerErrorKind::Ask
        | ServerErrorKind::MasterDown
        | ServerErrorKind::ClusterDown => Failure { discard: true, ..unavailable(reason) },
        ServerErrorKind::BusyLoading
        | ServerErrorKind::TryAgain
        | ServerErrorKind::NoScript
        | ServerErrorKind::ExecAbort => unavailable(reason),
        ServerErrorKind::NoPerm | ServerErrorKind::CrossSlot => config(reason),
        ServerErrorKind::NotBusy | ServerErrorKind::NoSub => server(reason),
        // A script's own failure is reported by some versions as a general error round the real one.
        _ if ["OOM ", "READONLY ", "MISCONF ", "LOADING ", "NOREPLICAS ", "max number of clients", "BUSY "]
            .iter()
            .any(|sign| reason.contains(sign)) =>
        {
            unavailable(reason)
        }
        _ => server(reason),
    }
}

fn of_code(code: &str, reason: String) -> Failure {
    match code {
        "OOM" | "BUSY" | "UNKILLABLE" | "MISCONF" | "NOREPLICAS" | "NOGOODSLAVE" | "INPROG" | "STALE" => {
            unavailable(reason)
        }
        "NOAUTH" | "WRONGPASS" | "DENIED" => config(reason),
        _ => server(reason),
    }
}

fn unavailable(reason: String) -> Failure {
    Failure { error: StoreError::Unavailable { store: STORE, reason }, discard: false }
}

fn config(reason: String) -> Failure {
    Failure { error: StoreError::Config { store: STORE, reason }, discard: true }
}

fn server(reason: String) -> Failure {
    Failure { error: StoreError::Server { store: STORE, reason }, discard: false }
}
