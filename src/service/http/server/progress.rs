//! What a connection waits for, and until when.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::service::http::HttpSettings;
use crate::service::http::metrics::Cut;

/// Shared by the parts of one connection, all of which run in its task: the lock is never waited for.
#[derive(Debug, Clone)]
pub(super) struct Progress(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    limits: Limits,
    waits: Waits,
    /// Since when the caller takes nothing of what is written.
    stalled: Option<Instant>,
    /// Since when what is written leaves more slowly than it could.
    slow: Option<Instant>,
    /// Whether the latest request was, or would be, answered before all of it had arrived.
    unread: bool,
}

/// How long each may last.
#[derive(Debug, Clone, Copy)]
struct Limits {
    header: Duration,
    idle: Duration,
    write: Duration,
    answer: Duration,
    linger: Duration,
}

#[derive(Debug, Clone, Copy)]
enum Waits {
    /// For the end of headers, since.
    Headers(Instant),
    /// For the first byte of another request, since.
    Request(Instant),
    /// For the answer, which has bounds of its own.
    Answer,
    /// For a refused caller to stop sending, since.
    Linger(Instant),
}

/// Why it is over when a time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// The caller was too slow.
    Cut(Cut),
    /// It lingered long enough.
    Lingered,
}

impl Progress {
    /// Of a connection that begins now.
    pub(super) fn new(settings: &HttpSettings) -> Self {
        let limits = Limits {
            header: settings.header_timeout,
            idle: settings.idle_timeout,
            write: settings.write_timeout,
            answer: settings.answer_timeout,
            linger: settings.linger,
        };
        let waits = Waits::Headers(Instant::now());
        Self(Arc::new(Mutex::new(State { limits, waits, stalled: None, slow: None, unread: false })))
    }

    /// The handshake is done: the time for headers begins.
    pub(super) fn shaken(&self) {
        let mut state = self.lock();
        state.waits = Waits::Headers(Instant::now());
        state.unread = false;
    }

    /// Bytes have arrived. Headers that are too much, or none at all, are answered by hyper, which reads no further.
    pub(super) fn arrived(&self) {
        let mut state = self.lock();
        if let Waits::Request(_) = state.waits {
            state.waits = Waits::Headers(Instant::now());
        }
        if let Waits::Headers(_) = state.waits {
            state.unread = true;
        }
    }

    /// The headers of a request are there.
    pub(super) fn begin(&self) {
        let mut state = self.lock();
        state.waits = Waits::Answer;
        state.unread = false;
    }

    /// The whole answer has been handed over for writing.
    pub(super) fn end(&self) {
        self.lock().waits = Waits::Request(Instant::now());
    }

    /// The body of the request was dropped before its end.
    pub(super) fn unread(&self) {
        self.lock().unread = true;
    }

    /// Bytes were taken. An answer that is handed over may still leave slowly, and what leaves is not idle.
    pub(super) fn taken(&self) {
        let mut state = self.lock();
        if state.stalled.take().is_some()
            && let Waits::Request(since) = &mut state.waits
        {
            *since = Instant::now();
        }
    }

    /// No byte is taken now.
    pub(super) fn stalled(&self) {
        let mut state = self.lock();
        let now = Instant::now();
        state.stalled.get_or_insert(now);
        state.slow.get_or_insert(now);
    }

    /// All that was written has been taken.
    pub(super) fn flushed(&self) {
        self.taken();
        self.lock().slow = None;
    }

    /// The write side is closed. Whether what still arrives is to be thrown away for a while: a socket that is closed with
    /// bytes unread resets the connection, and the caller may lose the answer that says what was wrong.
    pub(super) fn linger(&self) -> bool {
        let mut state = self.lock();
        let lingers = state.unread && !state.limits.linger.is_zero();
        if lingers {
            state.waits = Waits::Linger(Instant::now());
        }
        lingers
    }

    /// The next moment at which it is over unless something happens.
    pub(super) fn due(&self) -> Option<(Instant, Over)> {
        let state = self.lock();
        let limits = &state.limits;
        let waits = match state.waits {
            Waits::Headers(since) => Some((since + limits.header, Over::Cut(Cut::Headers))),
            Waits::Request(since) => Some((since + limits.idle, Over::Cut(Cut::Idle))),
            Waits::Linger(since) => Some((since + limits.linger, Over::Lingered)),
            Waits::Answer => None,
        };
        let write = state.stalled.map(|since| (since + limits.write, Over::Cut(Cut::Write)));
        let answer = state.slow.map(|since| (since + limits.answer, Over::Cut(Cut::Write)));
        waits.into_iter().chain(write).chain(answer).min_by_key(|(at, _)| *at)
    }

    /// Nothing panics while this lock is held; a poisoned value would still be whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn each_wait_has_its_own_end() {
        let progress = Progress::new(&HttpSettings::default());
        let start = Instant::now();
        let due = |after: u32, over| Some((start + SECOND * after, over));
        assert_eq!(progress.due(), due(3, Over::Cut(Cut::Headers)));
        tokio::time::advance(SECOND).await;
        progress.arrived();
        assert_eq!(progress.due(), due(3, Over::Cut(Cut::Headers)), "a byte now and then prolongs nothing");
        progress.begin();
        assert_eq!(progress.due(), None);
        progress.end();
        assert_eq!(progress.due(), due(31, Over::Cut(Cut::Idle)));
        progress.arrived();
        assert_eq!(progress.due(), due(4, Over::Cut(Cut::Headers)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_not_taken_has_an_end_also_while_it_is_made() {
        let progress = Progress::new(&HttpSettings::default());
        let start = Instant::now();
        progress.begin();
        progress.stalled();
        tokio::time::advance(SECOND).await;
        progress.stalled();
        assert_eq!(progress.due(), Some((start + SECOND * 8, Over::Cut(Cut::Write))));
        progress.end();
        assert_eq!(progress.due(), Some((start + SECOND * 8, Over::Cut(Cut::Write))));
        progress.taken();
        assert_eq!(progress.due(), Some((start + SECOND * 31, Over::Cut(Cut::Idle))));
        progress.stalled();
        tokio::time::advance(SECOND * 5).await;
        progress.taken();
        assert_eq!(
            progress.due(),
            Some((start + SECOND * 36, Over::Cut(Cut::Idle))),
            "what leaves slowly is not idle"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_taken_byte_by_byte_has_an_end() {
        let progress = Progress::new(&HttpSettings::default());
        let start = Instant::now();
        progress.begin();
        for _ in 0..59 {
            progress.stalled();
            tokio::time::advance(SECOND).await;
            progress.taken();
        }
        assert_eq!(progress.due(), Some((start + SECOND * 60, Over::Cut(Cut::Write))));
        progress.flushed();
        assert_eq!(progress.due(), None, "the next answer has its own time");
        tokio::time::advance(SECOND).await;
        progress.stalled();
        progress.taken();
        assert_eq!(progress.due(), Some((start + SECOND * 120, Over::Cut(Cut::Write))));
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_refused_caller_is_lingered_for() {
        let progress = Progress::new(&HttpSettings::default());
        assert!(!progress.linger());
        progress.begin();
        progress.unread();
        assert!(progress.linger());
        assert_eq!(progress.due(), Some((Instant::now() + SECOND, Over::Lingered)));
        progress.begin();
        assert!(!progress.linger(), "the next request begins anew");
        progress.end();
        progress.arrived();
        assert!(progress.linger(), "one whose headers were not taken");
        progress.shaken();
        assert!(!progress.linger(), "a handshake is no request");
    }
}
