//! The partition of a key.
//!
//! The same hash as Kafka's Java client and librdkafka's `murmur2_random`, so that records of one key stand in
//! one partition whoever wrote them, and whichever log holds them.

/// Seed of Kafka's variant of the hash.
const SEED: u32 = 0x9747_b28c;
const M: u32 = 0x5bd1_e995;
const R: u32 = 24;

/// 32-bit MurmurHash2 of `data`, seeded as Kafka does.
///
/// ```
/// assert_eq!(squall::broker::murmur2(b"foobar") as i32, -790332482);
/// ```
pub fn murmur2(data: &[u8]) -> u32 {
    // The hash takes the length modulo 2^32; no key is longer.
    let mut h = SEED ^ data.len() as u32;
    let (words, tail) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> R;
        h = h.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !tail.is_empty() {
        for (at, byte) in tail.iter().enumerate() {
            h ^= u32::from(*byte) << (8 * at);
        }
        h = h.wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    h ^ (h >> 15)
}

/// The partition, counted from 0, of a record with `key` in a topic of `partitions` partitions.
///
/// # Panics
/// `partitions` is at least 1: no topic has fewer.
///
/// ```
/// assert!(squall::broker::partition_for_key(b"user-1", 8) < 8);
/// ```
pub fn partition_for_key(key: &[u8], partitions: u32) -> u32 {
    assert!(partitions > 0, "a topic has at least one partition");
    (murmur2(key) & 0x7fff_ffff) % partitions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_agrees_with_the_vectors_of_kafka() {
        let vectors: [(&str, i32); 7] = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
            ("", 275_646_681),
        ];
        for (key, hash) in vectors {
            assert_eq!(murmur2(key.as_bytes()) as i32, hash, "{key:?}");
        }
    }

    #[test]
    fn hash_agrees_with_the_vectors_of_librdkafka() {
        let tail = "PreAmbleWillBeRemoved,ThePrePartThatIs";
        let vectors: [(&str, u32); 10] = [
            ("kafka", 0xd067_cf64),
            ("giberish123456789", 0x8f55_2b0c),
            ("1234", 0x9fc9_7b14),
            ("234", 0xe7c0_09ca),
            ("34", 0x8739_30da),
            ("4", 0x5a4b_5ca1),
            (tail, 0x7842_4f1c),
            (&tail[1..], 0x4a62_b377),
            (&tail[2..], 0xe0e4_e09e),
            (&tail[3..], 0x62b8_b43f),
        ];
        for (key, hash) in vectors {
            assert_eq!(murmur2(key.as_bytes()), hash, "{key:?}");
        }
    }

    #[test]
    fn partition_takes_the_hash_without_its_sign() {
        assert_eq!(partition_for_key(b"21", 7), ((-973_932_308_i32) & 0x7fff_ffff) as u32 % 7);
        assert_eq!(partition_for_key(b"anything", 1), 0);
    }
}
