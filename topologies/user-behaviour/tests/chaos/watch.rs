//! What the group has committed, sampled all the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use squall::broker::Broker;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// How often the group is asked.
const EVERY: Duration = Duration::from_millis(200);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// By partition: the end of the log, and what was committed a moment later.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    pub(crate) ends: Vec<u64>,
    pub(crate) committed: Vec<u64>,
}

impl Sample {
    /// Records that were in the log and not committed. An understatement: the log is asked first.
    pub(crate) fn lag(&self) -> u64 {
        self.ends.iter().zip(&self.committed).map(|(end, committed)| end.saturating_sub(*committed)).sum()
    }

    /// Records committed.
    pub(crate) fn done(&self) -> u64 {
        self.committed.iter().sum()
    }

    /// Whether all is committed that the log held at `ends`.
    pub(crate) fn passed(&self, ends: &[u64]) -> bool {
        !self.committed.is_empty() && ends.iter().zip(&self.committed).all(|(end, committed)| committed >= end)
    }

    /// Records behind which some partition has stood still since `earlier`.
    pub(crate) fn stuck(&self, earlier: &Self) -> u64 {
        let partitions = self.ends.iter().zip(&self.committed).zip(&earlier.committed);
        let still = partitions.filter(|((_, now), then)| now == then);
        still.map(|((end, committed), _)| end.saturating_sub(*committed)).sum()
    }
}

/// The task that asks.
pub(crate) struct Watch {
    broker: Arc<dyn Broker>,
    group: String,
    topic: String,
    latest: watch::Receiver<Sample>,
    regressions: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Watch {
    pub(crate) fn start(broker: Arc<dyn Broker>, group: &str, topic: &str) -> Self {
        let (sender, latest) = watch::channel(Sample::default());
        let regressions = Arc::new(AtomicU64::new(0));
        let (seen, asked) = (regressions.clone(), (broker.clone(), group.to_owned(), topic.to_owned()));
        let task = tokio::spawn(async move {
            let (broker, group, topic) = asked;
            loop {
                if let Some(sample) = sample(&*broker, &group, &topic).await {
                    let back = |(before, now): (&u64, &u64)| now < before;
                    let went_back = sender.borrow().committed.iter().zip(&sample.committed).any(back);
                    seen.fetch_add(u64::from(went_back), Ordering::Relaxed);
                    sender.send_replace(sample);
                }
                sleep(EVERY).await;
            }
        });
        let (group, topic) = (group.to_owned(), topic.to_owned());
        Self { broker, group, topic, latest, regressions, task }
    }

    /// How it is at this moment; as last seen when the log does not answer.
    pub(crate) async fn now(&self) -> Sample {
        match sample(&*self.broker, &self.group, &self.topic).await {
            Some(sample) => sample,
            None => self.latest.borrow().clone(),
        }
    }

    /// Waits until a sample is as wanted, at most `limit`; how long that took.
    pub(crate) async fn until(
        &self,
        limit: Duration,
        mut wanted: impl FnMut(&Sample) -> bool,
    ) -> Option<Duration> {
        let (began, mut latest) = (Instant::now(), self.latest.clone());
        let found = timeout_at(began + limit, latest.wait_for(|sample| wanted(sample))).await;
        found.ok()?.ok()?;
        Some(began.elapsed())
    }

    /// How often a commit went back.
    pub(crate) fn regressions(&self) -> u64 {
        self.regressions.load(Ordering::Relaxed)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn sample(broker: &dyn Broker, group: &str, topic: &str) -> Option<Sample> {
    let bounds = timeout(PATIENCE, broker.bounds(topic)).await.ok()?.ok()?;
    let committed = timeout(PATIENCE, broker.committed(group, topic)).await.ok()?.ok()?;
    let committed = committed.into_iter().zip(&bounds).map(|(at, bounds)| at.unwrap_or(bounds.earliest));
    Some(Sample { committed: committed.collect(), ends: bounds.iter().map(|bounds| bounds.latest).collect() })
}
