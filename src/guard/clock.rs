//! The clock that a process gives to its guards.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Monotonic and wall time from one source, tokio's: on paused time both stand still, and move together.
///
/// The wall time is read once, at the start. A later adjustment of the machine's clock is not followed: a due time
/// never jumps while a process runs. [`Clock::wall`] is for what has to agree with other machines instead.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    wall: Wall,
}

/// Where the wall time comes from.
#[derive(Debug, Clone, Copy)]
enum Wall {
    /// This at the start, and then as time passes.
    Since(i64),
    /// What this says at each look.
    Read(fn() -> i64),
}

impl Clock {
    /// A clock that starts now, at the wall time.
    pub fn new() -> Self {
        Self::at(system_unix_ms())
    }

    /// A clock whose wall time is the machine's at each look: it jumps when that is set, and after a suspension.
    pub fn wall() -> Self {
        Self::reading(system_unix_ms)
    }

    /// A clock whose wall time is what `unix_ms` says at each look: for tests of clocks that are wrong.
    pub fn reading(unix_ms: fn() -> i64) -> Self {
        Self { started: Instant::now(), wall: Wall::Read(unix_ms) }
    }

    /// A clock that starts now, at the given wall time: for tests.
    pub fn at(unix_ms: i64) -> Self {
        Self { started: Instant::now(), wall: Wall::Since(unix_ms) }
    }

    /// Time since the start. Never runs back.
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Wall time in milliseconds since 1970. Never runs back, unless it is read at each look.
    pub fn unix_ms(&self) -> i64 {
        match self.wall {
            Wall::Since(started_ms) => started_ms.saturating_add(whole_ms(self.now())),
            Wall::Read(unix_ms) => unix_ms(),
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// Before 1970 the machine's clock is not set, and no due time means anything.
fn system_unix_ms() -> i64 {
    whole_ms(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn whole_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn paused_time_moves_both() {
        let clock = Clock::at(1_000);
        let copy = clock;
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        assert_eq!((clock.now(), clock.unix_ms()), (Duration::from_millis(2_500), 3_500));
        assert_eq!(copy.unix_ms(), 3_500);
    }

    #[test]
    fn it_starts_at_the_wall_time() {
        let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        assert!(Clock::new().unix_ms() as u128 >= before);
        assert!(Clock::wall().unix_ms() as u128 >= before);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_reads_follows_what_it_reads() {
        thread_local!(static NOW: std::cell::Cell<i64> = const { std::cell::Cell::new(5_000) });
        let clock = Clock::reading(|| NOW.get());
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!((clock.now(), clock.unix_ms()), (Duration::from_secs(1), 5_000));
        NOW.set(4_000);
        assert_eq!(clock.unix_ms(), 4_000, "it is set back");
    }
}
