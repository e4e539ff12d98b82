//! Times as people write and read them.

use std::time::Duration;

use crate::guard::Civil;

/// Units that [`parse_duration`] takes, with their milliseconds.
const UNITS: [(&str, u64); 7] = [
    ("ms", 1),
    ("s", 1000),
    ("m", 60_000),
    ("min", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
];

/// Ten years: longer is a mistake.
const MAX_MS: u64 = 3660 * 86_400_000;

/// Reads `30s`, `30m`, `2h`, `1d`, or several of them one after the other, as in `1h 30m`.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no duration; write it as 30s, 30m, 2h, 1d or 1h30m");
    let (mut rest, mut total) = (text.trim(), 0_u64);
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let (_, ms) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let number: u64 = number.parse().map_err(|_| wrong())?;
        total = number.checked_mul(*ms).and_then(|ms| total.checked_add(ms)).ok_or_else(wrong)?;
        rest = after.trim_start();
    }
    match total {
        0 => Err(format!("`{text}` is no time at all")),
        1..=MAX_MS => Ok(Duration::from_millis(total)),
        _ => Err(format!("`{text}` is more than ten years")),
    }
}

/// How long something took.
pub(super) fn show_took(took: Duration) -> String {
    match took.as_millis() {
        ms @ 0..1000 => format!("{ms} ms"),
        _ => format!("{:.1} s", took.as_secs_f64()),
    }
}

/// How long ago something was, in its largest unit.
pub(super) fn show_ago(now_ms: i64, then_ms: i64) -> String {
    let seconds = now_ms.saturating_sub(then_ms).max(0) / 1000;
    match seconds {
        0..120 => format!("{seconds} s ago"),
        120..7200 => format!("{} min ago", seconds / 60),
        7200..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

/// A point in time, as `2026-11-21 15:30:00 UTC`.
pub(super) fn show_utc(unix_ms: i64) -> String {
    let Civil { year, month, day, hour, minute, second } = Civil::of(unix_ms);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        let seconds = |text| parse_duration(text).unwrap().as_secs();
        assert_eq!([seconds("30s"), seconds("30m"), seconds("2h"), seconds("1d")], [30, 1800, 7200, 86_400]);
        assert_eq!([seconds("1h30m"), seconds(" 1h 30min 5s "), seconds("1w")], [5400, 5405, 604_800]);
        assert_eq!(parse_duration("250ms").unwrap(), Duration::from_millis(250));
    }

    #[test]
    fn what_is_no_duration_says_how_to_write_one() {
        for text in ["", "30", "m", "-5m", "3 0m", "5x", "1.5h", "30M", "99999999999999999999s"] {
            let error = parse_duration(text).expect_err(text);
            assert!(error.contains("30m"), "{error}");
        }
        assert!(parse_duration("0s").unwrap_err().contains("no time"));
        assert!(parse_duration("999w").unwrap_err().contains("ten years"));
    }

    #[test]
    fn points_in_time_are_those_of_the_calendar() {
        assert_eq!(show_utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(show_utc(-1), "1969-12-31 23:59:59 UTC");
        assert_eq!(show_utc(951_782_400_000), "2000-02-29 00:00:00 UTC");
        assert_eq!(show_utc(1_511_848_894_999), "2017-11-28 06:01:34 UTC");
        assert_eq!(show_utc(4_107_542_399_000), "2100-02-28 23:59:59 UTC");
        assert_eq!(show_utc(4_107_542_400_000), "2100-03-01 00:00:00 UTC");
    }

    #[test]
    fn spans_are_shown_in_a_unit_that_fits() {
        assert_eq!(show_took(Duration::from_millis(40)), "40 ms");
        assert_eq!(show_took(Duration::from_millis(1250)), "1.2 s");
        assert_eq!(show_ago(10_000, 7000), "3 s ago");
        assert_eq!(show_ago(7_200_000, 0), "2 h ago");
        assert_eq!(show_ago(0, 5000), "0 s ago");
    }
}
