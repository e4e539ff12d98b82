//! Keys of the store, big-endian so that their order is the order of what they name.

/// Key in the meta keyspace of the format that the directory was written in.
pub(super) const FORMAT: &[u8] = b"f";
/// Key of the id that the next topic gets.
pub(super) const NEXT_TOPIC: &[u8] = b"n";
/// First byte of the keys of topics.
pub(super) const TOPIC: u8 = b't';
/// First byte of the keys of topics that are deleted and not swept.
pub(super) const GONE: u8 = b'x';
const BOUNDS: u8 = b'b';
const COMMITTED: u8 = b'c';

/// Key of the block of `partition` whose first offset is `offset`.
pub(super) fn block(topic: u32, partition: u32, offset: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..4].copy_from_slice(&topic.to_be_bytes());
    key[4..8].copy_from_slice(&partition.to_be_bytes());
    key[8..].copy_from_slice(&offset.to_be_bytes());
    key
}

/// First offset in the key of a block; `None` when it is no such key.
pub(super) fn block_offset(key: &[u8]) -> Option<u64> {
    let (_, offset) = key.split_last_chunk::<8>()?;
    (key.len() == 16).then(|| u64::from_be_bytes(*offset))
}

/// Key of a topic.
pub(super) fn topic(name: &str) -> Vec<u8> {
    [&[TOPIC], name.as_bytes()].concat()
}

/// Key that remembers a deleted topic until it is swept.
pub(super) fn gone(topic: u32) -> [u8; 5] {
    prefix(GONE, topic)
}

/// Key of the bounds of a partition.
pub(super) fn bounds(topic: u32, partition: u32) -> Vec<u8> {
    [&prefix(BOUNDS, topic)[..], &partition.to_be_bytes()].concat()
}

/// Key of what `group` has committed in a partition.
pub(super) fn committed(topic: u32, partition: u32, group: &str) -> Vec<u8> {
    [&prefix(COMMITTED, topic)[..], &partition.to_be_bytes(), group.as_bytes()].concat()
}

/// Prefixes of what belongs to a topic in the meta keyspace.
pub(super) fn of_topic(topic: u32) -> [[u8; 5]; 2] {
    [prefix(BOUNDS, topic), prefix(COMMITTED, topic)]
}

/// The topic id in a key that [`gone`] made.
pub(super) fn gone_topic(key: &[u8]) -> Option<u32> {
    let (_, id) = key.split_last_chunk::<4>()?;
    (key.len() == 5).then(|| u32::from_be_bytes(*id))
}

fn prefix(kind: u8, topic: u32) -> [u8; 5] {
    let [a, b, c, d] = topic.to_be_bytes();
    [kind, a, b, c, d]
}
