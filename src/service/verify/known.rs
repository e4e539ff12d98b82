//! Everything but the stores that decides where a record is.

use super::aside::Aside;
use super::skipped::Skipped;
use super::{Range, Skip, Source, Standing, Verdict, VerifyError};

/// What is known of the records of some ranges.
pub(super) struct Known {
    /// What the group had committed, by partition, before anything else was looked at.
    committed: Vec<u64>,
    aside: Aside,
    skipped: Skipped,
}

impl Known {
    /// Looks at commits first: whatever is committed then has been stored or set aside by the time that the rest is
    /// read.
    pub(super) async fn of(source: &Source, ranges: &[Range], max_aside: usize) -> Result<Self, VerifyError> {
        let committed = source.committed().await?;
        let mut aside = Aside::new(source, ranges, max_aside);
        aside.refresh().await?;
        Ok(Self { committed, aside, skipped: Skipped::read(source).await? })
    }

    /// Looks again at what is set aside.
    pub(super) async fn refresh(&mut self) -> Result<(), VerifyError> {
        self.aside.refresh().await
    }

    /// What the group had committed of a partition.
    pub(super) fn committed(&self, partition: u32) -> u64 {
        self.committed.get(partition as usize).copied().unwrap_or_default()
    }

    /// Why the record there was passed over.
    pub(super) fn skip(&self, partition: u32, offset: u64) -> Option<&Skip> {
        self.skipped.of(partition, offset)
    }

    /// Where a record is for a sink, or in general when it does not decode.
    pub(super) fn judge(
        &self,
        sink: Option<&str>,
        (partition, offset): (u32, u64),
        standing: Standing,
    ) -> Verdict {
        let waits = sink.is_some_and(|sink| self.aside.waits(sink, partition, offset));
        match standing {
            Standing::Stored => Verdict::Stored,
            Standing::Newer => Verdict::Newer,
            _ if waits => Verdict::Waiting,
            _ if self.aside.is_dead(sink, partition, offset) => Verdict::Dead,
            _ if offset >= self.committed(partition) => Verdict::InFlight,
            Standing::Expired => Verdict::Expired,
            Standing::Absent if self.skip(partition, offset).is_some() => Verdict::Skipped,
            Standing::Absent => Verdict::Missing,
        }
    }
}
