//! Until when an answer is of use.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{Code, Problem};

/// The moment at which the caller stops waiting. It travels with the request, so that nothing is begun for nobody and no
/// store is waited for longer than its answer can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline(Instant);

impl Deadline {
    /// `after` from now.
    pub fn after(after: Duration) -> Self {
        let now = Instant::now();
        // A time that no clock holds is as good as none.
        Self(now.checked_add(after).unwrap_or(now + Duration::from_secs(365 * 86_400)))
    }

    /// The moment itself.
    pub fn at(self) -> Instant {
        self.0
    }

    /// How long is left; zero once it has passed.
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// The earlier of this and `most` from now: for one of several steps.
    pub fn within(self, most: Duration) -> Self {
        self.min(Self::after(most))
    }

    /// The earlier one.
    pub fn min(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }

    /// Runs `work` until then.
    ///
    /// # Errors
    /// [`Code::DeadlineExceeded`]; the work is dropped.
    pub async fn bound<T>(self, work: impl Future<Output = T>) -> Result<T, Problem> {
        let late = |_| Problem::new(Code::DeadlineExceeded, "the request was not answered within its time");
        timeout_at(self.0, work).await.map_err(late)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_takes_longer_is_given_up() {
        let deadline = Deadline::after(Duration::from_millis(50));
        assert_eq!(deadline.bound(async { 7 }).await, Ok(7));
        assert_eq!(deadline.left(), Duration::from_millis(50));
        let slow = tokio::time::sleep(Duration::from_secs(9));
        assert_eq!(deadline.bound(slow).await.unwrap_err().code(), Code::DeadlineExceeded);
        assert_eq!(deadline.left(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_has_its_own_time_within_that_of_the_whole() {
        let deadline = Deadline::after(Duration::from_millis(50));
        assert_eq!(deadline.within(Duration::from_millis(20)).left(), Duration::from_millis(20));
        assert_eq!(deadline.within(Duration::from_secs(20)).left(), Duration::from_millis(50));
        assert!(Deadline::after(Duration::MAX).left() > Duration::from_secs(86_400));
    }
}
