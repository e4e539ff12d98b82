//! The last state that a worker saw, for a start while the log is away.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Key;
use super::state::{Entry, State};

/// Version of what the file holds.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Content {
    version: u32,
    topology: String,
    next: u64,
    entries: BTreeMap<String, Entry>,
}

/// `control.json` of one topology. Workers that share a data directory share it: all write what the same log says.
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
        Some(State { entries: content.entries.into_iter().filter_map(known).collect(), next: content.next })
    }

    /// Replaces the file as a whole, durably. Blocks.
    ///
    /// # Errors
    /// What the disk says; the file is then as it was.
    pub(super) fn write(&self, state: &State) -> std::io::Result<()> {
        let entries = state.entries.iter().map(|(key, entry)| (key.to_string(), entry.clone())).collect();
        let content = Content { version: VERSION, topology: self.topology.clone(), next: state.next, entries };
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new().prefix(".control-").suffix(".tmp").tempfile_in(folder)?;
        serde_json::to_writer_pretty(&mut file, &content)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        File::open(folder)?.sync_all()
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}
