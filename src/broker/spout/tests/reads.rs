//! Where reading begins and ends, and what is committed.

use std::sync::Arc;
use std::time::Duration;

use super::{Log, Stored, bounded, offsets, over, topology, unbounded};
use crate::broker::addressed::ONLY_SINKS;
use crate::broker::{Append, Broker, Commit, Fetched, GroupSettings, LogSpout, LogSpoutSettings, Note, StartFrom};
use crate::runtime::Ended;
use crate::testing::Trial;
use crate::topology::{Outcome, Spout, TaskInfo};

#[test]
fn a_bounded_run_reads_all_and_commits_the_ends_and_the_next_one_pulls_nothing() {
    let log = Log::open();
    log.fill("t", 3, 100);
    let checked = log.checked();
    assert_eq!(Trial::default().run(over(&checked, bounded("t"))).exit_code(), 0);
    checked.assert_kept();
    assert_eq!(checked.stored.lock().unwrap().len(), 300);
    assert_eq!(log.committed("t"), [Some(100); 3]);

    let again = log.checked();
    assert_eq!(Trial::default().run(over(&again, bounded("t"))).exit_code(), 0);
    assert_eq!((again.seen.lock().unwrap().pulled, again.stored.lock().unwrap().len()), (0, 0));
    assert_eq!(log.committed("t"), [Some(100); 3]);
}

#[test]
fn a_task_without_partitions_ends_with_the_group() {
    let log = Log::open();
    log.fill("t", 2, 50);
    let stored = Stored::default();
    let spout = LogSpout::new(log.broker.clone(), bounded("t"));
    let report = Trial::default().run(topology(spout, 4, &stored, Duration::from_millis(5)));
    assert!(matches!(report.ended, Ended::Finished), "{report:?}");
    assert_eq!(stored.lock().unwrap().len(), 100);
    // A member that reads for ever holds the only partition: the bounded run has none, and ends all the same.
    log.fill("one", 1, 50);
    let report = Trial::default().run_with(over(&log.checked(), unbounded("one")), |stop| {
        let spout = LogSpout::new(log.broker.clone(), bounded("one"));
        let topology = topology(spout, 1, &Stored::default(), Duration::ZERO);
        async move {
            let other = crate::runtime::start(topology, &Default::default(), Default::default()).unwrap();
            let ended = tokio::time::timeout(Duration::from_secs(600), other.wait()).await;
            stop.stop();
            assert!(matches!(ended.expect("it ends").ended, Ended::Finished));
        }
    });
    assert!(matches!(report.ended, Ended::Drained));
}

#[test]
fn an_offset_that_has_left_the_log_ends_the_run_and_resets_nothing() {
    let log = Log::open();
    log.fill("t", 1, 100);
    log.reset("t", &[(0, 20)]);
    log.delete_before("t", 50);
    let checked = log.checked();
    let report = Trial::default().run(over(&checked, unbounded("t")));
    let Ended::Failed { operator, error } = report.ended else { panic!("{:?}", report.ended) };
    assert_eq!(operator, "log");
    let text = error.to_string();
    assert!(text.contains("offset 20 of t[0] is outside 50..100") && text.contains("explicitly"), "{text}");
    assert!(offsets(&checked.stored).is_empty());
    assert_eq!(log.committed("t"), [Some(20)]);
}

#[test]
fn a_fetch_without_records_moves_the_commit() {
    let log = Log::open();
    log.fill("t", 1, 100);
    log.reset("t", &[(0, 100)]);
    log.append("t", 1, 100..110);
    let checked = log.checked();
    // As a log tells whose last offsets are the markers of transactions.
    checked.stored.lock().unwrap().extend((0..110).map(|offset| ((0, offset), 0)));
    let hole = Fetched { partition: 0, epoch: 1, records: Vec::new(), next: 110 };
    checked.seen.lock().unwrap().hole = Some(hole);
    let report = Trial::default().run(over(&checked, bounded("t")));
    assert!(matches!(report.ended, Ended::Finished), "{report:?}");
    assert_eq!(log.committed("t"), [Some(110)]);
    assert_eq!(checked.seen.lock().unwrap().pulled, 0);
}

#[test]
fn a_group_begins_where_its_policy_says() {
    let log = Log::open();
    log.fill("t", 1, 100);
    let begins = |group: &str, start_from, bounded| {
        let group = GroupSettings { start_from, ..GroupSettings::new(group) };
        let settings = LogSpoutSettings { bounded, ..LogSpoutSettings::new("t", group) };
        let (checked, broker) = (log.checked(), log.broker.clone());
        checked.stored.lock().unwrap().extend((0..200).map(|offset| ((0, offset), 0)));
        let report = Trial::default().run_with(over(&checked, settings), |stop| async move {
            tokio::time::sleep(Duration::from_secs(5)).await;
            if !bounded {
                let more = crate::broker::Append { value: Some("more".into()), ..Default::default() };
                let producer = crate::broker::Broker::producer(&*broker).unwrap();
                producer.append("t", vec![more]).await.unwrap();
                tokio::time::sleep(Duration::from_secs(5)).await;
                stop.stop();
            }
        });
        assert!(matches!(report.ended, Ended::Finished | Ended::Drained), "{report:?}");
        let stored = checked.stored.lock().unwrap();
        let read: Vec<u64> =
            stored.iter().filter(|(_, times)| **times > 0).map(|((_, offset), _)| *offset).collect();
        (read.first().copied(), read.len())
    };
    assert_eq!(begins("earliest", StartFrom::Earliest, true), (Some(0), 100));
    assert_eq!(begins("timestamp", StartFrom::Timestamp(39_500), true), (Some(40), 60));
    assert_eq!(begins("latest", StartFrom::Latest, false), (Some(100), 1));
}

