//! Ends of a range as people write them.

use std::collections::BTreeMap;

use crate::guard::Clock;
use crate::service::admin::moment::{Moment, parse_moment};
use crate::service::verify::Bound;

/// An end of a range that may be a time from now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Given {
    Bound(Bound),
    Moment(Moment),
}

impl Given {
    /// The end, given the present.
    pub(super) fn bound(&self, now_ms: i64) -> Bound {
        match self {
            Self::Bound(bound) => bound.clone(),
            Self::Moment(moment) => Bound::Time(moment.unix_ms(now_ms)),
        }
    }
}

/// Reads `earliest`, `latest`, offsets as `P:O,P:O`, or a time.
pub(super) fn parse_bound(text: &str) -> Result<Given, String> {
    match text.trim() {
        "earliest" => return Ok(Given::Bound(Bound::Earliest)),
        "latest" => return Ok(Given::Bound(Bound::Latest)),
        _ => {}
    }
    // A date has colons too, and something else beside digits.
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let pairs: Option<Vec<_>> =
        text.split(',').map(|pair| pair.trim().split_once(':').filter(|(p, o)| digits(p) && digits(o))).collect();
    if let Some(pairs) = pairs {
        let mut offsets = BTreeMap::new();
        for (partition, offset) in pairs {
            let (Ok(number), Ok(offset)) = (partition.parse::<u32>(), offset.parse()) else {
                return Err(format!("`{partition}:{offset}` is no place in a log"));
            };
            if offsets.insert(number, offset).is_some() {
                return Err(format!("`{text}` names partition {number} twice"));
            }
        }
        return Ok(Given::Bound(Bound::Offsets(offsets)));
    }
    parse_moment(text).map(Given::Moment).map_err(|_| {
        format!(
            "`{text}` is no end of a range; write it as earliest, latest, P:O,P:O… (partition and offset), 2h (ago), \
             2026-11-21T15:30:00Z or milliseconds since 1970"
        )
    })
}

/// Reads a time as `2h` (ago), RFC 3339 or milliseconds since 1970, as milliseconds since the Unix epoch.
///
/// # Errors
/// What is wrong with it, and how to write it.
pub fn parse_since(text: &str) -> Result<i64, String> {
    parse_moment(text).map(|moment| moment.unix_ms(Clock::new().unix_ms()))
}
