//! `kill -9` of a process that writes: what it was answered is there.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::super::super::Limits;
use super::super::{MemorySettings, MemoryTimelines};
use super::{holds, put};

const VARIABLE: &str = "SQUALL_MEMORY_TIMELINES_CHILD";

fn open(dir: &Path) -> MemoryTimelines {
    let settings = MemorySettings { journal_bytes: 8192, ..MemorySettings::default() };
    MemoryTimelines::open_with(dir, Limits::default(), settings).unwrap()
}

/// The process that is killed: writes without end and prints each owner once its write was answered. Does nothing
/// unless the test below starts it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Some(dir) = std::env::var_os(VARIABLE) else { return };
    let store = Arc::new(open(Path::new(&dir)));
    let run = std::process::id();
    for n in 0_u64.. {
        let (left, right) = (format!("{run}-l{n}"), format!("{run}-r{n}"));
        tokio::join!(put(&store, &left), put(&store, &right));
        writeln!(std::io::stdout(), "answered {left}\nanswered {right}").unwrap();
    }
}

#[tokio::test]
async fn what_was_answered_survives_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let mut answered = Vec::new();
    for round in 1..=4 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "store::timeline::memory::tests::kill::child"])
            .env(VARIABLE, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut take = |line: std::io::Result<String>| {
            let line = line.unwrap();
            if let Some((_, owner)) = line.split_once("answered ") {
                answered.push(owner.to_owned());
            }
            answered.len()
        };
        while take(lines.next().expect("the child goes on")) < round * 150 {}
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had printed before it died counts too; its last line may be cut short.
        let rest: Vec<_> = lines.collect();
        let whole = rest.len().saturating_sub(1);
        rest.into_iter().take(whole).for_each(|line| _ = take(line));
        let store = open(dir.path());
        for owner in &answered {
            assert!(holds(&store, owner).await, "{owner} was answered, and is lost");
        }
    }
}
