//! How a spill, and the producer over it, stand.

use serde::Serialize;

use crate::guard::BreakerState;

/// How a spill stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SpillStatus {
    /// Records on the disk that are not in the log. After a failed write it may be more than there are, until its
    /// segment is drained.
    pub records: u64,
    /// Bytes that count against `max_bytes`: those of these records, and of those on their way to the disk.
    pub bytes: u64,
    /// The bound.
    pub max_bytes: u64,
    /// Age of the oldest record in milliseconds.
    pub oldest_age_ms: Option<u64>,
    /// Records that became durable here since the process began.
    pub appended: u64,
    /// Records that went from here into the log since then.
    pub drained: u64,
    /// Records for which there was no room since then.
    pub refused: u64,
    /// Why the disk, or the drain, failed last; `None` once it worked again.
    pub failure: Option<String>,
}

/// How a producer stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DurableStatus {
    /// Records that went straight into the log.
    pub to_log: u64,
    /// Records that went to the spill.
    pub to_spill: u64,
    /// Records that neither took: their callers were told so.
    pub unavailable: u64,
    /// Where the breaker of the log stands: `closed`, `open` or `half-open`.
    pub log: &'static str,
    /// Why it stands there.
    pub log_reason: String,
    /// The spill.
    pub spill: SpillStatus,
}

/// Whether a producer can do what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Records go into the log.
    Well,
    /// Records are durable on the disk, or still come from there; why.
    Degraded(String),
    /// Records are refused; why. The service is not ready.
    Down(String),
}

impl DurableStatus {
    /// Whether it can do what it is for. It is down while the log is away and the spill cannot take `room` more bytes,
    /// or its disk fails; not while only the next request can find out whether the log is back.
    pub fn health(&self, room: u64) -> Health {
        let spill = &self.spill;
        let waiting =
            format!("{} records wait on the disk ({} of {} bytes)", spill.records, spill.bytes, spill.max_bytes);
        let away = self.log != BreakerState::Closed.as_str();
        match &spill.failure {
            Some(failure) if self.log == BreakerState::HalfOpen.as_str() && spill.records == 0 => {
                Health::Degraded(format!("the log may be back ({}), and {failure}", self.log_reason))
            }
            Some(failure) if away => Health::Down(format!("the log is away ({}), and {failure}", self.log_reason)),
            _ if away && spill.bytes.saturating_add(room) > spill.max_bytes => {
                Health::Down(format!("the log is away ({}), and the spill is full: {waiting}", self.log_reason))
            }
            _ if away => Health::Degraded(format!("the log is away ({}): {waiting}", self.log_reason)),
            Some(failure) => Health::Degraded(failure.clone()),
            None if spill.records > 0 => Health::Degraded(format!("the log is back: {waiting}")),
            None => Health::Well,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_down_only_when_neither_takes_records() {
        let of = |log, bytes, records, failure: Option<&str>| {
            let failure = failure.map(str::to_owned);
            let spill = SpillStatus { records, bytes, max_bytes: 100, failure, ..SpillStatus::default() };
            let status = DurableStatus {
                to_log: 0,
                to_spill: 0,
                unavailable: 0,
                log,
                log_reason: "3 of 3 calls failed".into(),
                spill,
            };
            status.health(10)
        };
        assert_eq!(of("closed", 0, 0, None), Health::Well);
        assert!(matches!(of("closed", 95, 3, None), Health::Degraded(why) if why.starts_with("the log is back")));
        assert!(matches!(of("closed", 0, 0, Some("no space")), Health::Degraded(_)));
        assert!(matches!(of("open", 90, 3, None), Health::Degraded(why) if why.contains("3 of 3 calls failed")));
        assert!(matches!(of("half-open", 91, 3, None), Health::Down(why) if why.contains("full")));
        assert!(matches!(of("open", 0, 0, Some("no space")), Health::Down(why) if why.contains("no space")));
        assert!(matches!(of("half-open", 9, 3, Some("no space")), Health::Down(_)), "the drain finds out");
        let nobody = of("half-open", 0, 0, Some("no space"));
        assert!(matches!(nobody, Health::Degraded(why) if why.contains("may be back")), "nobody else would");
    }
}
