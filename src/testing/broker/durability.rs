//! Compaction, and what a restart keeps.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::Subject;
use super::member::Member;
use super::support::{append, bounds, create_as, fresh, numbered, read_partition, read_topic, to, within};
use crate::broker::{Append, GroupSettings, LogRecord, TopicSpec};

/// Compaction keeps the newest record of each key under its offset, and drops what is older and, in time,
/// tombstones; a reader steps over the holes.
pub async fn check_compaction(subject: &mut dyn Subject) {
    let broker = subject.broker();
    let topic = fresh("compact");
    create_as(&broker, &TopicSpec::new(&topic, 1).compacted()).await;
    let keyed = |key: u64, value: Option<String>| Append {
        key: Some(Bytes::from(format!("k{key}"))),
        value: value.map(Bytes::from),
        ..Append::default()
    };
    // Ten keys, thirty rounds; k3 ends with a tombstone, k7 has one that is superseded.
    let mut newest = BTreeMap::new();
    for round in 0..30_u64 {
        let batch: Vec<Append> = (0..10)
            .map(|key| {
                let dead = (key == 3 && round == 29) || (key == 7 && round == 28);
                keyed(key, (!dead).then(|| format!("{round}")))
            })
            .collect();
        let positions = append(&broker, &topic, batch).await;
        newest.extend(positions.iter().enumerate().map(|(key, p)| (format!("k{key}"), p.offset)));
    }
    let forced = subject.compact(&topic).await;

    let records = read_partition(&broker, &topic, 0).await;
    let held = bounds(&broker, &topic, 0).await;
    assert_eq!(held.latest, 300, "compaction moves no end");
    let last: BTreeMap<String, &LogRecord> =
        records.iter().map(|r| (text(r.key.as_ref().expect("a key")), r)).collect();
    for (key, offset) in &newest {
        match last.get(key) {
            Some(record) => {
                assert_eq!(record.origin.offset, *offset, "{key} keeps its offset");
                let value = record.value.as_ref().map(text);
                assert_eq!(value, (key != "k3").then(|| "29".to_owned()), "{key} keeps its newest value");
            }
            None => assert_eq!(key, "k3", "only a key with a tombstone may be gone"),
        }
    }
    if forced {
        assert_eq!(records.len(), 9, "one record for each living key");
        assert!(!last.contains_key("k3"), "the tombstone is gone with its key");
    }
    let position = append(&broker, &topic, vec![keyed(3, Some("again".into()))]).await[0];
    assert_eq!(position.offset, 300, "offsets go on where they were");
    let records = read_partition(&broker, &topic, 0).await;
    assert_eq!(records.last().map(|r| r.origin.offset), Some(300));
}

/// Records, bounds, topics and commits survive; a group resumes.
pub async fn check_restart(subject: &mut dyn Subject) {
    let broker = subject.broker();
    let (topic, group) = (fresh("restart"), fresh("group"));
    create_as(&broker, &TopicSpec::new(&topic, 2)).await;
    append(&broker, &topic, numbered(0, 0, 250)).await;
    append(&broker, &topic, numbered(1, 250, 3)).await;
    subject.expire_before(&topic, 0, 20).await;
    within("reset", broker.reset(&group, &topic, &[(0, 100)])).await.expect("an idle group is moved");
    let before = read_topic(&broker, &topic).await;
    let bounds_before = within("bounds", broker.bounds(&topic)).await.expect("bounds");
    drop(broker);

    subject.restart().await;
    let broker = subject.broker();
    let info = within("topic", broker.topic(&topic)).await.expect("topic").expect("the topic is there");
    assert_eq!(info.partitions, 2);
    assert_eq!(within("bounds", broker.bounds(&topic)).await.expect("bounds"), bounds_before);
    assert_eq!(read_topic(&broker, &topic).await, before, "records are as they were");
    let committed = within("committed", broker.committed(&group, &topic)).await.expect("committed");
    assert_eq!(committed, [Some(100), None]);
    let position = append(&broker, &topic, vec![to(0, "250")]).await[0];
    assert_eq!(position.offset, 250, "offsets go on where they were");

    let mut member = Member::joined(&broker, &topic, &GroupSettings::new(group), 2).await;
    assert_eq!((member.started[&0], member.started[&1]), (100, 0));
    member.until("the rest", |m| m.records.len() == 154).await;
    member.close().await;
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
