//! Records that are nowhere.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde::Serialize;

use super::{Range, VerifyError};

/// A record that is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Partition of the source topic.
    pub partition: u32,
    /// Offset in it.
    pub offset: u64,
    /// What people know it by; why it does not decode, of one that does not.
    pub name: String,
    /// The sinks that it is missing in; none when it does not decode and is no dead letter.
    pub sinks: Vec<String>,
}

/// Writes the ranges of missing records as JSON lines `{"partition":0,"from":17,"to":19}`, as `backfill create --ranges`
/// takes them. Records that follow each other become one range.
pub struct MissingRanges {
    path: String,
    file: BufWriter<File>,
    open: Option<Range>,
}

impl MissingRanges {
    /// Creates the file, or empties it.
    ///
    /// # Errors
    /// [`VerifyError::Io`].
    pub fn create(path: &Path) -> Result<Self, VerifyError> {
        let name = path.display().to_string();
        match File::create(path) {
            Ok(file) => Ok(Self { path: name, file: BufWriter::new(file), open: None }),
            Err(source) => Err(VerifyError::Io { path: name, source }),
        }
    }

    /// Notes a record; within a partition in ascending order.
    pub(super) fn note(&mut self, partition: u32, offset: u64) -> Result<(), VerifyError> {
        match &mut self.open {
            Some(open) if open.partition == partition && open.to == offset => open.to += 1,
            _ => {
                self.write()?;
                self.open = Some(Range { partition, from: offset, to: offset + 1 });
            }
        }
        Ok(())
    }

    /// Writes the rest.
    pub(super) fn finish(mut self) -> Result<(), VerifyError> {
        self.write()?;
        let flushed = self.file.flush();
        flushed.map_err(|source| VerifyError::Io { path: self.path, source })
    }

    fn write(&mut self) -> Result<(), VerifyError> {
        let Some(range) = self.open.take() else { return Ok(()) };
        let line = serde_json::json!(range);
        let written = writeln!(self.file, "{line}");
        written.map_err(|source| VerifyError::Io { path: self.path.clone(), source })
    }
}
