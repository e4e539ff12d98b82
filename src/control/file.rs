//! The last state that a worker saw, for a start while the log is away.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Key;
use super::state::{Entry, State};

/// Version of what the file holds.
const VERSION: u32 = 1;
/// What a file is called until it is whole.
const UNFINISHED: (&str, &str) = (".control-", ".tmp");
/// How long a write waits for another worker's, and how often it looks. One that is stopped in the middle of a write
/// must not keep others from following, and a rename is whole without a lock too.
const LOCK_WAIT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_millis(5));

#[derive(Serialize, Deserialize)]
struct Content {
    version: u32,
    topology: String,
    next: u64,
    entries: BTreeMap<String, Entry>,
}

/// `control.json` of one topology. Workers that share a data directory share it: all write what the same log says, and
/// none replaces what is newer. A lock on the directory keeps them from writing at once.
#[derive(Debug, Clone)]
pub(super) struct LastKnown {
    path: PathBuf,
    topology: String,
}

impl LastKnown {
    pub(super) fn new(data_dir: &Path, topology: &str) -> Self {
        Self { path: data_dir.join("control.json"), topology: topology.to_owned() }
    }

    /// What the file holds; nothing when it is missing or of no use, which is reported. A damaged file is set aside as
    /// `control.json.damaged`.
    pub(super) fn read(&self) -> Option<State> {
        let path = self.path.display();
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(%path, %error, "the last known switches cannot be read; starting without them");
                return None;
            }
        };
        let content: Content = match serde_json::from_slice(&bytes) {
            Ok(content) => content,
            Err(error) => {
                let aside = self.path.with_extension("json.damaged");
                let moved = std::fs::rename(&self.path, &aside).is_ok();
                let aside = aside.display();
                tracing::warn!(%path, %error, moved, %aside, "the last known switches are damaged; starting without them");
                return None;
            }
        };
        if content.version != VERSION || content.topology != self.topology {
            let (version, of) = (content.version, &content.topology);
            tracing::warn!(
                %path, version, topology = of,
                "the last known switches are of another topology or program; give each topology its own --data-dir"
            );
            return None;
        }
        let known = |(key, entry): (String, Entry)| key.parse::<Key>().ok().map(|key| (key, entry));
        let entries = content.entries.into_iter().filter_map(known).collect();
        Some(State { entries, next: content.next, ..State::default() })
    }

    /// Removes what a worker that was killed had not finished; not while another worker writes. What cannot be removed
    /// does no harm.
    pub(super) fn clean(&self) {
        let Ok(folder) = File::open(self.folder()) else { return };
        if let Err(TryLockError::WouldBlock) = folder.try_lock() {
            return;
        }
        let Ok(files) = std::fs::read_dir(self.folder()) else { return };
        for file in files.flatten() {
            let name = file.file_name();
            let (prefix, suffix) = UNFINISHED;
            if name.to_str().is_some_and(|name| name.starts_with(prefix) && name.ends_with(suffix)) {
                let _harmless = std::fs::remove_file(file.path());
            }
        }
    }

    /// Replaces the file as a whole, durably, unless it holds a later state; with `anew` in any case, as offsets begin
    /// anew with the log. Blocks.
    ///
    /// # Errors
    /// What the disk says; the file is then as it was.
    pub(super) fn write(&self, state: &State, anew: bool) -> std::io::Result<()> {
        let folder = File::open(self.folder())?;
        wait_for_lock(&folder);
        if !anew && self.next_on_disk().is_some_and(|next| next > state.next) {
            return Ok(());
        }
        let entries = state.entries.iter().map(|(key, entry)| (key.to_string(), entry.clone())).collect();
        let content = Content { version: VERSION, topology: self.topology.clone(), next: state.next, entries };
        let (prefix, suffix) = UNFINISHED;
        let mut file = tempfile::Builder::new().prefix(prefix).suffix(suffix).tempfile_in(self.folder())?;
        serde_json::to_writer_pretty(&mut file, &content)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        folder.sync_all()
    }

    /// Which record the file goes up to; `None` when it is of no use.
    fn next_on_disk(&self) -> Option<u64> {
        let content: Content = serde_json::from_slice(&std::fs::read(&self.path).ok()?).ok()?;
        (content.version == VERSION && content.topology == self.topology).then_some(content.next)
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Takes the lock of the folder, which goes with its handle; without it after a while, or where there are no locks.
fn wait_for_lock(folder: &File) {
    let (began, (most, every)) = (Instant::now(), LOCK_WAIT);
    while let Err(TryLockError::WouldBlock) = folder.try_lock() {
        if began.elapsed() >= most {
            return;
        }
        std::thread::sleep(every);
    }
}
