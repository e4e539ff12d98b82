//! Where ranges begin and end, as people write it.

use std::collections::BTreeMap;

use crate::control::backfill::Bound;
use crate::service::admin::moment::{Moment, parse_moment};

/// One `--from` or `--to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Written {
    Earliest,
    Latest,
    Moment(Moment),
    Offsets(BTreeMap<u32, u64>),
}

/// Reads `earliest`, `latest`, offsets (`0:100,1:250`), or a time as everywhere.
pub(super) fn parse_bound(text: &str) -> Result<Written, String> {
    match text.trim() {
        "earliest" => return Ok(Written::Earliest),
        "latest" => return Ok(Written::Latest),
        _ => {}
    }
    let looks_like_offsets = |text: &str| {
        let parts: Vec<_> = text.split(':').collect();
        parts.len() == 2 && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
    };
    if text.split(',').all(|pair| looks_like_offsets(pair.trim())) {
        return offsets(text).map(Written::Offsets);
    }
    parse_moment(text).map(Written::Moment).map_err(|_| {
        format!(
            "`{text}` is no end of a range; write it as earliest, latest, partitions with offsets (0:100,1:250), 2h \
             (ago) or 2026-11-21T15:30:00Z"
        )
    })
}

fn offsets(text: &str) -> Result<BTreeMap<u32, u64>, String> {
    let mut offsets = BTreeMap::new();
    for pair in text.split(',') {
        let wrong = || format!("`{pair}` is no partition with an offset, such as 0:100");
        let (partition, offset) = pair.trim().split_once(':').ok_or_else(wrong)?;
        let (partition, offset) = (partition.parse().map_err(|_| wrong())?, offset.parse().map_err(|_| wrong())?);
        if offsets.insert(partition, offset).is_some() {
            return Err(format!("partition {partition} is named twice in `{text}`"));
        }
    }
    Ok(offsets)
}

/// What all of one option together say; several are lists of offsets.
pub(super) fn bound_of(option: &str, written: &[Written], now_ms: i64) -> Result<Bound, String> {
    match written {
        [Written::Earliest] => return Ok(Bound::Earliest),
        [Written::Latest] => return Ok(Bound::Latest),
        [Written::Moment(moment)] => return Ok(Bound::Time(moment.unix_ms(now_ms))),
        _ => {}
    }
    let mut all = BTreeMap::new();
    for one in written {
        let Written::Offsets(offsets) = one else {
            return Err(format!("{option} is given more than once; only offsets (0:100) may be"));
        };
        for (partition, offset) in offsets {
            if all.insert(*partition, *offset).is_some() {
                return Err(format!("{option} names partition {partition} twice"));
            }
        }
    }
    Ok(Bound::Offsets(all))
}
