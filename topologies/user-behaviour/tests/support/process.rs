//! The binary as a child process.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A command that takes longer has hung.
const LIMIT: Duration = Duration::from_secs(180);

/// A command line of the binary, over a data directory.
pub(crate) fn binary(data_dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_user-behaviour"));
    command.args(args).arg("--data-dir").arg(data_dir).stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub(crate) fn run(data_dir: &Path, args: &[&str]) -> Output {
    let output = binary(data_dir, args).output().unwrap();
    eprintln!("{args:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    output
}

/// The JSON object on the last line of what a command printed.
pub(crate) fn last_line(output: &Output) -> serde_json::Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.lines().last().unwrap_or_default()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A long-running command; killed when dropped.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
    running: Receiver<()>,
    said: Arc<Mutex<Vec<String>>>,
}

impl Process {
    pub(crate) fn start(data_dir: &Path, args: &[&str]) -> Self {
        let mut child = binary(data_dir, args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let ((sender, lines), (up, running)) = (channel(), channel());
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let id = child.id();
        let said = Arc::<Mutex<Vec<String>>>::default();
        let heard = said.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                eprintln!("[{id}] {line}");
                let runs = line.starts_with("running;");
                heard.lock().unwrap().push(line);
                if runs {
                    // Nobody need wait for it.
                    let _heard = up.send(());
                }
            }
        });
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Nobody listens any more when the test is over.
                let _gone = sender.send(line);
            }
        });
        Self { child, lines, running, said }
    }

    /// Waits until the topology runs and signals are handled.
    pub(crate) fn wait_until_running(&mut self) {
        self.running.recv_timeout(LIMIT).expect("it says so on standard error");
    }

    /// What follows `beginning` on a line of standard error so far.
    pub(crate) fn said(&self, beginning: &str) -> Option<String> {
        let said = self.said.lock().unwrap();
        said.iter().find_map(|line| line.strip_prefix(beginning).map(ToOwned::to_owned))
    }

    /// The lines of standard error so far that begin so.
    pub(crate) fn lines_said(&self, beginning: &str) -> Vec<String> {
        let said = self.said.lock().unwrap();
        said.iter().filter(|line| line.starts_with(beginning)).cloned().collect()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends the signal of this name, such as `STOP`. The process must be there.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for the end: its status and what it printed.
    pub(crate) fn wait(&mut self) -> (ExitStatus, Vec<String>) {
        let deadline = Instant::now() + LIMIT;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the process did not end within {LIMIT:?}");
            std::thread::sleep(Duration::from_millis(20));
        };
        (status, self.lines.iter().collect())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
