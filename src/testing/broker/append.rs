//! Appending: order, partitions, what comes back.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::Subject;
use super::support::{append, bounds, create, number, numbered, read_partition, read_topic, refused, to, within};
use crate::broker::{Append, BrokerError, Position, partition_for_key};
use crate::topology::{Class, Classify, Headers};

/// Records of one call and of one call after the other keep their order, with offsets that start at 0.
pub async fn check_order_per_partition(subject: &mut dyn Subject) {
    let broker = subject.broker();
    let topic = create(&broker, "order", 3).await;
    assert_eq!(append(&broker, &topic, Vec::new()).await, [], "nothing is appended at once");
    for round in 0..5 {
        let mixed: Vec<Append> = (0..60).map(|n| to((n % 3) as u32, (round * 20 + n / 3).to_string())).collect();
        let positions = append(&broker, &topic, mixed).await;
        for (n, position) in positions.iter().enumerate() {
            let offset = round * 20 + n as u64 / 3;
            assert_eq!(*position, Position { partition: (n % 3) as u32, offset });
        }
    }
    for (partition, records) in read_topic(&broker, &topic).await {
        let numbers: Vec<u64> = records.iter().map(number).collect();
        assert_eq!(numbers, (0..100).collect::<Vec<u64>>(), "partition {partition}");
        assert!(records.iter().enumerate().all(|(at, r)| r.origin.offset == at as u64));
        assert!(records.iter().all(|r| r.origin.attempt == 0));
    }
    assert_eq!(bounds(&broker, &topic, 1).await.latest, 100);
}

/// A key goes where Kafka's clients in other languages put it; an explicit partition wins; records with neither
/// are spread.
pub async fn check_key_chooses_partition(subject: &mut dyn Subject) {
    let broker = subject.broker();
    let topic = create(&broker, "keys", 7).await;
    let keys: Vec<String> = (0..200).map(|n| format!("user-{n}")).chain([String::new()]).collect();
    let keyed = |key: &String, partition| Append {
        partition,
        key: Some(Bytes::from(key.clone())),
        value: Some(Bytes::from_static(b"v")),
        ..Append::default()
    };
    let positions = append(&broker, &topic, keys.iter().map(|k| keyed(k, None)).collect()).await;
    for (key, position) in keys.iter().zip(&positions) {
        assert_eq!(position.partition, partition_for_key(key.as_bytes(), 7), "key {key:?}");
    }
    for (partition, records) in read_topic(&broker, &topic).await {
        for record in records {
            let key = record.key.expect("the key is kept");
            assert_eq!(partition_for_key(&key, 7), partition);
        }
    }
    let placed = append(&broker, &topic, keys.iter().map(|k| keyed(k, Some(5))).collect()).await;
    assert!(placed.iter().all(|p| p.partition == 5), "the explicit partition wins");

    let mut used = std::collections::BTreeSet::new();
    for _ in 0..50 {
        let keyless = Append { value: Some(Bytes::from_static(b"v")), ..Append::default() };
        used.extend(append(&broker, &topic, vec![keyless]).await.into_iter().map(|p| p.partition));
    }
    assert!(used.len() > 1, "records without key take partitions in turn");
}

/// Headers keep their order, their duplicates and their empty values, whatever those of the record before; key and timestamp
/// come back.
pub async fn check_headers(subject: &mut dyn Subject) {
    let broker = subject.broker();
    let topic = create(&broker, "headers", 1).await;
    let headers = Headers::default()
        .with("b", Bytes::from_static(b"1"))
        .with("a", Bytes::new())
        .with("b", Bytes::from_static(&[0, 255, 128]))
        .with("ключ", Bytes::from_static(b"3"));
    let record = Append {
        key: Some(Bytes::from_static(&[0, 1, 255])),
        value: Some(Bytes::from_static(b"value")),
        headers: headers.clone(),
        timestamp_ms: Some(1_700_000_000_123),
        partition: None,
    };
    append(&broker, &topic, vec![record, to(0, "bare")]).await;
    let records = read_partition(&broker, &topic, 0).await;
    assert_eq!(records[0].headers, headers);
    assert_eq!(records[0].key.as_deref(), Some(&[0, 1, 255][..]));
    assert_eq!(records[0].timestamp_ms, 1_700_000_000_123);
    assert!(records[1].headers.is_empty() && records[1].key.is_none());
    assert!(records[1].timestamp_ms > 1_700_000_000_123, "the time of the append");
    let named = |name: &str, value: &'static str| Headers::default().with(name, value);
    let each = [
        named("a", "1"),
        named("a", "1"),
        named("a", "1").with("b", "2"),
        named("a", "1"),
        named("a", ""),
        named("b", "1"),
        Headers::default(),
        named("b", "1"),
    ];
    let with = |headers: &Headers| Append { headers: headers.clone(), ..to(0, "some") };
    append(&broker, &topic, each.iter().map(with).collect()).await;
    let records = read_partition(&broker, &topic, 0).await;
    assert!(records[2..].iter().map(|record| &record.headers).eq(&each), "{:?}", &records[2..]);
}

