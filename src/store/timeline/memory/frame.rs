//! Frames: what journals and snapshots are made of.
//!
//! ```text
//! length of the payload  u32
//! xxh3 of the payload    u64
//! xxh3 of the above      u32 (its low half)
//! payload
//! ```

use std::io::{self, Read};

use xxhash_rust::xxh3::xxh3_64;

/// Bytes before the payload.
pub(super) const HEADER: usize = 16;

/// Appends a frame to `out`; its payload is what `fill` appends.
pub(super) fn put_frame(out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.resize(start + HEADER, 0);
    fill(out);
    let (header, payload) = out[start..].split_at_mut(HEADER);
    let len = u32::try_from(payload.len()).expect("payloads are bounded far below 4 GiB");
    header[..4].copy_from_slice(&len.to_le_bytes());
    header[4..12].copy_from_slice(&xxh3_64(payload).to_le_bytes());
    let check = xxh3_64(&header[..12]) as u32;
    header[12..].copy_from_slice(&check.to_le_bytes());
}

/// What stands at a position of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A whole frame; its payload is in the buffer.
    Frame,
    /// The file ends here, after a whole frame.
    End,
    /// The last frame is incomplete. Frames are synced one by one, so this one never was.
    Torn,
    /// A frame that something follows, and so was synced, is not what was written.
    Damaged,
}

/// Reads the frames of a file of known length.
pub(super) struct Frames<R> {
    input: R,
    left: u64,
    /// Where the next frame starts.
    pub(super) at: u64,
    pub(super) payload: Vec<u8>,
}

impl<R: Read> Frames<R> {
    pub(super) fn new(input: R, len: u64) -> Self {
        Self { input, left: len, at: 0, payload: Vec::new() }
    }

    pub(super) fn next(&mut self) -> io::Result<Step> {
        if self.left == 0 {
            return Ok(Step::End);
        }
        if self.left < HEADER as u64 {
            return Ok(Step::Torn);
        }
        let mut header = [0; HEADER];
        self.input.read_exact(&mut header)?;
        if !sound(&header) {
            self.input.read_to_end(&mut self.payload)?;
            return Ok(if holds_frame(&self.payload) { Step::Damaged } else { Step::Torn });
        }
        let len = u64::from(u32::from_le_bytes([header[0], header[1], header[2], header[3]]));
        let left = self.left - HEADER as u64;
        if len > left {
            return Ok(Step::Torn);
        }
        self.payload.resize(len as usize, 0);
        self.input.read_exact(&mut self.payload)?;
        if header[4..12] != xxh3_64(&self.payload).to_le_bytes() {
            return Ok(if len == left { Step::Torn } else { Step::Damaged });
        }
        self.left = left - len;
        self.at += HEADER as u64 + len;
        Ok(Step::Frame)
    }
}

fn sound(header: &[u8]) -> bool {
    header[12..] == (xxh3_64(&header[..12]) as u32).to_le_bytes()
}

/// Whether a whole frame stands anywhere in `bytes`.
fn holds_frame(bytes: &[u8]) -> bool {
    bytes.windows(HEADER).enumerate().any(|(at, header)| {
        sound(header) && {
            let mut frames = Frames::new(&bytes[at..], (bytes.len() - at) as u64);
            matches!(frames.next(), Ok(Step::Frame))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(bytes: &[u8]) -> (Vec<Step>, u64) {
        let mut frames = Frames::new(bytes, bytes.len() as u64);
        let mut steps = vec![];
        loop {
            let step = frames.next().unwrap();
            let last = step != Step::Frame;
            steps.push(step);
            if last {
                return (steps, frames.at);
            }
        }
    }

    #[test]
    fn every_cut_and_every_flipped_bit_shows() {
        let mut bytes = vec![];
        put_frame(&mut bytes, |out| out.extend_from_slice(b"first"));
        let first = bytes.len();
        put_frame(&mut bytes, |out| out.extend_from_slice(b"second"));
        assert_eq!(steps(&bytes), (vec![Step::Frame, Step::Frame, Step::End], bytes.len() as u64));
        for cut in first + 1..bytes.len() {
            assert_eq!(steps(&bytes[..cut]), (vec![Step::Frame, Step::Torn], first as u64), "cut at {cut}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let (steps, at) = steps(&bad);
            let (whole, last) = if bit / 8 < first { (0, 0) } else { (1, first as u64) };
            assert_eq!((steps.len(), at), (whole + 1, last), "bit {bit}");
            assert!(matches!(steps[whole], Step::Torn | Step::Damaged));
            assert_eq!(steps[whole] == Step::Damaged, bit / 8 < first, "bit {bit}");
        }
    }
}
