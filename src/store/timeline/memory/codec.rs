//! Entries and owners as bytes: little-endian numbers, texts and lists behind their length.

use std::io;

use bytes::Bytes;
use compact_str::CompactString;

use super::super::Entry;
use super::state::{Kept, Line, Owner};

pub(super) fn put_entry(out: &mut Vec<u8>, entry: &Entry<'_>) {
    for text in [entry.owner, entry.line, entry.action, entry.id] {
        put_bytes(out, text.as_bytes());
    }
    put_i64(out, entry.at_ms);
    put_bytes(out, entry.body);
}

pub(super) fn put_owner(out: &mut Vec<u8>, name: &str, owner: &Owner) {
    put_bytes(out, name.as_bytes());
    put_i64(out, owner.newest_day);
    put_len(out, owner.lines.len());
    for (name, line) in &owner.lines {
        put_bytes(out, name.as_bytes());
        put_line(out, line);
    }
}

fn put_line(out: &mut Vec<u8>, line: &Line) {
    put_i64(out, line.first_ms);
    put_i64(out, line.last_ms);
    put_len(out, line.kept.len());
    line.kept.iter().for_each(|kept| put_kept(out, kept));
    put_len(out, line.latest.len());
    for (action, kept) in &line.latest {
        put_bytes(out, action.as_bytes());
        put_kept(out, kept);
    }
    put_len(out, line.counted.len());
    for (action, days) in &line.counted {
        put_bytes(out, action.as_bytes());
        put_len(out, days.len());
        for (day, seen) in days {
            put_i64(out, *day);
            put_len(out, seen.len());
            seen.iter().for_each(|digest| out.extend_from_slice(&digest.to_le_bytes()));
        }
    }
}

fn put_kept(out: &mut Vec<u8>, kept: &Kept) {
    put_i64(out, kept.at_ms);
    put_bytes(out, kept.id.as_bytes());
    put_bytes(out, &kept.body);
}

fn put_i64(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_len(out: &mut Vec<u8>, len: usize) {
    let len = u32::try_from(len).expect("lists and texts are bounded far below 2^32");
    out.extend_from_slice(&len.to_le_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_len(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Reads what the functions above wrote.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn entry(&mut self) -> io::Result<Entry<'a>> {
        Ok(Entry {
            owner: self.text()?,
            line: self.text()?,
            action: self.text()?,
            id: self.text()?,
            at_ms: self.i64()?,
            body: self.bytes()?,
        })
    }

    pub(super) fn owner(&mut self) -> io::Result<(CompactString, Owner)> {
        let name = self.text()?.into();
        let mut owner = Owner { newest_day: self.i64()?, ..Owner::default() };
        for _ in 0..self.len()? {
            let name = self.text()?.into();
            owner.lines.insert(name, self.line()?);
        }
        Ok((name, owner))
    }

    fn line(&mut self) -> io::Result<Line> {
        let mut line = Line::starting(self.i64()?);
        line.last_ms = self.i64()?;
        for _ in 0..self.len()? {
            line.kept.push(self.kept()?);
        }
        for _ in 0..self.len()? {
            let action = self.text()?.into();
            line.latest.insert(action, self.kept()?);
        }
        for _ in 0..self.len()? {
            let action: CompactString = self.text()?.into();
            let days = line.counted.entry(action).or_default();
            for _ in 0..self.len()? {
                let day = self.i64()?;
                let seen = days.entry(day).or_default();
                for _ in 0..self.len()? {
                    seen.push(self.i64()?.cast_unsigned());
                }
            }
        }
        Ok(line)
    }

    fn kept(&mut self) -> io::Result<Kept> {
        Ok(Kept { at_ms: self.i64()?, id: self.text()?.into(), body: Bytes::copy_from_slice(self.bytes()?) })
    }

    pub(super) fn i64(&mut self) -> io::Result<i64> {
        self.array().map(i64::from_le_bytes)
    }

    pub(super) fn bytes(&mut self) -> io::Result<&'a [u8]> {
        let len = self.len()?;
        self.take(len)
    }

    fn text(&mut self) -> io::Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| damaged("a text is not utf-8"))
    }

    fn len(&mut self) -> io::Result<usize> {
        self.array().map(|bytes| u32::from_le_bytes(bytes) as usize)
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        Ok(self.take(N)?.try_into().expect("took exactly N bytes"))
    }

    fn take(&mut self, len: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or_else(|| damaged("a value ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }
}

pub(super) fn damaged(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
