//! Worlds of random records.

use super::world::{DELAYS, PARTITIONS, SINKS, World};
use crate::delivery::Topics;
use crate::delivery::letters::{Filter, Intent, Redrive, Which};
use crate::service::verify::aside::letters_of;
use crate::service::verify::{Range, Standing};
use crate::testing::store::Random;

/// Where a record is for a sink, beside the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trace {
    None,
    /// In this topic of the sink, not brought back.
    Waits(usize),
    /// In one, and brought back.
    BroughtBack,
    Dead,
    SentBack,
}

pub(super) struct Record {
    pub(super) place: (u32, u64),
    pub(super) decodes: bool,
    /// Died before it came to a sink.
    pub(super) dead: bool,
    pub(super) sinks: [(Standing, Trace); 2],
}

/// A world of random records, what is committed of each partition, and what was skipped of it.
pub(super) async fn random_world(random: &mut Random) -> (World, Vec<Record>, Vec<u64>, Vec<Range>) {
    let world = World::new().await;
    let (mut records, mut brought_back, mut sent_back) = (Vec::new(), Vec::new(), false);
    for id in 0..20 + random.below(60) {
        let decodes = random.below(8) > 0;
        let value = if decodes { id.to_string() } else { format!("order {id}") };
        let record = world.order(random.below(u64::from(PARTITIONS)) as u32, &value).await;
        let place = (record.origin.partition, record.origin.offset);
        let dead = random.below(if decodes { 12 } else { 2 }) == 0;
        if dead {
            world.die(None, &record).await;
        }
        let mut sinks = [(Standing::Absent, Trace::None); 2];
        for (sink, own) in SINKS.iter().zip(&mut sinks).filter(|_| decodes) {
            let topics: Vec<String> = Topics::of("shop", sink, 1, &DELAYS).all().map(ToOwned::to_owned).collect();
            own.0 = random.pick(&[Standing::Stored, Standing::Newer, Standing::Expired, Standing::Absent]);
            own.1 = match random.below(7) {
                0..=2 => Trace::None,
                3 => Trace::Waits(random.below(3) as usize),
                4 => Trace::BroughtBack,
                5 => Trace::Dead,
                _ => Trace::SentBack,
            };
            world.stores.tell(sink, id, own.0);
            match own.1 {
                Trace::None => {}
                Trace::Waits(at) => drop(world.wait(sink, &topics[at], &record).await),
                Trace::BroughtBack => brought_back.push((*sink, record.clone())),
                Trace::Dead => drop(world.die(Some(sink), &record).await),
                Trace::SentBack => {
                    world.die(Some(sink), &record).await;
                    send_back(&world).await;
                    sent_back = true;
                }
            }
        }
        records.push(Record { place, decodes, dead, sinks });
    }
    if sent_back {
        // What was sent back is brought back too, or it would wait.
        retain_waiting(&world, &records).await;
    }
    for (sink, record) in brought_back {
        // A level that there was once, all of which is committed.
        let topic = format!("squall.shop.{sink}.retry-1m");
        world.broker.create_topic(&crate::broker::TopicSpec::new(&topic, 1)).await.unwrap();
        let (partition, offset) = world.wait(sink, &topic, &record).await;
        world.commit(&topic, &topic, partition, offset + 1).await;
    }
    let mut committed = Vec::new();
    for bounds in world.broker.bounds("orders").await.unwrap() {
        let next = if random.below(3) == 0 { bounds.latest } else { random.below(bounds.latest + 1) };
        world.commit("shop", "orders", bounds.partition, next).await;
        committed.push(next);
    }
    let mut skipped = Vec::new();
    for round in 0..random.below(4) {
        let (partition, from) = (random.below(u64::from(PARTITIONS)) as u32, random.below(20));
        let to = from + 1 + random.below(9);
        match round {
            0 => world.audit("skip", &format!("orders[{partition}]"), from, to).await,
            1 => world.job("b-1", partition, from, to, Some("orders")).await,
            _ => {
                // Neither of these excuses anything.
                world.audit("skip", &format!("others[{partition}]"), from, to).await;
                world.job("b-2", partition, from, to, None).await;
                continue;
            }
        }
        skipped.push(Range { partition, from, to });
    }
    (world, records, committed, skipped)
}

/// Sends all open letters of sinks back that were not before.
async fn send_back(world: &World) {
    let letters = letters_of(&world.source);
    let newest = letters.list(&Filter::default(), 1).await.unwrap().letters.remove(0);
    let intent = Intent::Redrive { to_source: false, new_payload: false, max_redrives: 3 };
    let plan = letters.plan(&Which::Ids(vec![newest.id()]), intent, false, 10).await.unwrap();
    let how = Redrive {
        rate: 1_000_000,
        to_source: false,
        payload: None,
        who: "ann".to_owned(),
        reason: String::new(),
        guard: crate::guard::LoopGuardSettings::default(),
    };
    assert_eq!(letters.redrive(&plan, &how, |_| ()).await.unwrap().sent, 1);
}

/// Writes what is to wait again, after everything before it was brought back.
async fn retain_waiting(world: &World, records: &[Record]) {
    for sink in SINKS {
        for topic in Topics::of("shop", sink, 1, &DELAYS).all() {
            for bounds in world.broker.bounds(topic).await.unwrap() {
                world.commit(topic, topic, bounds.partition, bounds.latest).await;
            }
        }
    }
    for record in records {
        for (at, sink) in SINKS.iter().enumerate() {
            let Trace::Waits(topic) = record.sinks[at].1 else { continue };
            let topics: Vec<String> = Topics::of("shop", sink, 1, &DELAYS).all().map(ToOwned::to_owned).collect();
            let origin = crate::topology::Origin {
                topic: "orders".into(),
                partition: record.place.0,
                offset: record.place.1,
                attempt: 0,
            };
            let record = crate::broker::LogRecord {
                origin,
                key: None,
                headers: crate::topology::Headers::default(),
                timestamp_ms: 1,
                value: None,
            };
            world.wait(sink, &topics[topic], &record).await;
        }
    }
}
