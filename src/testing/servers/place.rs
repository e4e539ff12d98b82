//! Where a server lives: ports and a directory.

use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::ServerError;

const PREFIX: &str = "squall-server-";
const OWNER: &str = "owner.lock";

/// The ports and the directory of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its directory: configuration, log, and [`data`](Self::data).
    pub dir: PathBuf,
    /// The port that clients use.
    pub port: u16,
    /// A second free port, for servers that need one.
    pub second_port: u16,
    /// A third one.
    pub third_port: u16,
}

impl Place {
    /// The data directory; a wipe empties it.
    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// What the server prints.
    pub fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// The last lines of the log.
    pub(super) fn log_tail(&self) -> String {
        let text = fs::read(self.log()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

/// Three ports that nobody listens on at this moment.
pub(super) fn free_ports() -> Result<[u16; 3], ServerError> {
    // All are held until all are known, or the second could be the first again.
    let bind = |_| TcpListener::bind(("127.0.0.1", 0)).and_then(|l| Ok((l.local_addr()?.port(), l)));
    let bound: io::Result<Vec<_>> = (0..3).map(bind).collect();
    let bound = bound.map_err(ServerError::io("cannot find a free port"))?;
    Ok([bound[0].0, bound[1].0, bound[2].0])
}

/// A temporary directory, removed on drop; what a killed process left behind goes at the next start.
#[derive(Debug)]
pub(super) struct Directory {
    dir: tempfile::TempDir,
    /// Held as long as the directory is used, so that nobody sweeps it.
    _owner: File,
}

impl Directory {
    pub(super) fn create(server: &str) -> Result<Self, ServerError> {
        static SWEPT: OnceLock<()> = OnceLock::new();
        SWEPT.get_or_init(sweep);
        Self::try_create(server).map_err(ServerError::io("cannot create a temporary directory"))
    }

    fn try_create(server: &str) -> io::Result<Self> {
        let dir = tempfile::Builder::new().prefix(&format!("{PREFIX}{server}-")).tempdir()?;
        // Locked before it gets the name that a sweep looks for.
        let fresh = dir.path().join("owner.new");
        let owner = File::create(&fresh)?;
        owner.lock()?;
        fs::rename(fresh, dir.path().join(OWNER))?;
        Ok(Self { dir, _owner: owner })
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Removes directories whose owner is gone without having dropped them.
fn sweep() {
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        let orphan = || File::open(entry.path().join(OWNER)).is_ok_and(|owner| owner.try_lock().is_ok());
        if ours && orphan() {
            // Somebody else may be sweeping the same one.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