/// An empty value is a value, a tombstone is none; so with keys.
pub async fn check_empty_values_and_tombstones(subject: &mut dyn Subject) {
    let broker = subject.broker();
    let topic = create(&broker, "empty", 1).await;
    let record = |key: Option<&'static [u8]>, value: Option<&'static [u8]>| Append {
        key: key.map(Bytes::from_static),
        value: value.map(Bytes::from_static),
        ..Append::default()
    };
    let sent = [
        (Some(&b"k"[..]), Some(&b""[..])),
        (Some(&b"k"[..]), None),
        (Some(&b""[..]), Some(&b"v"[..])),
        (None, None),
    ];
    append(&broker, &topic, sent.iter().map(|(k, v)| record(*k, *v)).collect()).await;
    let records = read_partition(&broker, &topic, 0).await;
    let read: Vec<_> = records.iter().map(|r| (r.key.as_deref(), r.value.as_deref())).collect();
    assert_eq!(read, sent);
}

/// 900 KiB come back as they were; what is above the limit is poison, and nothing of its call is left waiting.
pub async fn check_large_payloads(subject: &mut dyn Subject) {
    let broker = subject.broker();
    let topic = create(&broker, "large", 1).await;
    let payload: Bytes = (0..900 * 1024_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    append(&broker, &topic, vec![to(0, "before"), to(0, payload.clone()), to(0, "after")]).await;
    let records = read_partition(&broker, &topic, 0).await;
    assert_eq!(records.len(), 3);
    assert!(records[1].value.as_ref() == Some(&payload), "900 KiB come back as they were");

    let producer = broker.producer().expect("there is a producer");
    let huge = to(0, vec![7_u8; subject.too_large()]);
    let error = refused("a huge record", within("append", producer.append(&topic, vec![huge])).await);
    assert!(matches!(error, BrokerError::TooLarge { .. }), "{error:?}");
    assert_eq!(error.class(), Class::Poison);
    append(&broker, &topic, vec![to(0, "still works")]).await;
    assert_eq!(bounds(&broker, &topic, 0).await.latest, 4);
}

/// Eight tasks append at once: every record stands once, where its call was told, in its writer's order.
pub async fn check_concurrent_appends(subject: &mut dyn Subject) {
    const WRITERS: u64 = 8;
    const CALLS: u64 = 20;
    const BATCH: u64 = 25;
    let broker = subject.broker();
    let topic = create(&broker, "concurrent", 2).await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let (broker, topic) = (broker.clone(), topic.clone());
        writers.spawn(async move {
            let mut told = Vec::new();
            for call in 0..CALLS {
                let first = (writer * CALLS + call) * BATCH;
                let batch = numbered((writer % 2) as u32, first, BATCH);
                let positions = append(&broker, &topic, batch).await;
                told.extend(positions.into_iter().zip(first..));
            }
            told
        });
    }
    let mut told = BTreeMap::new();
    for (position, number) in writers.join_all().await.into_iter().flatten() {
        let twice = told.insert((position.partition, position.offset), number);
        assert_eq!(twice, None, "two records were told {position:?}");
    }
    let mut read = BTreeMap::new();
    let mut last = BTreeMap::new();
    for (partition, records) in read_topic(&broker, &topic).await {
        for record in records {
            let n = number(&record);
            let before = last.insert(n / (CALLS * BATCH), n);
            assert!(before.is_none_or(|before| n == before + 1), "a writer's order is kept");
            read.insert((partition, record.origin.offset), n);
        }
    }
    assert_eq!(read, told, "every record stands once, where its call was told");
}
