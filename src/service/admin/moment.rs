//! Points in time as people write them.

use std::time::Duration;

use super::time::parse_duration;

/// A point in time, or so long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    At(i64),
    Ago(Duration),
}

/// The first number that is taken for milliseconds since 1970; less are seconds, or a mistake. 1973.
const FIRST_MS: i64 = 100_000_000_000;

impl Moment {
    /// In milliseconds since the Unix epoch, given the present.
    pub(super) fn unix_ms(self, now_ms: i64) -> i64 {
        match self {
            Self::At(ms) => ms,
            Self::Ago(age) => now_ms.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX)),
        }
    }
}

/// Reads an age (`2h`), Unix milliseconds, or a date with a time as RFC 3339 writes it. The zone may be `UTC` as in
/// what is printed here, or missing, which is UTC too.
pub(super) fn parse_moment(text: &str) -> Result<Moment, String> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return match text.parse::<i64>() {
            Ok(ms) if ms == 0 || ms >= FIRST_MS => Ok(Moment::At(ms)),
            _ => Err(format!(
                "`{text}` are no milliseconds since 1970 that make sense; seconds need 000 after them"
            )),
        };
    }
    if let Ok(age) = parse_duration(text) {
        return Ok(Moment::Ago(age));
    }
    parse_date(text).map(Moment::At).ok_or_else(|| {
        format!("`{text}` is no time; write it as 2h (ago), 2026-11-21T15:30:00Z or milliseconds since 1970")
    })
}

fn parse_date(text: &str) -> Option<i64> {
    let (date, rest) = (text.get(..10)?, text.get(10..)?);
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let days = days_since_1970(year, month, day)?;
    let rest = rest.strip_prefix(['T', 't', ' ']).unwrap_or(rest);
    if rest.is_empty() {
        return Some(days * 86_400_000);
    }
    let [hour, minute, second] = numbers(rest.get(..8)?, ':', [2, 2, 2])?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (ms, zone) = fraction(rest.get(8..)?)?;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second;
    Some((seconds - offset(zone.trim_start())?) * 1_000 + ms)
}

/// Numbers of these many digits, with a separator between them.
fn numbers<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next()?;
        let whole = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        *number = whole.then(|| part.parse().ok())??;
    }
    parts.next().is_none().then_some(numbers)
}

/// The milliseconds of `.123456…`, and what follows.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(digits) = text.strip_prefix('.') else { return Some((0, text)) };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let ms = format!("{:0<3}", digits.get(..end.min(3))?);
    Some(((end > 0).then(|| ms.parse().ok())??, digits.get(end..)?))
}

/// Seconds east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    let sign = match zone {
        "" | "Z" | "z" | "UTC" => return Some(0),
        _ if zone.starts_with('+') => 1,
        _ if zone.starts_with('-') => -1,
        _ => return None,
    };
    let [hours, minutes] = numbers(zone.get(1..)?, ':', [2, 2])?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// Howard Hinnant's `days_from_civil`; `None` for a date that there is not.
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=longest).contains(&day) {
        return None;
    }
    let shifted = year - i64::from(month <= 2);
    let (era, year_of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::service::admin::time::show_utc;

    fn at(text: &str) -> i64 {
        match parse_moment(text) {
            Ok(Moment::At(ms)) => ms,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn times_are_read_as_people_and_programs_write_them() {
        assert_eq!(at("2017-11-28T06:01:34Z"), 1_511_848_894_000);
        assert_eq!(at("2017-11-28 06:01:34 UTC"), 1_511_848_894_000);
        assert_eq!(at("2017-11-28T08:01:34.9994+02:00"), 1_511_848_894_999);
        assert_eq!(at("2017-11-27t22:01:34.5-08:00"), 1_511_848_894_500);
        assert_eq!((at("1970-01-01"), at("2000-02-29"), at("0")), (0, 951_782_400_000, 0));
        assert_eq!(at("1511848894999"), 1_511_848_894_999);
        assert_eq!(parse_moment("2h").map(|age| age.unix_ms(7_200_000)), Ok(0));
    }

    #[test]
    fn what_is_no_time_says_how_to_write_one() {
        for text in [
            "",
            "tomorrow",
            "2017-11-28T25:00:00Z",
            "2017-02-29",
            "2017-13-01",
            "2017-11-28T06:01:34+2",
            "17-11-28",
            "ä",
        ] {
            let error = parse_moment(text).expect_err(text);
            assert!(error.contains("2026-11-21T15:30:00Z"), "{error}");
        }
        assert!(parse_moment("1511848894").unwrap_err().contains("000"));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read(seconds in -60_000_000_000_i64..250_000_000_000) {
            prop_assert_eq!(parse_moment(&show_utc(seconds * 1_000)), Ok(Moment::At(seconds * 1_000)));
        }

        #[test]
        fn nothing_panics(text in "\\PC{0,40}") {
            let _any = parse_moment(&text);
        }
    }
}
