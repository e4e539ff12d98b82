//! A batch as one pipeline.

use redis::Pipeline;

use super::super::Entry;
use super::super::entry::digest;
use super::key::put_base;
use super::script::Loaded;
use crate::store::StoreError;

/// Entries of one script call: what bounds the time for which the server answers nobody else.
const CALL: usize = 256;

/// One call per owner and [`CALL`] entries, at the server's time `now_s`. What stands twice is sent once.
pub(super) fn pipeline(
    prefix: &str,
    apply: &Loaded,
    now_s: i64,
    entries: &[Entry<'_>],
    refused: &[(usize, StoreError)],
) -> Pipeline {
    let mut refused = refused.iter().peekable();
    let mut sorted: Vec<&Entry<'_>> = Vec::with_capacity(entries.len());
    for (at, entry) in entries.iter().enumerate() {
        if refused.next_if(|(bad, _)| *bad == at).is_none() {
            sorted.push(entry);
        }
    }
    // Stable: of equal versions the last stays last.
    sorted.sort_by(|a, b| version(a).cmp(&version(b)));
    sorted.dedup_by(|later, kept| {
        let again = version(later) == version(kept) && later.action == kept.action;
        if again {
            *kept = *later;
        }
        again
    });
    let mut pipeline = Pipeline::with_capacity(sorted.len());
    let mut base = String::new();
    for owner in sorted.chunk_by(|a, b| a.owner == b.owner) {
        base.clear();
        put_base(&mut base, prefix, owner[0].owner);
        for call in owner.chunks(CALL) {
            let mut command = apply.call(&base);
            command.arg(now_s);
            for entry in call {
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
    }
    pipeline
}

fn version<'a>(entry: &Entry<'a>) -> (&'a str, &'a str, i64, &'a str) {
    (entry.owner, entry.line, entry.at_ms, entry.id)
}
