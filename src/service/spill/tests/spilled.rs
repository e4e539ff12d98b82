//! The spill alone: order, bound, room, recovery.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::Path;

use super::super::{RECORD_OVERHEAD, Reader, Run, Spill, SpillError, SpillSettings};
use super::{disk, record, settings, text};
use crate::broker::Append;
use crate::guard::Clock;

async fn open(settings: &SpillSettings) -> (Spill, Reader) {
    Spill::open(settings.clone(), Clock::at(1_000_000)).await.unwrap()
}

/// Drains all that is there.
async fn drain(reader: &mut Reader) -> Vec<(String, Append)> {
    let mut drained = Vec::new();
    while let Some(run) = reader.next(7).await.unwrap() {
        drained.extend(run.records.iter().map(|record| (run.topic.clone(), record.clone())));
        reader.done(run).await;
    }
    drained
}

fn texts(run: &Run) -> Vec<String> {
    run.records.iter().map(text).collect()
}

#[tokio::test(start_paused = true)]
async fn records_come_out_in_their_order_with_all_that_they_had() {
    let dir = tempfile::tempdir().unwrap();
    let (spill, mut reader) = open(&settings(dir.path())).await;
    assert_eq!(reader.next(10).await.unwrap(), None);
    let headers = crate::topology::Headers::default().with("traceparent", "x");
    let whole = Append { headers, partition: Some(3), timestamp_ms: Some(77), ..record("2") };
    spill.append("a", vec![record("0"), record("1"), whole.clone()]).await.unwrap();
    spill.append("b", vec![record("3")]).await.unwrap();
    spill.append("a", vec![record("4")]).await.unwrap();
    spill.append("a", Vec::new()).await.unwrap();
    assert_eq!(spill.status().oldest_age_ms, Some(1_000_000 - 77));

    let two = reader.next(2).await.unwrap().unwrap();
    assert_eq!((two.topic.as_str(), texts(&two)), ("a", vec!["0".into(), "1".into()]));
    assert_eq!(reader.next(2).await.unwrap().unwrap(), two, "the same again until it is done");
    reader.done(two).await;
    let one = reader.next(10).await.unwrap().unwrap();
    assert_eq!(one.records, [whole], "a run ends where the topic does");
    reader.done(one).await;
    let rest = drain(&mut reader).await;
    let rest: Vec<_> =
        rest.iter().map(|(topic, record)| (topic.as_str(), text(record), record.timestamp_ms)).collect();
    assert_eq!(rest, [("b", "3".into(), Some(1_000_000)), ("a", "4".into(), Some(1_000_000))]);
    let status = spill.status();
    assert_eq!((status.records, status.bytes, status.appended, status.drained), (0, 0, 5, 5));
    assert_eq!(status.oldest_age_ms, None);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_drained_is_there_after_a_restart_and_counts() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    let (spill, mut reader) = open(&settings).await;
    for n in 0..30 {
        spill.append("t", vec![record(n.to_string())]).await.unwrap();
    }
    let run = reader.next(10).await.unwrap().unwrap();
    reader.done(run).await;
    let before = spill.status();
    let again = Spill::open(settings.clone(), Clock::new()).await;
    assert!(matches!(again, Err(SpillError::Locked { .. })), "it belongs to one");
    spill.close().await;
    assert!(matches!(spill.append("t", vec![record("x")]).await, Err(SpillError::Closed)));
    drop((spill, reader));

    let (spill, mut reader) = open(&settings).await;
    let after = spill.status();
    assert_eq!((after.records, after.bytes), (20, before.bytes));
    assert_eq!(after.oldest_age_ms, Some(0), "the clock of the tests begins anew");
    spill.append("t", vec![record("30")]).await.unwrap();
    let drained: Vec<String> = drain(&mut reader).await.iter().map(|(_, record)| text(record)).collect();
    assert_eq!(drained, (10..31).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(spill.status().bytes, 0);
}

#[tokio::test]
async fn it_holds_its_bound_to_the_byte_and_its_room_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let settings = SpillSettings { max_bytes: 4 * 1024 * 1024, ..settings(dir.path()) };
    let (spill, mut reader) = open(&settings).await;
    let empty = disk(dir.path());
    let each = 1 + 1000 + RECORD_OVERHEAD;
    for round in 0..3 {
        let mut taken = 0;
        let full = loop {
            // Nothing that lz4 could make small.
            let noise: String =
                (0..1000).map(|n| char::from(b'a' + ((n * 7919 + taken * 31 + n * n) % 26) as u8)).collect();
            match spill.append("t", vec![record(noise)]).await {
                Ok(()) => taken += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(taken as u64, settings.max_bytes / each, "round {round}");
        assert!(matches!(full, SpillError::Full { wanted, .. } if wanted == each), "{full}");
        let held = spill.status();
        assert_eq!((held.bytes, held.refused), (taken as u64 * each, round + 1));
        let on_disk = disk(dir.path());
        assert!(on_disk < 2 * settings.max_bytes, "{on_disk} bytes on the disk");
        assert_eq!(drain(&mut reader).await.len(), taken as usize);
        assert_eq!((spill.status().bytes, spill.status().records), (0, 0));
        let left = disk(dir.path());
        assert!(left < empty + settings.max_bytes / 4, "{left} bytes are left on the disk, {empty} at the start");
    }
}

#[tokio::test]
async fn no_record_is_taken_that_the_log_would_refuse() {
    let dir = tempfile::tempdir().unwrap();
    let (spill, mut reader) = open(&SpillSettings { max_record_bytes: 100, ..settings(dir.path()) }).await;
    let large = record("x".repeat(100));
    let error = spill.append("t", vec![record("y"), large]).await.unwrap_err();
    assert!(matches!(error, SpillError::TooLarge { size: 101, limit: 100 }), "{error}");
    assert_eq!(reader.next(10).await.unwrap(), None, "nothing of the call is kept");
    spill.append("t", vec![record("x".repeat(99))]).await.unwrap();
}

#[tokio::test]
async fn many_at_once_are_written_together_and_none_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let settings = SpillSettings { sync: true, max_bytes: 1024 * 1024, ..settings(dir.path()) };
    let (spill, mut reader) = open(&settings).await;
    let appends = (0..400).map(|n| {
        let spill = &spill;
        async move { spill.append("t", vec![record(format!("{n}/0")), record(format!("{n}/1"))]).await.unwrap() }
    });
    let reading = async {
        let mut seen = Vec::new();
        while seen.len() < 800 {
            match reader.next(64).await.unwrap() {
                Some(run) => {
                    seen.extend(texts(&run));
                    reader.done(run).await;
                }
                None => reader.changed().await,
            }
        }
        seen
    };
    let (_, seen) = tokio::join!(join_all(appends), reading);
    for pair in seen.chunks(2) {
        let (first, second) = (pair[0].strip_suffix("/0").unwrap(), pair[1].strip_suffix("/1").unwrap());
        assert_eq!(first, second, "records of one call stay together");
    }
    let distinct: std::collections::HashSet<_> = seen.iter().collect();
    assert_eq!(distinct.len(), 800);
}

async fn join_all(futures: impl Iterator<Item = impl Future<Output = ()>>) {
    let mut waiting: Vec<_> = futures.map(Box::pin).collect();
    std::future::poll_fn(|context| {
        waiting.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if waiting.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

#[tokio::test]
async fn a_folder_that_is_no_folder_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    std::fs::write(&settings.dir, "x").unwrap();
    let error = Spill::open(settings, Clock::new()).await.err().unwrap();
    assert!(error.to_string().starts_with("spill: create"), "{error}");
    assert!(matches!(
        Spill::open(SpillSettings::new(Path::new("/proc/spill")), Clock::new()).await,
        Err(SpillError::Io { .. })
    ));
}
