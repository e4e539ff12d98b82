//! Skipping ahead: the cursor moves, and what it passes over becomes a job.

use std::collections::BTreeMap;

use super::{BackfillError, Backfills, Bound, Draft, Job};
use crate::broker::Seek;
use crate::control::{AuditRecord, SeekPlan, SeekTo, Seeking, SpoutSource};

impl Backfills {
    /// What having a spout go on at `to` would skip, and the job that brings it later; `None` when there is nothing to
    /// skip. `draft` says how the job is worked at: its topic and its ends are of no account. Writes nothing.
    ///
    /// # Errors
    /// [`BackfillError::NotAhead`] when some partition stands past `to` already; [`BackfillError::Unmade`] while another seek
    /// is on its way, which nobody would make any more; those of [`plan`](Self::plan).
    pub async fn plan_skip(
        &self,
        source: &SpoutSource,
        to: &SeekTo,
        draft: &Draft,
    ) -> Result<(SeekPlan, Option<Job>), BackfillError> {
        // First: one that is made meanwhile must not go unnoticed.
        let unmade = self.operator.unmade(source).await?;
        let plan = self.operator.plan_seek(source, to).await?;
        if let Some(back) = plan.moves.iter().find(|m| m.repeated > 0) {
            let (partition, from, to) = (back.partition, back.from, back.to);
            return Err(BackfillError::NotAhead { spout: source.spout.clone(), partition, from, to });
        }
        // A partition that stands there, or of which nothing is left to bring, is moved all the same.
        let bring = || plan.moves.iter().filter(|m| m.skipped > 0);
        if bring().next().is_none() {
            return Ok((plan, None));
        }
        let begins: BTreeMap<u32, u64> = bring().map(|m| (m.partition, m.to - m.skipped)).collect();
        let ends: BTreeMap<u32, u64> = bring().map(|m| (m.partition, m.to)).collect();
        let draft = Draft {
            topic: source.topic.clone(),
            from: Bound::Offsets(begins),
            to: Bound::Offsets(ends),
            ..draft.clone()
        };
        let job = Job { skip: Some(source.spout.clone()), ..self.plan(&draft).await? };
        let moved = |partition: &u32| plan.moves.iter().any(|m| m.partition == *partition);
        if let Some((partition, Seek { number, offset })) = unmade.into_iter().find(|(at, _)| moved(at)) {
            return Err(BackfillError::Unmade { spout: source.spout.clone(), partition, number, offset });
        }
        Ok((plan, Some(job)))
    }

    /// Makes a skip that was planned: **one** record of the control topic is both the job and what moves the spout. A
    /// crash before it is durable leaves everything as it was; after it, workers move the spout and work at the job,
    /// whatever becomes of whoever asked for it.
    ///
    /// What is processed by the spout while it is being moved is processed by the job once more, which changes nothing.
    ///
    /// # Errors
    /// Those of [`put`](Self::put), but for an overlap: what it skips has to come, even twice.
    pub async fn skip(&self, plan: SeekPlan, mut job: Job) -> Result<(Seeking, Job), BackfillError> {
        let record = self.operator.seek_record(&plan, &job.who, &job.reason).await?;
        job.sends = Some(record.clone());
        for (partition, gap) in plan.moves.iter().filter_map(|m| Some((m.partition, m.lost?))) {
            let record = AuditRecord::lost(&job.topic, partition, gap, &job.who, self.clock.unix_ms());
            self.operator.record(&record).await?;
        }
        self.put(&job).await?;
        Ok((Seeking::begin(plan, record), job))
    }
}
