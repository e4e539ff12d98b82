//! How the time of a request is shared out.

use std::time::Duration;

use squall::service::http::Deadline;

/// What is kept for the way of an answer to its caller, at most: a batch of 100 long lists is written in less.
const ANSWER: Duration = Duration::from_millis(20);

/// What the timelines may take of a request's time: were it all of it, one that hangs would leave none for the rows,
/// and a caller in a hurry would never have an answer from them.
pub(super) fn first_half(deadline: Deadline) -> Deadline {
    deadline.within(deadline.left() / 2)
}

/// Until when more is waited for by who has something to answer already: a tenth of what is left before the deadline,
/// and at most 20 ms. What is answered at the deadline itself finds nobody there any more.
pub(in crate::query) fn before_the_end(deadline: Deadline) -> Deadline {
    let left = deadline.left();
    deadline.within(left - ANSWER.min(left / 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn something_is_left_for_the_answer_and_most_for_the_work() {
        let ms = Duration::from_millis;
        for (left, first, before) in [(1_000, 500, 980), (200, 100, 180), (40, 20, 36), (0, 0, 0)] {
            let deadline = Deadline::after(ms(left));
            let shares = (first_half(deadline).left(), before_the_end(deadline).left());
            assert_eq!(shares, (ms(first), ms(before)), "{left} ms");
        }
    }
}
