//! Takes fields off the front of bytes that may be anything.

use bytes::Bytes;

use super::fields::unzigzag;

/// Reads fields in order; every read past the end is `None`, never a panic.
pub(in super::super) struct Reader<'a> {
    source: &'a Bytes,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(in super::super) fn new(source: &'a Bytes, at: usize) -> Self {
        Self { source, at }
    }

    /// Where the next field begins.
    pub(in super::super) fn at(&self) -> usize {
        self.at
    }

    /// Whether all is read.
    pub(in super::super) fn is_done(&self) -> bool {
        self.at >= self.source.len()
    }

    pub(in super::super) fn byte(&mut self) -> Option<u8> {
        let byte = *self.source.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    pub(in super::super) fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        let bytes = *self.source.get(self.at..)?.first_chunk::<N>()?;
        self.at += N;
        Some(bytes)
    }

    pub(in super::super) fn varint(&mut self) -> Option<u64> {
        let mut n = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            n |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(n);
            }
        }
        None
    }

    pub(in super::super) fn zigzag(&mut self) -> Option<i64> {
        self.varint().map(unzigzag)
    }

    /// A length that lies within what is left.
    pub(in super::super) fn length(&mut self) -> Option<usize> {
        let length = usize::try_from(self.varint()?).ok()?;
        self.fits(length)
    }

    /// The next `length` bytes, sharing the source's memory.
    pub(in super::super) fn bytes(&mut self, length: usize) -> Option<Bytes> {
        let length = self.fits(length)?;
        let bytes = self.source.slice(self.at..self.at + length);
        self.at += length;
        Some(bytes)
    }

    /// The next `length` bytes, borrowed.
    pub(in super::super) fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let bytes = self.source.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(bytes)
    }

    /// `Some(None)` is bytes that are missing on purpose.
    pub(in super::super) fn optional(&mut self) -> Option<Option<Bytes>> {
        match self.varint()?.checked_sub(1) {
            None => Some(None),
            Some(length) => self.bytes(usize::try_from(length).ok()?).map(Some),
        }
    }

    pub(in super::super) fn skip(&mut self, length: usize) -> Option<()> {
        self.at += self.fits(length)?;
        Some(())
    }

    fn fits(&self, length: usize) -> Option<usize> {
        (length <= self.source.len() - self.at).then_some(length)
    }
}
