//! The binary with its services, and requests to them.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::process::Process;

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(120);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// A process that answers over HTTP, at ports of its own choice.
pub(crate) struct Services {
    pub(crate) process: Process,
    pub(crate) collector: String,
    pub(crate) query: String,
}

impl Services {
    /// Starts the process with these roles and overrides, and waits until it says where it listens.
    pub(crate) fn start(data_dir: &Path, roles: &str, overrides: &[String]) -> Self {
        Self::start_by(&["run", "--role", roles], data_dir, overrides)
    }

    /// The same by a command line of one's own choice.
    pub(crate) fn start_by(command: &[&str], data_dir: &Path, overrides: &[String]) -> Self {
        let listen = |service: &str| format!("{service}.http.listen=127.0.0.1:0");
        let own = [listen("collector"), listen("query")];
        let mut args = command.to_vec();
        own.iter().chain(overrides).for_each(|text| args.extend(["--set", text]));
        let mut process = Process::start(data_dir, &args);
        process.wait_until_running();
        let url = |name: &str| process.said(&format!("{name} listens on ")).unwrap_or_default();
        let (collector, query) = (url("collector"), url("query"));
        Self { process, collector, query }
    }

    /// What the query service says at `path`, once it satisfies `is_so`.
    pub(crate) async fn until(&self, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let (began, mut last) = (Instant::now(), Value::Null);
        while began.elapsed() < LIMIT {
            if let Ok(answer) = reqwest::get(format!("{}{path}", self.query)).await {
                last = answer.json().await.unwrap_or_default();
                if is_so(&last) {
                    return last;
                }
            }
            tokio::time::sleep(LOOK).await;
        }
        panic!("{path} never says what it should: {last}");
    }
}
