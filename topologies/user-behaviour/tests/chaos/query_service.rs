//! A query service in a process of its own.

use std::path::Path;

use tokio::task::block_in_place;

use super::outcome::Outcome;
use super::support::cluster::args;
use super::support::process::Process;

pub(crate) struct QueryService {
    pub(crate) url: String,
    process: Process,
}

impl QueryService {
    /// Starts one at an address of its own.
    pub(crate) fn start(dir: &Path, overrides: &[String]) -> Self {
        let mut own = overrides.to_vec();
        own.push("query.http.listen=127.0.0.1:0".to_owned());
        let mut process = Process::start(dir, &args(&["run", "--role", "query"], &own));
        process.wait_until_running();
        let url = process.said("query listens on ").expect("it says so before it runs");
        Self { url, process }
    }

    /// Stops it as an operator does.
    pub(crate) fn stop(mut self, outcome: &mut Outcome) {
        self.process.terminate();
        let (status, _) = block_in_place(|| self.process.wait());
        outcome.demand(status.success(), format!("the query service ended with {status}"));
    }
}
