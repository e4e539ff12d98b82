//! What waits in the retry levels and among the parked records of each store.

use std::collections::HashSet;
use std::time::Duration;

use squall::broker::Broker;
use squall::delivery::Topics;
use user_behaviour::format::find;
use user_behaviour::settings::Config;
use user_behaviour::topology::{ROWS, TIMELINES, decode};

use super::demand::key;
use super::read;

/// Records that have yet to be brought back.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) records: u64,
    /// [`key`]s of those that wait for the timelines.
    pub(super) timelines: HashSet<u128>,
    /// [`key`]s of those that wait for the rows.
    pub(super) rows: HashSet<u128>,
}

pub(super) async fn waiting(broker: &dyn Broker, config: &Config) -> Waiting {
    let format = find(&config.format).unwrap();
    let mut waiting = Waiting::default();
    for (sink, topic) in topics(config) {
        for (partition, from, to) in unread(broker, &topic).await {
            read(broker, &topic, partition, from..to, |record| {
                waiting.records += 1;
                let keys = if sink == ROWS { &mut waiting.rows } else { &mut waiting.timelines };
                // Its value is the original's.
                keys.extend(decode(format, record).map(|decoded| key(decoded.record())));
            })
            .await;
        }
    }
    waiting
}

/// How many there are, without a look at them.
pub(crate) async fn count(broker: &dyn Broker, config: &Config) -> u64 {
    let mut records = 0;
    for (_, topic) in topics(config) {
        records += unread(broker, &topic).await.into_iter().map(|(_, from, to)| to - from).sum::<u64>();
    }
    records
}

/// All topics that records wait in, with the sink that they wait for.
fn topics(config: &Config) -> impl Iterator<Item = (&'static str, String)> {
    let delays: Vec<Duration> = config.delivery().unwrap().levels.delays;
    [(TIMELINES, config.timelines.nodes()), (ROWS, 1)].into_iter().flat_map(move |(sink, nodes)| {
        Topics::of(&config.name, sink, nodes, &delays)
            .all()
            .map(|topic| (sink, topic.to_owned()))
            .collect::<Vec<_>>()
    })
}

/// By partition, what the topic's own group has not committed; nothing of a topic that is not there.
async fn unread(broker: &dyn Broker, topic: &str) -> Vec<(u32, u64, u64)> {
    if broker.topic(topic).await.unwrap().is_none() {
        return Vec::new();
    }
    let committed = broker.committed(topic, topic).await.unwrap();
    let of = |partition: u32| committed.get(partition as usize).copied().flatten();
    let bounds = broker.bounds(topic).await.unwrap().into_iter();
    let unread = bounds.map(|bounds| {
        let from = of(bounds.partition).unwrap_or(bounds.earliest).max(bounds.earliest);
        (bounds.partition, from.min(bounds.latest), bounds.latest)
    });
    unread.collect()
}
