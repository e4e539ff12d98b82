//! What is written of requests.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::time::Instant;

use crate::service::http::{AccessLogSettings, Code, Peer, TraceContext};

/// Target of the lines, for log filters such as `squall::access=info`.
const TARGET: &str = "squall::access";

/// A request that was answered, or whose caller left.
///
/// Holds no path, no query and no header: ids of users and tokens stand there. The route says what was asked.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) server: &'a str,
    pub(super) method: &'a str,
    pub(super) route: &'a str,
    /// `None` when the caller left before the answer.
    pub(super) status: Option<StatusCode>,
    pub(super) code: Option<Code>,
    pub(super) took: Duration,
    pub(super) peer: Peer,
    pub(super) trace: TraceContext,
}

/// Decides which lines are written, and writes them.
#[derive(Debug)]
pub(super) struct AccessLog {
    settings: AccessLogSettings,
    second: Mutex<Second>,
}

/// The lines of the current second.
#[derive(Debug)]
struct Second {
    began: Instant,
    written: u32,
    left_out: u64,
}

impl AccessLog {
    pub(super) fn new(settings: AccessLogSettings) -> Self {
        let second = Second { began: Instant::now(), written: 0, left_out: 0 };
        Self { settings, second: Mutex::new(second) }
    }

    /// Writes it if it is one of those that are.
    pub(super) fn write(&self, line: &Line<'_>) {
        if !self.wants(line) {
            return;
        }
        let Some(left_out) = self.room(Instant::now()) else { return };
        let (status, code) = (line.status.map_or(0, |status| status.as_u16()), line.code.map(Code::as_str));
        let (took_us, peer) = (line.took.as_micros() as u64, line.peer.0);
        let trace_id = format_args!("{:032x}", line.trace.trace_id);
        macro_rules! event {
            ($level:ident) => {
                tracing::$level!(
                    target: TARGET, server = line.server, method = line.method, route = line.route, status, code,
                    took_us, %peer, %trace_id, left_out, "request"
                )
            };
        }
        if is_error(line) { event!(warn) } else { event!(info) }
    }

    /// Errors and slow ones always; of the others a share by their trace, so that services that share a trace write the
    /// same ones.
    fn wants(&self, line: &Line<'_>) -> bool {
        // 53 bits of the trace's random end fit a double.
        let place = (line.trace.trace_id as u64 & ((1 << 53) - 1)) as f64 / (1_u64 << 53) as f64;
        is_error(line) || line.took >= self.settings.slow || place < self.settings.sample
    }

    /// How many were left out since the last one, if there is room for another.
    fn room(&self, now: Instant) -> Option<u64> {
        // Nothing panics while this lock is held; a poisoned value would still be whole.
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(second.began) >= Duration::from_secs(1) {
            second.began = now;
            second.written = 0;
        }
        if second.written >= self.settings.max_per_second {
            second.left_out += 1;
            return None;
        }
        second.written += 1;
        Some(std::mem::take(&mut second.left_out))
    }
}

fn is_error(line: &Line<'_>) -> bool {
    line.status.is_some_and(|status| status.is_server_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(status: u16, took_ms: u64, trace_id: u128) -> Line<'static> {
        Line {
            server: "query",
            method: "GET",
            route: "/v1/users/{user_id}/profile",
            status: StatusCode::from_u16(status).ok(),
            code: None,
            took: Duration::from_millis(took_ms),
            peer: Peer([127, 0, 0, 1].into()),
            trace: TraceContext { trace_id, parent_id: 1, sampled: false },
        }
    }

    #[tokio::test(start_paused = true)]
    async fn errors_and_slow_ones_are_always_written_and_a_share_of_the_others() {
        let settings = AccessLogSettings { sample: 0.25, slow: Duration::from_secs(1), max_per_second: 10 };
        let log = AccessLog::new(settings);
        let never = u128::MAX;
        assert!(!log.wants(&line(200, 10, never)));
        assert!(!log.wants(&line(404, 999, never)));
        assert!(log.wants(&line(200, 1000, never)));
        assert!(log.wants(&line(500, 0, never)));
        assert!(log.wants(&line(503, 0, never)));
        let of_a_thousand = |trace: u64| u128::from(trace) * ((1 << 53) / 1000);
        let written = (1..=1000).filter(|trace| log.wants(&line(200, 1, of_a_thousand(*trace)))).count();
        assert_eq!(written, 250);
        let none = AccessLog::new(AccessLogSettings { sample: 0.0, ..settings });
        assert!(!none.wants(&line(200, 0, 1 << 60)));
        let all = AccessLog::new(AccessLogSettings { sample: 1.0, ..settings });
        assert!(all.wants(&line(200, 0, never)));
    }

    #[tokio::test(start_paused = true)]
    async fn lines_have_a_bound_and_those_left_out_are_counted() {
        let settings = AccessLogSettings { max_per_second: 2, ..AccessLogSettings::default() };
        let log = AccessLog::new(settings);
        let now = Instant::now();
        assert_eq!([log.room(now), log.room(now), log.room(now), log.room(now)], [Some(0), Some(0), None, None]);
        let later = now + Duration::from_secs(1);
        assert_eq!([log.room(later), log.room(later), log.room(later)], [Some(2), Some(0), None]);
    }
}
