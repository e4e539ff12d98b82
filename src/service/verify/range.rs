//! Which part of the log is meant.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Source, VerifyError};
use crate::broker::Bounds;

/// One end of a range, as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// The oldest records that there are.
    Earliest,
    /// The end as it is now.
    Latest,
    /// An offset for each of these partitions; the others are not meant.
    Offsets(BTreeMap<u32, u64>),
    /// The first record of this time or later, in milliseconds since the Unix epoch.
    Time(i64),
}

/// Offsets `from..to` of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Range {
    /// Partition, counted from 0.
    pub partition: u32,
    /// First offset.
    pub from: u64,
    /// Offset after the last.
    pub to: u64,
}

impl Range {
    /// Offsets in it.
    pub fn length(&self) -> u64 {
        self.to - self.from
    }

    pub(super) fn has(&self, partition: u32, offset: u64) -> bool {
        self.partition == partition && (self.from..self.to).contains(&offset)
    }
}

/// The ranges between two bounds, ordered by partition, as the log is now.
///
/// # Errors
/// [`VerifyError::Range`] for partitions and offsets that there are not, and for ends before their beginning, saying what
/// is valid; [`VerifyError::NoTopic`]; what the log says.
pub async fn ranges(source: &Source, from: &Bound, to: &Bound) -> Result<Vec<Range>, VerifyError> {
    let Source { broker, topic, .. } = source;
    if broker.topic(topic).await?.is_none() {
        return Err(VerifyError::NoTopic { topic: topic.clone() });
    }
    let bounds = broker.bounds(topic).await?;
    let (starts, ends) =
        (offsets(source, &bounds, "--from", from).await?, offsets(source, &bounds, "--to", to).await?);
    if let (Bound::Offsets(from), Bound::Offsets(to)) = (from, to)
        && !from.keys().eq(to.keys())
    {
        let list = |map: &BTreeMap<u32, u64>| map.keys().map(u32::to_string).collect::<Vec<_>>().join(", ");
        return Err(VerifyError::Range(format!(
            "--from names partitions {} and --to names {}; name the same ones, or give one of them as earliest, latest \
             or a time",
            list(from),
            list(to)
        )));
    }
    let mut ranges = Vec::new();
    for own in &bounds {
        let (Some(&from), Some(&to)) = (starts.get(&own.partition), ends.get(&own.partition)) else { continue };
        if from > to {
            let Bounds { partition, earliest, latest } = own;
            return Err(VerifyError::Range(format!(
                "partition {partition} of {topic}: --from is {from} and --to is {to}, before it; valid are {earliest} \
                 to {latest}"
            )));
        }
        ranges.push(Range { partition: own.partition, from, to });
    }
    Ok(ranges)
}

/// The offset that a bound is, by partition.
async fn offsets(
    source: &Source,
    bounds: &[Bounds],
    name: &str,
    bound: &Bound,
) -> Result<BTreeMap<u32, u64>, VerifyError> {
    let each = |offset: fn(&Bounds) -> u64| bounds.iter().map(|own| (own.partition, offset(own))).collect();
    match bound {
        Bound::Earliest => Ok(each(|own| own.earliest)),
        Bound::Latest => Ok(each(|own| own.latest)),
        Bound::Time(ms) => {
            let found = source.broker.offsets_at(&source.topic, *ms).await?;
            let at = |own: &Bounds| found.get(own.partition as usize).copied().unwrap_or(own.latest);
            // Of a partition that has grown since its bounds were read the end is the one that was read.
            let within = |own: &Bounds| at(own).clamp(own.earliest, own.latest);
            Ok(bounds.iter().map(|own| (own.partition, within(own))).collect())
        }
        Bound::Offsets(given) => {
            for (&partition, &offset) in given {
                check(&source.topic, bounds, name, partition, offset)?;
            }
            Ok(given.clone())
        }
    }
}

fn check(topic: &str, bounds: &[Bounds], name: &str, partition: u32, offset: u64) -> Result<(), VerifyError> {
    let Some(own) = bounds.iter().find(|own| own.partition == partition) else {
        let last = bounds.last().map_or(0, |own| own.partition);
        return Err(VerifyError::Range(format!(
            "{topic} has no partition {partition}, which {name} names; valid are 0 to {last}"
        )));
    };
    if !(own.earliest..=own.latest).contains(&offset) {
        let Bounds { earliest, latest, .. } = own;
        return Err(VerifyError::Range(format!(
            "partition {partition} of {topic}: {name} is {offset}, valid are {earliest} to {latest}"
        )));
    }
    Ok(())
}
