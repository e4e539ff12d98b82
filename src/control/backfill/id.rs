//! Names of jobs.

use std::hash::{BuildHasher, Hasher, RandomState};

/// `b-<date>-<time>-<chance>`, in UTC: short, in the order of creation, and unique.
///
/// The date is that of Howard Hinnant's `civil_from_days`: years of 400-year eras that begin in March.
pub(super) fn new_id(unix_ms: i64) -> String {
    id_of(unix_ms, RandomState::new().build_hasher().finish() as u16)
}

fn id_of(unix_ms: i64, chance: u16) -> String {
    let seconds = unix_ms.div_euclid(1000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("b-{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}-{chance:04x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_when_the_job_was_created() {
        assert_eq!(id_of(1_511_848_894_999, 0x2f), "b-20171128-060134-002f");
        assert_eq!(id_of(951_782_400_000, 0xffff), "b-20000229-000000-ffff");
        assert!(new_id(0).starts_with("b-19700101-000000-"));
    }
}
