//! What a spout writes beside its commits, step by step.

use std::sync::Arc;
use std::time::Duration;

use super::{Log, unbounded};
use crate::broker::{Broker, Commit, Consumer, ConsumerEvent, Granted, GroupSettings, LogSpout, Note};
use crate::topology::{Outcome, Spout, TaskInfo};

fn task() -> TaskInfo {
    TaskInfo { operator: "log".into(), task: 0, tasks: 1 }
}

async fn filled(partitions: u32) -> Log {
    let fill = move || {
        let log = Log::open();
        log.fill("t", partitions, 30);
        log
    };
    tokio::task::spawn_blocking(fill).await.unwrap()
}

/// Leaves a note for the next member at the beginning of each partition.
async fn leave(log: &Log, partitions: u32, note: Note) {
    let mut consumer = log.broker.subscribe("t", &GroupSettings::new("g")).unwrap();
    consumer.poll(1).await.unwrap();
    let commits: Vec<Commit> =
        (0..partitions).map(|partition| Commit { note, ..Commit::clean(partition, 0) }).collect();
    consumer.commit_now(&commits).await.unwrap();
}

async fn assigned(consumer: &mut Box<dyn Consumer>) -> Granted {
    match consumer.poll(1).await.unwrap() {
        ConsumerEvent::Assigned(granted) => granted[0],
        event => panic!("{event:?}"),
    }
}

/// What a member of the group finds that joins now.
async fn found(log: &Log) -> (u64, Note) {
    let mut heir = log.broker.subscribe("t", &GroupSettings::new("g")).unwrap();
    let granted = assigned(&mut heir).await;
    (granted.next, granted.note)
}

#[tokio::test(start_paused = true)]
async fn each_step_is_written_down_before_it_is_taken() {
    for (came, size, goes) in [
        (Note::Clean, 10, Note::Open),
        (Note::Open, 10, Note::Batchwise),
        (Note::Batchwise, 1, Note::Singly { deaths: 0 }),
        (Note::Singly { deaths: 1 }, 1, Note::Singly { deaths: 2 }),
    ] {
        let log = filled(1).await;
        leave(&log, 1, came).await;
        let mut spout = LogSpout::new(log.broker.clone(), unbounded("t"));
        spout.prepare(&task()).await.unwrap();
        let pulled = spout.next_batch(10).await.unwrap().unwrap();
        assert_eq!((pulled.tuples.len(), spout.alone()), (size, came != Note::Clean), "{came}");
        // It dies.
        drop(spout);
        assert_eq!(found(&log).await, (0, goes), "{came}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_is_given_up_late_is_no_death() {
    let notes = [
        (Note::Clean, Note::Open),
        (Note::Open, Note::Open),
        (Note::Batchwise, Note::Batchwise),
        (Note::Singly { deaths: 1 }, Note::Singly { deaths: 1 }),
    ];
    for (came, stays) in notes {
        let log = filled(2).await;
        leave(&log, 2, came).await;
        let mut spout = LogSpout::new(log.broker.clone(), unbounded("t"));
        spout.prepare(&task()).await.unwrap();
        let pulled = spout.next_batch(10).await.unwrap().unwrap();
        // Another member joins and is to have the partition; what is in flight of it never settles.
        let mut other = log.broker.subscribe("t", &GroupSettings::new("g")).unwrap();
        let _other_partition = tokio::time::timeout(Duration::from_secs(1), spout.next_batch(10)).await;
        let granted = assigned(&mut other).await;
        assert_eq!((granted.partition, granted.next, granted.note), (pulled.partition, 0, stays), "{came}");
    }
}

#[tokio::test(start_paused = true)]
async fn careful_runs_go_back_to_normal() {
    let log = filled(1).await;
    leave(&log, 1, Note::Batchwise).await;
    let mut spout = LogSpout::new(log.broker.clone(), unbounded("t"));
    spout.prepare(&task()).await.unwrap();
    let mut sizes = Vec::new();
    let mut end = 0;
    while end < 30 {
        let pulled = spout.next_batch(8).await.unwrap().unwrap();
        sizes.push((pulled.tuples.len(), spout.alone()));
        end = pulled.end;
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
    }
    // A batch one by one, then batches.
    let mut expected = vec![(1, true); 8];
    expected.extend([(8, false), (8, false), (6, false)]);
    assert_eq!(sizes, expected);
    drop(spout);
    assert_eq!(found(&log).await.1, Note::Open);
}

/// A process that slept has lost its partitions: what it has to note of them is refused, and only the group can tell why.
#[tokio::test(start_paused = true)]
async fn a_suspect_whose_note_is_refused_does_not_keep_the_spout_from_hearing_the_group() {
    let log = filled(1).await;
    leave(&log, 1, Note::Open).await;
    let checked = log.checked();
    checked.seen.lock().unwrap().fail_notes = usize::MAX;
    let mut spout = LogSpout::new(Arc::new(checked.clone()), unbounded("t"));
    spout.prepare(&task()).await.unwrap();
    let nothing = tokio::time::timeout(Duration::from_secs(5), spout.next_batch(8)).await;
    assert!(nothing.is_err(), "no suspect goes out without its note");
    let epoch = (0..10).find(|epoch| spout.owns(0, *epoch)).expect("the partition is ours");
    checked.seen.lock().unwrap().events.push_back(ConsumerEvent::Lost(vec![0]));
    let nothing = tokio::time::timeout(Duration::from_secs(5), spout.next_batch(8)).await;
    assert!(nothing.is_err() && checked.seen.lock().unwrap().events.is_empty());
    assert!(!spout.owns(0, epoch), "it has heard that the partition is lost");
}

#[tokio::test(start_paused = true)]
async fn a_suspect_whose_note_was_refused_comes_once_it_can_be_noted() {
    let log = filled(1).await;
    leave(&log, 1, Note::Open).await;
    let checked = log.checked();
    checked.seen.lock().unwrap().fail_notes = 3;
    let mut spout = LogSpout::new(Arc::new(checked), unbounded("t"));
    spout.prepare(&task()).await.unwrap();
    let pulled = spout.next_batch(8).await.unwrap().unwrap();
    assert_eq!((pulled.end, pulled.tuples.len(), spout.alone()), (8, 8, true), "from its first record");
}
