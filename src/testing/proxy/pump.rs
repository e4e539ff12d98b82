//! One direction of a connection.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep_until};

use super::Fault;
use super::connection::reset;
use super::fault::{Direction, Treatment};
use super::shared::Shared;

/// Bytes read at once.
const CHUNK: usize = 16 << 10;
/// Bytes under way in a direction at most.
const UNDER_WAY: usize = 1 << 20;
/// A throttled direction holds what it carries in this fraction of a second.
const TICKS: u64 = 20;

/// The connection was reset; both directions end.
#[derive(Debug)]
pub(super) struct Reset;

/// Carries bytes one way.
pub(super) struct Pump<'a> {
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    direction: Direction,
    shared: &'a Shared,
    faults: Receiver<Fault>,
    under_way: VecDeque<Chunk>,
    held: usize,
    /// When the last throttled chunk has gone through.
    free_at: Instant,
    /// The sender has ended.
    ended: bool,
    /// Something did not reach the receiver, so nothing after it may.
    lost: bool,
}

struct Chunk {
    due: Instant,
    bytes: Vec<u8>,
    written: usize,
}

/// What can be done next.
enum Step {
    Reconsider,
    Write,
    Read,
}

impl<'a> Pump<'a> {
    pub(super) fn new(
        from: OwnedReadHalf,
        to: OwnedWriteHalf,
        direction: Direction,
        shared: &'a Shared,
        mut faults: Receiver<Fault>,
    ) -> Self {
        faults.mark_changed();
        Self {
            from,
            to,
            direction,
            shared,
            faults,
            under_way: VecDeque::new(),
            held: 0,
            free_at: Instant::now(),
            ended: false,
            lost: false,
        }
    }

    /// Ends when everything up to the sender's end was passed on; the receiver then sees the end as well.
    pub(super) async fn run(mut self) -> Result<(), Reset> {
        let mut treatment = Treatment::Swallow;
        loop {
            if self.faults.has_changed().map_err(|_| Reset)? {
                treatment = self.faults.borrow_and_update().treatment(self.direction);
                self.reconsider(treatment)?;
            }
            if self.ended && self.under_way.is_empty() && !self.lost {
                return Ok(());
            }
            let result = match self.step(treatment).await {
                Step::Reconsider => Ok(()),
                Step::Write => self.write(),
                Step::Read => self.read(treatment),
            };
            if result.is_err() {
                return Err(self.reset());
            }
        }
    }

    /// Puts a new fault into effect on what is under way.
    fn reconsider(&mut self, treatment: Treatment) -> Result<(), Reset> {
        match treatment {
            Treatment::Reset => return Err(self.reset()),
            Treatment::Pass { .. } if self.lost => return Err(self.reset()),
            Treatment::Pass { delay, bytes_per_second } => {
                self.free_at = Instant::now();
                for chunk in &mut self.under_way {
                    let left = chunk.bytes.len() - chunk.written;
                    chunk.due = due(&mut self.free_at, left, delay, bytes_per_second);
                }
            }
            Treatment::Swallow if self.held > 0 => {
                self.shared.swallowed.add(self.held);
                self.under_way.clear();
                (self.held, self.lost) = (0, true);
            }
            Treatment::Swallow => {}
        }
        Ok(())
    }

    async fn step(&mut self, treatment: Treatment) -> Step {
        let room = match treatment {
            Treatment::Pass { bytes_per_second: Some(rate), .. } => self.held < slice(rate),
            _ => self.held < UNDER_WAY,
        };
        let due = self.under_way.front().map(|chunk| chunk.due);
        let to = &self.to;
        let writable = async {
            match due {
                Some(due) => {
                    sleep_until(due).await;
                    // An error shows when it is written.
                    let _ = to.writable().await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = self.faults.changed() => {
                // Seen by the one who waited, and to be seen by the loop.
                self.faults.mark_changed();
                Step::Reconsider
            }
            () = writable => Step::Write,
            _ = self.from.readable(), if room && !self.ended => Step::Read,
        }
    }

    fn read(&mut self, treatment: Treatment) -> io::Result<()> {
        let mut buffer = [0; CHUNK];
        let most = match treatment {
            Treatment::Pass { bytes_per_second: Some(rate), .. } => slice(rate).min(CHUNK),
            _ => CHUNK,
        };
        let read = match self.from.try_read(&mut buffer[..most]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            result => result?,
        };
        self.ended = read == 0;
        match treatment {
            Treatment::Pass { delay, bytes_per_second } if read > 0 => {
                let due = due(&mut self.free_at, read, delay, bytes_per_second);
                self.under_way.push_back(Chunk { due, bytes: buffer[..read].to_vec(), written: 0 });
                self.held += read;
            }
            Treatment::Pass { .. } => {}
            // The end of the stream is swallowed as well.
            Treatment::Swallow | Treatment::Reset => {
                self.shared.swallowed.add(read);
                self.lost = true;
            }
        }
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        let Some(chunk) = self.under_way.front_mut() else { return Ok(()) };
        let left = &chunk.bytes[chunk.written..];
        // Counted first: what the receiver has read is never missing.
        self.shared.passed.add(left.len());
        let result = self.to.try_write(left);
        self.shared.passed.take_back(left.len() - result.as_ref().map_or(0, |written| *written));
        let written = match result {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            result => result?,
        };
        chunk.written += written;
        if chunk.written == chunk.bytes.len() {
            self.under_way.pop_front();
        }
        self.held -= written;
        Ok(())
    }

    fn reset(&self) -> Reset {
        reset(self.from.as_ref());
        reset(self.to.as_ref());
        Reset
    }
}

fn due(free_at: &mut Instant, bytes: usize, delay: Duration, bytes_per_second: Option<u64>) -> Instant {
    let now = Instant::now();
    let Some(rate) = bytes_per_second else { return now + delay };
    *free_at = (*free_at).max(now) + Duration::from_secs(bytes as u64) / u32::try_from(rate).unwrap_or(u32::MAX);
    *free_at + delay
}

/// What a throttled direction holds at most.
fn slice(bytes_per_second: u64) -> usize {
    usize::try_from(bytes_per_second / TICKS).unwrap_or(UNDER_WAY).clamp(1, UNDER_WAY)
}