#[test]
fn a_bounded_run_from_the_latest_record_is_refused() {
    let log = Log::open();
    log.fill("t", 1, 1);
    let group = GroupSettings { start_from: StartFrom::Latest, ..GroupSettings::new("g") };
    let settings = LogSpoutSettings { bounded: true, ..LogSpoutSettings::new("t", group) };
    assert_eq!(Trial::default().run(over(&log.checked(), settings)).exit_code(), 1);
}

fn task(task: usize) -> TaskInfo {
    TaskInfo { operator: "log".into(), task, tasks: 2 }
}

#[tokio::test(start_paused = true)]
async fn the_lag_is_what_waits_behind_the_last_pull() {
    let log = std::thread::spawn(|| {
        let log = Log::open();
        log.fill("t", 1, 100);
        log
    });
    let log = log.join().unwrap();
    let mut spout = LogSpout::new(log.broker.clone(), unbounded("t"));
    spout.prepare(&task(0)).await.unwrap();
    assert_eq!(spout.next_batch(30).await.unwrap().unwrap().end, 30);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(spout.lag(), [(0, 70)]);
    assert_eq!(spout.next_batch(100).await.unwrap().unwrap().end, 100);
    assert_eq!(spout.lag(), [(0, 0)]);
    spout.close().await.unwrap();
}

#[test]
fn a_static_member_is_named_by_its_task() {
    let log = Log::open();
    log.fill("t", 2, 1);
    let checked = log.checked();
    let group = GroupSettings { instance_id: Some("host-1".into()), ..GroupSettings::new("g") };
    let settings = LogSpoutSettings { bounded: true, ..LogSpoutSettings::new("t", group) };
    let spout = LogSpout::new(Arc::new(checked.clone()), settings);
    assert_eq!(Trial::default().run(topology(spout, 2, &checked.stored, Duration::ZERO)).exit_code(), 0);
    let mut names: Vec<_> = checked.seen.lock().unwrap().joined.iter().map(|s| s.instance_id.clone()).collect();
    names.sort();
    assert_eq!(names, [Some("host-1-log-0".to_owned()), Some("host-1-log-1".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_failed_is_made_again_and_close_commits_the_last_watermark() {
    let log = std::thread::spawn(|| {
        let log = Log::open();
        log.fill("t", 1, 100);
        log
    });
    let log = log.join().unwrap();
    let checked = log.checked();
    checked.stored.lock().unwrap().extend((0..100).map(|offset| ((0, offset), 1)));
    let committed = || async { crate::broker::Broker::committed(&checked, "g", "t").await.unwrap() };
    checked.seen.lock().unwrap().fail_commits = 1;
    let mut spout = LogSpout::new(Arc::new(checked.clone()), unbounded("t"));
    spout.prepare(&task(0)).await.unwrap();
    let mut settled = async |end: u64, pause: Duration| {
        let pulled = spout.next_batch(30).await.unwrap().unwrap();
        assert_eq!(pulled.end, end);
        tokio::time::sleep(pause).await;
        let outcome = Outcome {
            partition: 0,
            epoch: pulled.epoch,
            end,
            failed: None,
            isolated: false,
            reason: None,
            watermark: Some(end),
        };
        spout.settle(&[outcome]).await.unwrap();
    };
    settled(30, Duration::from_secs(2)).await;
    assert_eq!(committed().await, [Some(0)], "the commit failed, what is there says that the partition is read");
    // No watermark moves, yet the failure is heard of, and the commit after that says the same again.
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_secs(2)).await;
        spout.settle(&[]).await.unwrap();
    }
    assert_eq!(committed().await, [Some(30)]);
    let commit = Commit { note: Note::Open, ..Commit::clean(0, 30) };
    assert_eq!(checked.seen.lock().unwrap().commits, [vec![commit], vec![], vec![commit]]);

    checked.seen.lock().unwrap().fail_commits = 1;
    let pulled = spout.next_batch(30).await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (epoch, end) = (pulled.epoch, pulled.end);
    spout
        .settle(&[Outcome {
            partition: 0,
            epoch,
            end,
            failed: None,
            isolated: false,
            reason: None,
            watermark: Some(end),
        }])
        .await
        .unwrap();
    assert_eq!(committed().await, [Some(30)]);
    spout.close().await.unwrap();
    assert_eq!(committed().await, [Some(60)]);
    checked.assert_kept();
}

/// What a producer says of the sinks that a record is for counts for nothing, but in the topics that squall writes itself.
#[tokio::test(start_paused = true)]
async fn who_produces_a_record_has_no_say_in_which_sinks_it_is_for() {
    let fill = || {
        let log = Log::open();
        log.fill("t", 1, 0);
        log
    };
    let log = tokio::task::spawn_blocking(fill).await.unwrap();
    let headers = crate::topology::Headers::default().with(ONLY_SINKS, "rows").with("colour", "red");
    let record = Append { value: Some("x".into()), headers, ..Append::default() };
    log.broker.producer().unwrap().append("t", vec![record]).await.unwrap();
    for addressed in [false, true] {
        let group = GroupSettings::new(format!("g-{addressed}"));
        let settings = LogSpoutSettings { addressed, ..LogSpoutSettings::new("t", group) };
        let mut spout = LogSpout::new(log.broker.clone(), settings);
        spout.prepare(&TaskInfo { operator: "log".into(), task: 0, tasks: 1 }).await.unwrap();
        let record = spout.next_batch(10).await.unwrap().unwrap().tuples.remove(0);
        assert_eq!(record.headers.last(ONLY_SINKS).is_some(), addressed);
        assert!(record.headers.last("colour").is_some());
    }
}
