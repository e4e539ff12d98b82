//! What answers, as a process of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a process may take to start, and to stop.
const LIMIT: Duration = Duration::from_secs(60);

/// A process that answers over HTTP; killed when dropped.
pub(crate) struct Process {
    child: Child,
    urls: Vec<(String, String)>,
    /// Where it keeps what it keeps.
    _data: TempDir,
}

impl Process {
    /// The binary in these roles.
    pub(crate) fn ours(roles: &str, overrides: &[String]) -> Self {
        let data = tempfile::tempdir().expect("a directory for temporary files");
        let mut command = Command::new(env!("CARGO_BIN_EXE_user-behaviour"));
        command.args(["run", "--role", roles, "--profile", "cluster", "--data-dir"]).arg(data.path());
        let listen = ["collector", "query"].map(|service| format!("{service}.http.listen=127.0.0.1:0"));
        for text in listen.iter().chain(overrides) {
            command.args(["--set", text]);
        }
        Self::start(command.stdin(Stdio::null()), data)
    }

    /// This program as one of the bare servers; see [`bare`](super::bare).
    pub(crate) fn bare(args: &[&str]) -> Self {
        let data = tempfile::tempdir().expect("a directory for temporary files");
        let mut command = Command::new(std::env::current_exe().expect("the program has a path"));
        // It ends when this process does: its input closes.
        Self::start(command.args(args).stdin(Stdio::piped()), data)
    }

    fn start(command: &mut Command, data: TempDir) -> Self {
        let mut child =
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("a program that was built");
        let lines = lines(&mut child);
        let mut process = Self { child, urls: Vec::new(), _data: data };
        let deadline = Instant::now() + LIMIT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = lines.recv_timeout(left).expect("a process that says that it runs");
            if line.starts_with("running;") {
                return process;
            }
            if let Some((name, url)) = line.split_once(" listens on ") {
                process.urls.push((name.to_owned(), url.to_owned()));
            }
        }
    }

    /// Where a service of it listens, `host:port`.
    pub(crate) fn address(&self, service: &str) -> &str {
        let found = self.urls.iter().find(|(name, _)| name == service || name == "bare");
        found.expect("a service that was started").1.trim_start_matches("http://").trim_end_matches('/')
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Stops it as an operator does, and demands that it ends well.
    pub(crate) fn stop(mut self) {
        // The end of its input tells a bare one.
        if self.child.stdin.take().is_none() {
            let id = self.child.id().to_string();
            let told = Command::new("kill").args(["-s", "TERM", &id]).status().expect("kill is installed");
            assert!(told.success(), "the process ended by itself");
        }
        let deadline = Instant::now() + LIMIT;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                assert!(status.success(), "the process ended with {status}");
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the process did not stop within {LIMIT:?}");
    }
}

/// What it says on standard error, which is passed on until somebody no longer listens and beyond.
fn lines(child: &mut Child) -> Receiver<String> {
    let (sender, lines) = channel();
    let stderr = child.stderr.take().expect("it is piped");
    let id = child.id();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            // Where it listens is of no interest to people, what it complains of is.
            if !line.contains(" listens on ") && !line.starts_with("running;") {
                eprintln!("[{id}] {line}");
            }
            let _gone = sender.send(line);
        }
    });
    lines
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
