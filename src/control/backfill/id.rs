//! Names of jobs.

use std::hash::{BuildHasher, Hasher, RandomState};

use crate::guard::Civil;

/// `b-<date>-<time>-<chance>`, in UTC: short, in the order of creation, and unique.
pub(super) fn new_id(unix_ms: i64) -> String {
    id_of(unix_ms, RandomState::new().build_hasher().finish() as u16)
}

fn id_of(unix_ms: i64, chance: u16) -> String {
    let Civil { year, month, day, hour, minute, second } = Civil::of(unix_ms);
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
