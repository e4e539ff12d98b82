//! A connection with its bounds.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use tokio::time::{Instant, sleep_until};

use super::progress::{Over, Progress};

/// Runs `connection` to its end, or until one of its times is up; then it is dropped, which closes the socket.
///
/// Everything that moves a bound runs inside `connection`, so looking at it after each turn is enough. The timer is lazy: a
/// bound that moved away is found out when the old one passes, so a busy connection sets none.
pub(super) async fn guarded<C: Future>(connection: C, progress: &Progress) -> Result<C::Output, Over> {
    let mut connection = pin!(connection);
    let mut timer = pin!(sleep_until(progress.due().map_or_else(Instant::now, |(at, _)| at)));
    poll_fn(|cx| {
        if let Poll::Ready(output) = connection.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        loop {
            let Some((at, over)) = progress.due() else { return Poll::Pending };
            if timer.is_elapsed() {
                if at <= timer.deadline() {
                    return Poll::Ready(Err(over));
                }
                timer.as_mut().reset(at);
            } else if at < timer.deadline() {
                timer.as_mut().reset(at);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await
}
