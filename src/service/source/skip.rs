//! Skips ahead by itself when a spout is too far behind.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::broker::Broker;
use crate::control::backfill::{BackfillError, Backfills, Bound, Draft};
use crate::control::{Control, Operator, Running, SeekTo, SpoutSource, Worker, host_name};
use crate::guard::{AutoSkip, AutoSkipSettings, Clock};

/// How often the lag is looked at.
const LOOK: Duration = Duration::from_secs(5);
/// Looks in a row without an answer of which it is told.
const UNREAD: u32 = 12;
/// How long it is waited until all partitions have moved. Those that have not do so later.
const MOVED_WITHIN: Duration = Duration::from_secs(60);

/// Whose lag is watched.
pub struct SkipWatch {
    /// The log.
    pub broker: Arc<dyn Broker>,
    /// Name of the topology.
    pub topology: String,
    /// The spout.
    pub source: SpoutSource,
    /// From which lag on.
    pub settings: AutoSkipSettings,
    /// Tells whether this worker is to decide.
    pub control: Control,
    /// The time.
    pub clock: Clock,
}

/// Looks at the lag of a spout every five seconds. When it has been too large for its dwell, the spout goes on with the
/// newest records, and a backfill job brings those between, as by an operator's `skip`; the audit says who and why.
/// Partitions that stand at a gap stay there. One partition whose oldest record is past the bound is enough, whatever
/// is known of the others; where none is and the age of some cannot be read, that is no reading. Of several workers the
/// one that has the first partition decides. Ends with the process; does nothing without a bound.
pub fn watch_lag(watch: SkipWatch) -> Option<JoinHandle<()>> {
    let mut skip = AutoSkip::new(watch.settings);
    let is_on = skip.is_on();
    let run = async move {
        let (backfills, running) = watch.parts();
        let operator = Operator::new(watch.broker.clone(), &watch.topology, watch.clock);
        let mut unread = 0_u32;
        loop {
            tokio::time::sleep(LOOK).await;
            if !watch.control.has_partition(&watch.source.spout, 0) || running.is_paused() {
                // Whoever has it now begins to look at it anew, and so does this one when it comes back. One that is
                // paused is behind because somebody wants it to be.
                skip = AutoSkip::new(watch.settings);
                continue;
            }
            let Ok(mut lag) = operator.lag(&watch.source, Duration::ZERO).await else { continue };
            // What stands at a gap waits for an operator, or goes on by itself if it may.
            let partitions = lag.len();
            lag.retain(|partition| partition.gap.is_none());
            let records = lag.iter().map(|partition| partition.lag).sum();
            let behind_ms = lag.iter().filter_map(|partition| partition.behind_ms).max().unwrap_or_default();
            let behind = Duration::from_millis(behind_ms.max(0).unsigned_abs());
            if watch.settings.behind.is_some()
                && !skip.is_too_far(records, behind)
                && lag.iter().any(|partition| partition.lag > 0 && partition.behind_ms.is_none())
            {
                // What is known is not too far behind, and of the rest it could not be read, which is no reading.
                unread += 1;
                if unread.is_multiple_of(UNREAD) {
                    let spout = &watch.source.spout;
                    tracing::warn!(
                        spout,
                        "the age of the oldest records cannot be read: whether to skip is not known"
                    );
                }
                continue;
            }
            unread = 0;
            let now = watch.clock.now();
            let Some(reason) = skip.observe(now, records, behind) else { continue };
            let spout = &watch.source.spout;
            let to = match lag.len() == partitions {
                true => SeekTo::Latest,
                false => SeekTo::Offsets(lag.iter().map(|held| (held.partition, held.latest)).collect()),
            };
            match watch.skip(&backfills, &to, &reason).await {
                Ok(Some(job)) => {
                    skip.skipped(now, Duration::ZERO);
                    tracing::warn!(spout, job, reason, "skipped ahead; a backfill brings what is between");
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(spout, %error, reason, "cannot skip ahead"),
            }
        }
    };
    is_on.then(|| tokio::spawn(run))
}

impl SkipWatch {
    fn parts(&self) -> (Backfills, Running) {
        let backfills = Backfills::new(self.broker.clone(), &self.topology, self.clock);
        (backfills, self.control.spout(&self.source.spout))
    }

    /// Skips `to` there; the name of the job that brings what is between. `None` when there is nothing to bring, or when
    /// somebody, such as another worker before, has skipped not long ago.
    async fn skip(
        &self,
        backfills: &Backfills,
        to: &SeekTo,
        reason: &str,
    ) -> Result<Option<String>, BackfillError> {
        let jobs = backfills.list().await?;
        let skips = jobs.iter().filter(|status| status.job.skip.as_ref() == Some(&self.source.spout));
        let last_ms = skips.map(|status| status.job.when_ms).max();
        let age_ms = last_ms.map(|ms| self.clock.unix_ms().saturating_sub(ms).max(0).unsigned_abs());
        if age_ms.is_some_and(|ms| Duration::from_millis(ms) < self.settings.again_after) {
            return Ok(None);
        }
        let who = format!("process {} on {}", std::process::id(), host_name());
        let ends = Draft::new(&self.source.topic, Bound::Earliest, Bound::Latest, who);
        let draft = Draft { reason: reason.to_owned(), ..ends };
        let (plan, job) = backfills.plan_skip(&self.source, to, &draft).await?;
        let Some(job) = job else { return Ok(None) };
        let (seeking, job) = backfills.skip(plan, job).await?;
        let operator = Operator::new(self.broker.clone(), &self.topology, self.clock);
        // It is made, whatever is known of the workers.
        if operator.workers().await.is_ok_and(|workers| !workers.iter().any(Worker::takes_backfills)) {
            tracing::warn!(
                job = job.id,
                "no live worker has the role all or backup: what is skipped waits for one"
            );
        }
        // Once it stands everywhere the control topic says so, and nobody is sent by it again.
        let answers = operator.await_sought(&seeking, MOVED_WITHIN).await;
        if !answers.missing.is_empty() {
            tracing::warn!(spout = self.source.spout, missing = ?answers.missing, "partitions have not moved yet");
        }
        Ok(Some(job.id))
    }
}
