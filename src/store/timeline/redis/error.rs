//! Errors of the client, by who has to act.

use redis::{ErrorKind, RedisError, ServerError, ServerErrorKind};

use crate::store::StoreError;

const STORE: &str = "redis";

/// What an error means, and whether its connection can still be used.
pub(super) struct Failure {
    pub(super) error: StoreError,
    pub(super) discard: bool,
    /// When nothing failed but calls on keys that hold something else than this store writes: these calls, by their index
    /// in the pipeline. All others were answered.
    pub(super) keys: Vec<(usize, StoreError)>,
}

/// A failure of which the connection knows already.
impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self { error, discard: false, keys: Vec::new() }
    }
}

/// Whether the server does not know the script, as after a restart.
pub(super) fn is_unknown_script(error: &RedisError) -> bool {
    let answers = error.clone().into_server_errors();
    answers.is_some_and(|all| all.iter().any(|(_, one)| one.kind() == Some(ServerErrorKind::NoScript)))
}

pub(super) fn classify(error: &RedisError, address: &str) -> Failure {
    if let Some(answers) = error.clone().into_server_errors() {
        return of_answers(&answers);
    }
    let reason = error.to_string();
    match error.kind() {
        ErrorKind::Io
        | ErrorKind::Parse
        | ErrorKind::UnexpectedReturnType
        | ErrorKind::ClusterConnectionNotFound
        | ErrorKind::MasterNameNotFoundBySentinel
        | ErrorKind::NoValidReplicasFoundBySentinel => {
            let error = StoreError::Unreachable { store: STORE, address: address.to_owned(), reason };
            Failure { error, discard: true, keys: Vec::new() }
        }
        ErrorKind::AuthenticationFailed
        | ErrorKind::InvalidClientConfig
        | ErrorKind::EmptySentinelList
        | ErrorKind::RESP3NotSupported => config(reason),
        _ => of_code(error.code().unwrap_or_default(), reason),
    }
}

/// The errors of a pipeline, by index. A failure of the server comes before what is wrong with single keys: these show
/// again when the server has got over it.
fn of_answers(answers: &[(usize, ServerError)]) -> Failure {
    match answers.iter().find(|(_, answer)| !is_of_the_key(answer)) {
        Some((_, answer)) => match answer.kind() {
            Some(kind) => of_server(kind, reason(answer)),
            None => of_code(answer.code(), reason(answer)),
        },
        None => {
            let keys: Vec<_> = answers.iter().map(|(at, answer)| (*at, bad_key(answer))).collect();
            let error = answers.first().map_or_else(
                || StoreError::Server { store: STORE, reason: "an empty error".to_owned() },
                |(_, answer)| bad_key(answer),
            );
            Failure { error, discard: false, keys }
        }
    }
}

/// Whether the fault lies in what a key holds: another type, or a hash whose fields the scripts cannot read.
fn is_of_the_key(answer: &ServerError) -> bool {
    let details = answer.details().unwrap_or_default();
    let unreadable = details.contains("user_script:") && details.contains("attempt to")
        || ["hash value is not an integer", "increment or decrement would overflow"]
            .iter()
            .any(|sign| details.contains(sign));
    // Some versions report a script's own failure as a general error round the real one.
    answer.code() == "WRONGTYPE" || details.contains("WRONGTYPE ") || (answer.code() == "ERR" && unreadable)
}

fn bad_key(answer: &ServerError) -> StoreError {
    let reason = format!(
        "a key of its owner holds what another program wrote ({}); remove the key, or choose another prefix",
        reason(answer)
    );
    StoreError::BadRow { store: STORE, reason }
}

fn reason(answer: &ServerError) -> String {
    format!("{} {}", answer.code(), answer.details().unwrap_or_default()).trim_end().to_owned()
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
    Failure { error: StoreError::Unavailable { store: STORE, reason }, discard: false, keys: Vec::new() }
}

fn config(reason: String) -> Failure {
    Failure { error: StoreError::Config { store: STORE, reason }, discard: true, keys: Vec::new() }
}

fn server(reason: String) -> Failure {
    Failure { error: StoreError::Server { store: STORE, reason }, discard: false, keys: Vec::new() }
}
