//! 13: the disk of the embedded log is full, and that of the collector's spill. What was acknowledged is there, what fails says why, and with room again
//! everything is stored.
//!
//! The disk is a small one in memory, which takes the right to mount one: root's, or that of a user namespace. Where
//! neither is given, a limit on the size of files stands for it, and the line says so.

pub(crate) mod spill;

use std::path::Path;
use std::process::{Command, ExitCode, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use squall::broker::Position;
use user_behaviour::open::ensure_topics;

use crate::ledger::Ledger;
use crate::outcome::Outcome;
use crate::servers::Lab;
use crate::support::cluster::config;
use crate::support::process::binary;
use crate::support::verify::verify_seeing;
use crate::traffic::{Made, Mix, Traffic};

/// Size of the disk, and of a disk with room again.
const SMALL_MIB: u64 = 48;
const LARGE_MIB: u64 = 1024;
/// The limit on files in place of it.
const FILE_KIB: u64 = 16 * 1024;
/// How long a command on a full disk may take.
const PATIENCE: Duration = Duration::from_secs(60);
const BATCH: usize = 500;
/// Batches that no small disk holds.
const BATCHES: usize = 4000;

pub(super) async fn run(lab: &mut Lab) -> Outcome {
    let dir = lab.dir().join("small");
    std::fs::create_dir_all(&dir).unwrap();
    let Some(namespace) = ["-m", "-rm"].into_iter().find(|how| can_mount(how, &dir)) else {
        return steps(Disk::FileSize, &dir, lab.seed).await;
    };
    let mut command = Command::new("unshare");
    command.arg(namespace).arg(std::env::current_exe().unwrap());
    command.args(["--seed", &lab.seed.to_string(), "--inside-full-disk"]).arg(&dir);
    let output = tokio::task::block_in_place(|| command.stderr(Stdio::inherit()).output()).unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let outcome = text.lines().last().and_then(Outcome::from_json);
    outcome.unwrap_or_else(|| Outcome::failed(format!("the part on the small disk ended with {}", output.status)))
}

/// The scenario, in a mount namespace of its own: the disk is gone when it ends. Prints its outcome.
pub(crate) async fn inside(dir: &Path, seed: u64) -> ExitCode {
    println!("{}", steps(Disk::Mounted, dir, seed).await.to_json());
    ExitCode::SUCCESS
}

/// Appends to the log under `dir` until that fails; prints what was acknowledged, and the error.
pub(crate) async fn fill(dir: &Path, seed: u64) -> ExitCode {
    let config = config("embedded", &[]);
    let mut traffic = Traffic::new(Mix { seed, users: 500, revised: 0.1, broken: 0.001 });
    let (mut acknowledged, mut failure) = (Vec::new(), None);
    let broker = config.broker.open(dir).await.unwrap();
    ensure_topics(&*broker, &config).await.unwrap();
    let producer = broker.producer().unwrap();
    for _ in 0..BATCHES {
        let batch: Vec<Made> = traffic.by_ref().take(BATCH).collect();
        let versions: Vec<_> = batch.iter().map(|made| made.version).collect();
        match producer.append(&config.source.topic, batch.into_iter().map(|made| made.append).collect()).await {
            Ok(positions) => acknowledged.extend(positions.into_iter().zip(versions).map(as_json)),
            Err(error) => {
                failure = Some(error.to_string());
                break;
            }
        }
    }
    println!("{}", json!({ "acknowledged": acknowledged, "error": failure }));
    ExitCode::SUCCESS
}

fn as_json((position, version): (Position, Option<(u128, i64)>)) -> Value {
    let version = version.map(|(key, at)| json!([format!("{key:032x}"), at]));
    json!([position.partition, position.offset, version])
}

fn from_json(entry: &Value) -> Option<(Position, Option<(u128, i64)>)> {
    let position = Position { partition: entry[0].as_u64()? as u32, offset: entry[1].as_u64()? };
    let version = || Some((u128::from_str_radix(entry[2][0].as_str()?, 16).ok()?, entry[2][1].as_i64()?));
    Some((position, version()))
}

/// What stands for a full disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disk {
    Mounted,
    FileSize,
}

impl Disk {
    /// Whether an error says what is wrong. A limit on files is no full disk, so any error must do there.
    fn explains(self, error: &str) -> bool {
        let error = error.to_lowercase();
        self == Self::FileSize
            || ["no space", "disk is full", "os error 28"].iter().any(|part| error.contains(part))
    }
}

async fn steps(disk: Disk, dir: &Path, seed: u64) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.set("means", if disk == Disk::Mounted { "tmpfs" } else { "rlimit_fsize" });
    if disk == Disk::Mounted {
        mount(&format!("size={SMALL_MIB}m"), dir);
    }
    let ledger = Ledger::default();
    fill_up(disk, dir, seed, &ledger, &mut outcome);
    let worker = on_full_disk(disk, binary(dir, &["run"]));
    let error = refusal(disk, &worker, "the worker", &mut outcome);
    outcome.set("worker_error", error);
    if disk == Disk::Mounted {
        mount(&format!("remount,size={LARGE_MIB}m"), dir);
    }
    // One more record, so that the bounded run has something to load.
    let more = dir.join("more.csv");
    std::fs::write(&more, "1,2,3,pv,1511848894\n").unwrap();
    let load = ["run", "--once", "--input", more.to_str().expect("a plain path"), "--format", "taobao-csv"];
    let status = tokio::task::block_in_place(|| binary(dir, &load).stdout(Stdio::null()).status()).unwrap();
    outcome.demand(status.success(), format!("with room again a run ended with {status}"));
    let mut audit = ledger.audit();
    let verdict = verify_seeing(&config("embedded", &[]), dir, |seen| audit.see(seen)).await;
    let lost = verdict.lost() + audit.lost();
    outcome.set("records", verdict.records);
    outcome.set("acknowledged", ledger.len());
    outcome.set("lost", lost);
    outcome.set("stale", verdict.stale());
    outcome.set("dead_letters", verdict.dead_letters);
    outcome.demand(lost == 0, format!("{lost} records are lost"));
    outcome.demand(verdict.is_complete(), format!("{verdict:?}"));
    turn_switch(disk, dir, &mut outcome);
    fill_spill(disk, dir, &mut outcome).await;
    outcome
}

