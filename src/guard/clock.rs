//! The clock that a process gives to its guards.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Monotonic and wall time from one source, tokio's: on paused time both stand still, and move together.
///
/// The wall time is read once, at the start. A later adjustment of the machine's clock is not followed: a due time
/// never jumps while a process runs.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    started_unix_ms: i64,
}

impl Clock {
    /// A clock that starts now, at the wall time.
    pub fn new() -> Self {
        // Before 1970 the machine's clock is not set, and no due time means anything.
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::at(whole_ms(since_epoch))
    }

    /// A clock that starts now, at the given wall time: for tests.
    pub fn at(unix_ms: i64) -> Self {
        Self { started: Instant::now(), started_unix_ms: unix_ms }
    }

    /// Time since the start. Never runs back.
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Wall time in milliseconds since 1970. Never runs back.
    pub fn unix_ms(&self) -> i64 {
        self.started_unix_ms.saturating_add(whole_ms(self.now()))
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
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
    }
}
