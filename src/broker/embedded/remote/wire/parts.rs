//! Texts, lists and what may be missing.

use std::time::Duration;

use super::super::super::codec::{Reader, put_bytes, put_varint};

pub(super) fn put_text(buf: &mut Vec<u8>, text: &str) {
    put_bytes(buf, text.as_bytes());
}

pub(super) fn text(from: &mut Reader<'_>) -> Option<String> {
    let length = from.length()?;
    std::str::from_utf8(from.slice(length)?).ok().map(str::to_owned)
}

/// A number that fits into `T`.
pub(super) fn number<T: TryFrom<u64>>(from: &mut Reader<'_>) -> Option<T> {
    T::try_from(from.varint()?).ok()
}

pub(super) fn put_millis(buf: &mut Vec<u8>, duration: Duration) {
    put_varint(buf, u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
}

pub(super) fn millis(from: &mut Reader<'_>) -> Option<Duration> {
    from.varint().map(Duration::from_millis)
}

pub(super) fn put_maybe<T>(buf: &mut Vec<u8>, item: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
    buf.push(u8::from(item.is_some()));
    if let Some(item) = item {
        put(buf, item);
    }
}

pub(super) fn maybe<'a, T>(
    from: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Option<T>,
) -> Option<Option<T>> {
    match from.byte()? {
        0 => Some(None),
        1 => read(from).map(Some),
        _ => None,
    }
}

pub(super) fn put_list<T>(buf: &mut Vec<u8>, items: &[T], mut put: impl FnMut(&mut Vec<u8>, &T)) {
    put_varint(buf, items.len() as u64);
    for item in items {
        put(buf, item);
    }
}

/// As many items as the list says it has. Room is made for those that are there, not for those that are promised.
pub(super) fn list<'a, T>(
    from: &mut Reader<'a>,
    mut read: impl FnMut(&mut Reader<'a>) -> Option<T>,
) -> Option<Vec<T>> {
    let mut items = Vec::new();
    for _ in 0..from.varint()? {
        items.push(read(from)?);
    }
    Some(items)
}

/// Partitions with an offset each.
pub(super) fn put_offsets(buf: &mut Vec<u8>, offsets: &[(u32, u64)]) {
    put_list(buf, offsets, |buf, (partition, offset)| {
        put_varint(buf, u64::from(*partition));
        put_varint(buf, *offset);
    });
}

pub(super) fn offsets(from: &mut Reader<'_>) -> Option<Vec<(u32, u64)>> {
    list(from, |from| Some((number(from)?, from.varint()?)))
}

/// Partitions alone.
pub(super) fn put_partitions(buf: &mut Vec<u8>, partitions: &[u32]) {
    put_list(buf, partitions, |buf, partition| put_varint(buf, u64::from(*partition)));
}

pub(super) fn partitions(from: &mut Reader<'_>) -> Option<Vec<u32>> {
    list(from, number)
}