/// The log takes records until it cannot, and says why.
fn fill_up(disk: Disk, dir: &Path, seed: u64, ledger: &Ledger, outcome: &mut Outcome) {
    // A new log reserves a file that is larger than the limit which may stand for the disk; one that is there does not.
    let created = binary(dir, &["generate", "--count", "1"]).status().unwrap();
    outcome.demand(created.success(), format!("an empty log cannot be made: {created}"));
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--seed", &seed.to_string(), "--fill"]).arg(dir);
    let output = on_full_disk(disk, command);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let told: Value = text.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default();
    ledger.note(told["acknowledged"].as_array().into_iter().flatten().filter_map(from_json));
    eprintln!("{} records acknowledged before the disk was full: {}", ledger.len(), told["error"]);
    outcome.fault(ledger.len() > 0 && told["error"].is_string());
    outcome.set("append_error", told["error"].clone());
    let clear = told["error"].as_str().is_some_and(|error| disk.explains(error));
    outcome.demand(clear, format!("an append on a full disk says {}", told["error"]));
}

/// A switch that is turned on a full disk is on afterwards exactly when the command said so.
fn turn_switch(disk: Disk, dir: &Path, outcome: &mut Outcome) {
    let run = |args: &[&str]| binary(dir, args).output().unwrap();
    if disk == Disk::Mounted {
        mount(&format!("remount,size={}k", used_kib(dir)), dir);
    }
    let turn = ["switch", "on", "rows", "--force", "--reason", "chaos"];
    let turned = on_full_disk(disk, binary(dir, &turn));
    if disk == Disk::Mounted {
        mount(&format!("remount,size={LARGE_MIB}m"), dir);
    }
    let listed = run(&["switch", "list", "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap_or_default();
    let is_on = |switch: &Value| switch["name"] == "rows" && switch["value"] == "on";
    let on = listed["switches"].as_array().is_some_and(|switches| switches.iter().any(is_on));
    outcome.set("switch", if on { "on" } else { "not on" });
    if turned.status.success() {
        outcome.demand(on, "a switch that was acknowledged is not on");
    } else {
        refusal(disk, &turned, "the switch", outcome);
    }
}

/// The spill beside all that, with little room and with much.
async fn fill_spill(disk: Disk, dir: &Path, outcome: &mut Outcome) {
    if disk == Disk::Mounted {
        mount(&format!("remount,size={}k", used_kib(dir) + SMALL_MIB * 1024 / 2), dir);
    }
    let told = spill::fill_up(disk, dir, outcome);
    if disk == Disk::Mounted {
        mount(&format!("remount,size={LARGE_MIB}m"), dir);
    }
    spill::reckon(dir, &told, outcome).await;
}

/// The one line that a command must end with when there is no room.
fn refusal(disk: Disk, output: &Output, what: &str, outcome: &mut Outcome) -> Option<String> {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = text.lines().rev().find(|line| line.starts_with("error: ")).map(str::to_owned);
    outcome.demand(!output.status.success(), format!("{what} did not mind the full disk"));
    let clear = line.as_deref().is_some_and(|line| disk.explains(line)) && !text.contains("panicked at");
    outcome.demand(clear, format!("{what} on a full disk says {line:?}, {}", output.status));
    line
}

/// Runs a command where nothing more can be written, as long as [`PATIENCE`] at most.
fn on_full_disk(disk: Disk, command: Command) -> Output {
    let mut bounded = Command::new("timeout");
    bounded.args(["--signal=TERM", "--kill-after=30", &PATIENCE.as_secs().to_string()]);
    if disk == Disk::FileSize {
        // SIGXFSZ is ignored, so that a write past the limit fails as one on a full disk does. Its unit is 512 bytes.
        let limited = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", FILE_KIB * 2);
        bounded.args(["sh", "-c", &limited]);
    }
    bounded.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    let output = tokio::task::block_in_place(|| bounded.output()).unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    eprintln!("{command:?}: {}, {}", output.status, text.lines().last().unwrap_or_default());
    output
}

fn can_mount(how: &str, dir: &Path) -> bool {
    let mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs"];
    let tried = Command::new("unshare").arg(how).args(mount).arg(dir).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

fn mount(options: &str, dir: &Path) {
    let status = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(dir).status().unwrap();
    assert!(status.success(), "cannot mount with {options}");
}

/// What the disk under `dir` holds.
fn used_kib(dir: &Path) -> u64 {
    let output = Command::new("df").args(["-k", "--output=used"]).arg(dir).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().last().and_then(|line| line.trim().parse().ok()).expect("df says a number")
}
