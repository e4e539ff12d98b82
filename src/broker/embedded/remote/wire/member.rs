//! What a group gives to its member, and what the member says of it.

use super::super::super::codec::{Reader, put_varint};
use super::parts::{list, maybe, number, put_list, put_maybe};
use crate::broker::{Commit, Granted, Note};

/// Where a partition goes on, and whether records of it come. It says what several pauses and resumptions in turn come
/// to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Hold {
    pub(in super::super) partition: u32,
    /// Of the assignment that is meant; nothing happens to another one.
    pub(in super::super) epoch: u32,
    /// Where it goes on; `None` leaves it where it is.
    pub(in super::super) at: Option<u64>,
    /// Whether no records come until a later one says so.
    pub(in super::super) paused: bool,
}

pub(super) fn put_grants(buf: &mut Vec<u8>, grants: &[Granted]) {
    put_list(buf, grants, |buf, Granted { partition, epoch, next, note, seek }| {
        put_place(buf, *partition, *epoch, *next);
        put_note(buf, *note);
        put_varint(buf, *seek);
    });
}

pub(super) fn grants(from: &mut Reader<'_>) -> Option<Vec<Granted>> {
    list(from, |from| {
        let (partition, epoch, next) = (number(from)?, number(from)?, from.varint()?);
        Some(Granted { partition, epoch, next, note: note(from)?, seek: from.varint()? })
    })
}

/// Commits, each with the epoch of the assignment that it is of.
pub(super) fn put_commits(buf: &mut Vec<u8>, commits: &[(u32, Commit)]) {
    put_list(buf, commits, |buf, (epoch, Commit { partition, offset, note, seek })| {
        put_place(buf, *partition, *epoch, *offset);
        put_note(buf, *note);
        put_varint(buf, *seek);
    });
}

pub(super) fn commits(from: &mut Reader<'_>) -> Option<Vec<(u32, Commit)>> {
    list(from, |from| {
        let (partition, epoch, offset) = (number(from)?, number(from)?, from.varint()?);
        Some((epoch, Commit { partition, offset, note: note(from)?, seek: from.varint()? }))
    })
}

pub(super) fn put_holds(buf: &mut Vec<u8>, holds: &[Hold]) {
    put_list(buf, holds, |buf, hold| {
        put_varint(buf, u64::from(hold.partition));
        put_varint(buf, u64::from(hold.epoch));
        put_maybe(buf, hold.at, put_varint);
        buf.push(u8::from(hold.paused));
    });
}

pub(super) fn holds(from: &mut Reader<'_>) -> Option<Vec<Hold>> {
    list(from, |from| {
        let (partition, epoch, at) = (number(from)?, number(from)?, maybe(from, Reader::varint)?);
        Some(Hold { partition, epoch, at, paused: from.byte()? != 0 })
    })
}

fn put_place(buf: &mut Vec<u8>, partition: u32, epoch: u32, offset: u64) {
    for n in [u64::from(partition), u64::from(epoch), offset] {
        put_varint(buf, n);
    }
}

fn put_note(buf: &mut Vec<u8>, note: Note) {
    match note {
        Note::Clean => buf.push(0),
        Note::Open => buf.push(1),
        Note::Batchwise => buf.push(2),
        Note::Singly { deaths } => {
            buf.push(3);
            put_varint(buf, u64::from(deaths));
        }
    }
}

fn note(from: &mut Reader<'_>) -> Option<Note> {
    Some(match from.byte()? {
        0 => Note::Clean,
        1 => Note::Open,
        2 => Note::Batchwise,
        3 => Note::Singly { deaths: number(from)? },
        _ => return None,
    })
}
