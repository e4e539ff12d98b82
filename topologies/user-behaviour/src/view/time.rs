//! Points in time as people read them.

use jiff::Timestamp;

const DAY_MS: i64 = 86_400_000;

/// `2026-01-01 00:00:00.000`, in UTC; the number itself where the calendar ends.
pub(crate) fn moment(at_ms: i64) -> String {
    match Timestamp::from_millisecond(at_ms) {
        Ok(time) => format!("{time:.3}").replacen('T', " ", 1).trim_end_matches('Z').to_owned(),
        Err(_) => at_ms.to_string(),
    }
}

/// `2026-01-01`, from days since the Unix epoch.
pub(crate) fn day(days: i64) -> String {
    match days.checked_mul(DAY_MS) {
        Some(at_ms) => moment(at_ms).split(' ').next().unwrap_or_default().to_owned(),
        None => days.to_string(),
    }
}
