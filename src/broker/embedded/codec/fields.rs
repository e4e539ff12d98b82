//! Numbers and texts as bytes.

/// Appends an unsigned number, seven bits a byte.
pub(in super::super) fn put_varint(buf: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        buf.push(n as u8 | 0x80);
        n >>= 7;
    }
    buf.push(n as u8);
}

/// Appends a signed number; small ones of either sign are short.
pub(in super::super) fn put_zigzag(buf: &mut Vec<u8>, n: i64) {
    put_varint(buf, ((n << 1) ^ (n >> 63)) as u64);
}

/// Appends bytes after their length.
pub(in super::super) fn put_bytes(buf: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(buf, bytes.len() as u64);
    buf.extend_from_slice(bytes);
}

/// Appends bytes that may be missing.
pub(in super::super) fn put_optional(buf: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => buf.push(0),
        Some(bytes) => {
            put_varint(buf, bytes.len() as u64 + 1);
            buf.extend_from_slice(bytes);
        }
    }
}

/// Undoes the zigzag of [`put_zigzag`].
pub(in super::super) fn unzigzag(n: u64) -> i64 {
    (n >> 1) as i64 ^ -((n & 1) as i64)
}
