//! A batch as calls of the script.

use redis::Pipeline;

use super::super::Entry;
use super::super::entry::digest;
use super::key::put_base;
use super::script::Loaded;
use crate::store::StoreError;

/// Entries of one script call: what bounds the time for which the server answers nobody else.
const CALL: usize = 256;

/// Entries with their index in what the caller gave, in the order in which they are written.
pub(super) struct Calls<'a> {
    entries: Vec<(usize, &'a Entry<'a>)>,
    /// Entries of one call at most.
    most: usize,
}

impl<'a> Calls<'a> {
    /// One call per owner and [`CALL`] entries, of those that are not refused. What stands twice is sent once.
    pub(super) fn plan(entries: &'a [Entry<'a>], refused: &[(usize, StoreError)]) -> Self {
        let mut sorted = in_order(entries, refused);
        sorted.dedup_by(|later, kept| {
            let again = version(later.1) == version(kept.1) && later.1.action == kept.1.action;
            if again {
                *kept = *later;
            }
            again
        });
        Self { entries: sorted, most: CALL }
    }

    /// All entries of the owners of these calls, each in a call of its own. Also what stands twice: every entry gets an
    /// answer.
    pub(super) fn one_by_one(
        &self,
        calls: &[(usize, StoreError)],
        entries: &'a [Entry<'a>],
        refused: &[(usize, StoreError)],
    ) -> Self {
        let all: Vec<_> = self.calls().collect();
        // In order, as the entries are.
        let owners: Vec<&str> = calls.iter().map(|(call, _)| all[*call][0].1.owner).collect();
        let mut sorted = in_order(entries, refused);
        sorted.retain(|(_, entry)| owners.binary_search(&entry.owner).is_ok());
        Self { entries: sorted, most: 1 }
    }

    /// The commands, at the server's time `now_s`.
    pub(super) fn pipeline(&self, prefix: &str, apply: &Loaded, now_s: i64) -> Pipeline {
        let mut pipeline = Pipeline::with_capacity(self.entries.len());
        let mut base = String::new();
        for call in self.calls() {
            base.clear();
            put_base(&mut base, prefix, call[0].1.owner);
            let mut command = apply.call(&base);
            command.arg(now_s);
            for (_, entry) in call {
                command
                    .arg(entry.line)
                    .arg(entry.action)
                    .arg(entry.id)
                    .arg(entry.at_ms)
                    .arg(digest(entry).cast_signed())
                    .arg(entry.body);
            }
            pipeline.add_command(command);
        }
        pipeline
    }

    /// The index of the entry of a call, where each has a call of its own.
    pub(super) fn index_of(&self, call: usize) -> usize {
        self.entries[call].0
    }

    fn calls(&self) -> impl Iterator<Item = &[(usize, &'a Entry<'a>)]> {
        let owners = self.entries.chunk_by(|(_, a), (_, b)| a.owner == b.owner);
        owners.flat_map(|owner| owner.chunks(self.most))
    }
}

/// What is not refused, by version. Stable: of equal versions the last stays last.
fn in_order<'a>(entries: &'a [Entry<'a>], refused: &[(usize, StoreError)]) -> Vec<(usize, &'a Entry<'a>)> {
    let mut refused = refused.iter().peekable();
    let mut sorted = Vec::with_capacity(entries.len());
    for (at, entry) in entries.iter().enumerate() {
        if refused.next_if(|(bad, _)| *bad == at).is_none() {
            sorted.push((at, entry));
        }
    }
    sorted.sort_by(|(_, a), (_, b)| version(a).cmp(&version(b)));
    sorted
}

fn version<'a>(entry: &Entry<'a>) -> (&'a str, &'a str, i64, &'a str) {
    (entry.owner, entry.line, entry.at_ms, entry.id)
}
