//! Live traffic goes first.
//!
//! The [`Budget`](super::Budget) of a job keeps fresh records fast while there is room for both. It cannot know when there is
//! none: what the live stream lacks then shows in no store but in the log. So while a worker has a chunk it also looks at
//! what the stream's group has committed, on whichever workers it runs, and rests while the stream is behind. A job never
//! stands still for that: each task lets a run go every 30 s.
//!
//! A look is several questions to the log, and with a short time in which the stream may be behind, all workers together look
//! many times for each run of a slow job. So they look from shortly before a run may go, and not in the rest before it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::abreast::Abreast;
use super::desk::Shared;
use crate::broker::BrokerError;

/// Looks at the log within the time that the stream may be behind.
const LOOKS: u32 = 2;
/// How many times as long before a run may go the looks begin: from the first to the one that tells it takes as long once, and
/// with twice that there is room for a late one. Besides what so many looks take.
const AHEAD: u32 = 2;

/// The live stream over the topic of the jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveStream {
    /// Its consumer group.
    pub group: String,
    /// Backfills rest while something is not committed that was in the log so long ago, except of partitions whose commit has
    /// not moved for ten seconds. At least twice the interval at which the stream commits.
    pub behind: Duration,
}

/// Keeps what the tasks are told of the stream up to date, while one of them may soon let a run go, or rests for the stream. Never
/// ends.
pub(super) async fn watch(shared: Arc<Shared>, live: LiveStream) {
    let clock = shared.settings.clock;
    let (mut abreast, mut took) = (Abreast::new(live.behind), Duration::ZERO);
    loop {
        sleep((live.behind / LOOKS).max(Duration::from_millis(1))).await;
        let now = Instant::now();
        let soon = now + live.behind * AHEAD + took * (LOOKS + 1);
        match shared.due() {
            None => abreast = Abreast::new(live.behind),
            // Whoever was told to rest has to be told when it is over.
            Some(due) if due > soon && !shared.is_live_behind() => continue,
            Some(_) => {
                if let Ok((ends, commits)) = look(&shared, &live.group).await {
                    abreast.look(clock.now(), ends, &commits);
                }
                took = now.elapsed();
            }
        }
        // Where the log cannot be asked, what is known of it grows old: nobody waits for long.
        shared.tell_of_live(abreast.is_behind(clock.now()));
    }
}

type Offsets = BTreeMap<u32, u64>;

/// The ends of the topic, and what the group has committed.
async fn look(shared: &Shared, group: &str) -> Result<(Offsets, Offsets), BrokerError> {
    let topic = &shared.settings.topic;
    let committed = shared.broker.committed(group, topic).await?;
    let bounds = shared.broker.bounds(topic).await?;
    let ends = bounds.iter().map(|held| (held.partition, held.latest)).collect();
    let commits = (0..).zip(committed).filter_map(|(partition, next)| Some((partition, next?)));
    Ok((ends, commits.collect()))
}
