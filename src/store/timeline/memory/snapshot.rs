//! Writing and reading snapshots.

use std::fs::{self, File};
use std::io::{self, BufReader, Write};
use std::path::Path;

use super::codec::{Reader, damaged, put_owner};
use super::files::{Directory, SNAPSHOT, create};
use super::frame::{Frames, Step, put_frame};
use super::shards::Shards;

/// A frame of owners is closed above this size.
const FRAME: usize = 1 << 20;
const OWNERS: u8 = 1;
const END: u8 = 2;

/// Writes snapshot `number` durably and removes what it replaces. Holds the lock of one shard at a time, and none
/// while it writes to the file.
pub(super) fn write(directory: &Directory, number: u64, shards: &Shards) -> io::Result<()> {
    let unfinished = directory.unfinished(number);
    let (mut file, _) = create(&unfinished, SNAPSHOT)?;
    let mut frames = Vec::new();
    let mut owners = 0_u64;
    for shard in shards.each() {
        frames.clear();
        let mut rest = shard.iter().peekable();
        while rest.peek().is_some() {
            put_frame(&mut frames, |out| {
                out.push(OWNERS);
                let start = out.len();
                while out.len() - start < FRAME
                    && let Some((name, owner)) = rest.next()
                {
                    put_owner(out, name, owner);
                    owners += 1;
                }
            });
        }
        drop(rest);
        drop(shard);
        file.write_all(&frames)?;
    }
    frames.clear();
    put_frame(&mut frames, |out| {
        out.push(END);
        out.extend_from_slice(&owners.to_le_bytes());
    });
    file.write_all(&frames)?;
    file.sync_all()?;
    fs::rename(&unfinished, directory.snapshot(number))?;
    directory.sync()?;
    directory.remove_before(number)
}

/// Restores the owners of a snapshot.
pub(super) fn read(path: &Path, shards: &Shards) -> io::Result<()> {
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    let mut frames = Frames::new(BufReader::with_capacity(1 << 20, file), len);
    let mut owners = 0_u64;
    for index in 0_u64.. {
        if frames.next()? != Step::Frame {
            return Err(damaged("it is incomplete, or not what was written"));
        }
        if index == 0 {
            if frames.payload != SNAPSHOT {
                return Err(damaged("it is not a snapshot of a version that this program knows"));
            }
            continue;
        }
        let (kind, rest) = frames.payload.split_first().ok_or_else(|| damaged("a frame is empty"))?;
        let mut reader = Reader(rest);
        if *kind == END {
            let expected = reader.i64()?.cast_unsigned();
            return if expected == owners { Ok(()) } else { Err(damaged("owners are missing")) };
        }
        while !reader.is_empty() {
            let (name, owner) = reader.owner()?;
            shards.restore(name, owner);
            owners += 1;
        }
    }
    unreachable!("the loop ends by a return")
}
