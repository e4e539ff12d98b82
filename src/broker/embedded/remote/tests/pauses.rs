//! Pauses and notes through the socket.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use tokio::time::timeout;

use super::super::wire::{Hold, Reply, Request};
use super::raw::Raw;
use super::{DEADLINE, append, assigned, fixture, record, serve, shared};
use crate::broker::{Broker, BrokerError, Commit, Consumer, ConsumerEvent, Fetched, Granted, GroupSettings, Note};

fn records(event: ConsumerEvent) -> Fetched {
    match event {
        ConsumerEvent::Records(fetched) => fetched,
        other => panic!("not records: {other:?}"),
    }
}

fn offsets(fetched: &Fetched) -> Vec<u64> {
    fetched.records.iter().map(|record| record.origin.offset).collect()
}

async fn poll(member: &mut dyn Consumer, max: usize) -> ConsumerEvent {
    timeout(DEADLINE, member.poll(max)).await.expect("an event").unwrap()
}

/// Asks for records from `at` on and gives up before any have come. Where the server was faster than that, it asks again.
async fn ask(member: &mut dyn Consumer, max: usize, at: u64) {
    loop {
        let mut asked = member.poll(max);
        let is_pending = poll_fn(|context| Poll::Ready(asked.as_mut().poll(context).is_pending())).await;
        drop(asked);
        if is_pending {
            return;
        }
        member.pause(0, at).unwrap();
        member.resume(0).unwrap();
    }
}

async fn is_silent(member: &mut dyn Consumer) {
    let event = timeout(Duration::from_millis(50), member.poll(100)).await;
    assert!(event.is_err(), "nothing is to come: {event:?}");
}

/// Whether records are held back, on their way or not asked for yet: none comes of a paused partition, and all come
/// from where the last pause said.
#[tokio::test]
async fn a_pause_drops_what_is_ready_and_what_is_on_its_way() {
    let (_dir, log, remote) = fixture(2, &shared()).await;
    let mut member = remote.subscribe("t", &GroupSettings::new("g")).unwrap();
    assert!(matches!(poll(&mut *member, 1).await, ConsumerEvent::Assigned(_)));
    append(&log, &["0", "1", "2", "3"]).await.unwrap();

    // The answer has come, and nobody has taken it.
    for given_up in [0, 1, 20] {
        let dropped = timeout(Duration::from_millis(given_up), member.poll(2)).await;
        if let Ok(event) = dropped {
            assert_eq!(records(event.unwrap()).partition, 0);
        }
        member.commit_now(&[]).await.unwrap();
        member.pause(0, 3).unwrap();
        is_silent(&mut *member).await;
        member.pause(0, 1).unwrap();
        member.resume(0).unwrap();
        assert_eq!(offsets(&records(poll(&mut *member, 100).await)), [1, 2, 3]);
        member.pause(0, 0).unwrap();
        member.resume(0).unwrap();
    }

    // A rest is held back for a smaller `max`.
    ask(&mut *member, 100, 0).await;
    member.commit_now(&[]).await.unwrap();
    assert_eq!(offsets(&records(poll(&mut *member, 1).await)), [0]);
    member.pause(0, 2).unwrap();
    is_silent(&mut *member).await;
    let other = crate::broker::Append { partition: Some(1), ..record("other") };
    log.producer().unwrap().append("t", vec![other]).await.unwrap();
    assert_eq!(records(poll(&mut *member, 100).await).partition, 1, "the other goes on");
    member.resume(0).unwrap();
    assert_eq!(offsets(&records(poll(&mut *member, 100).await)), [2, 3]);
    is_silent(&mut *member).await;
}

/// More changes than a socket holds answers, and no poll between them.
#[tokio::test]
async fn any_number_of_pauses_is_one_request() {
    let (_dir, log, remote) = fixture(1, &shared()).await;
    append(&log, &["0", "1"]).await.unwrap();
    let mut member = remote.subscribe("t", &GroupSettings::new("g")).unwrap();
    assert!(matches!(poll(&mut *member, 1).await, ConsumerEvent::Assigned(_)));
    for n in 0..100_000 {
        member.pause(0, n % 2).unwrap();
        member.resume(0).unwrap();
    }
    assert_eq!(offsets(&records(poll(&mut *member, 9).await)), [1]);
}

/// An offset that is not in the log is an error once it is resumed, and another pause mends it.
#[tokio::test]
async fn an_offset_that_is_gone_is_said_after_the_resumption() {
    let (_dir, log, remote) = fixture(1, &shared()).await;
    append(&log, &["0", "1"]).await.unwrap();
    let mut member = remote.subscribe("t", &GroupSettings::new("g")).unwrap();
    assert!(matches!(poll(&mut *member, 1).await, ConsumerEvent::Assigned(_)));
    member.pause(0, 9).unwrap();
    is_silent(&mut *member).await;
    member.resume(0).unwrap();
    for _ in 0..2 {
        let error = member.poll(1).await.unwrap_err();
        assert!(matches!(error, BrokerError::OutOfRange { partition: 0, offset: 9, .. }), "{error:?}");
    }
    // The error is on its way again when it is out of date.
    ask(&mut *member, 1, 9).await;
    member.commit_now(&[]).await.unwrap();
    member.pause(0, 1).unwrap();
    is_silent(&mut *member).await;
    member.resume(0).unwrap();
    assert_eq!(offsets(&records(poll(&mut *member, 9).await)), [1]);
}

#[tokio::test]
async fn a_pause_ends_with_the_connection() {
    let (dir, log, remote) = fixture(1, &shared()).await;
    append(&log, &["0", "1"]).await.unwrap();
    let mut member = remote.subscribe("t", &GroupSettings::new("g")).unwrap();
    assert_eq!(poll(&mut *member, 1).await, assigned(&[(0, 1, 0)]));
    member.pause(0, 1).unwrap();
    is_silent(&mut *member).await;
    drop(log);
    let _log = serve(dir.path(), &shared());
    // Of what is lost, though nobody knows it yet.
    member.pause(0, 1).unwrap();
    assert_eq!(poll(&mut *member, 1).await, ConsumerEvent::Lost(vec![0]));
    member.pause(0, 1).unwrap();
    assert!(matches!(poll(&mut *member, 1).await, ConsumerEvent::Assigned(_)));
    member.resume(0).unwrap();
    assert_eq!(offsets(&records(poll(&mut *member, 9).await)), [0, 1]);
    member.close(&[]).await.unwrap();
    assert!(matches!(member.pause(0, 0), Err(BrokerError::Closed { .. })));
    assert!(matches!(member.resume(0), Err(BrokerError::Closed { .. })));
}

/// The server takes pauses and polls in their order, and pauses of an assignment that is over not at all.
#[tokio::test]
async fn a_pause_is_about_the_polls_after_it_and_about_one_assignment() {
    let (dir, log, _remote) = fixture(1, &shared()).await;
    append(&log, &["0", "1"]).await.unwrap();
    let mut raw = Raw::greeted(dir.path());
    raw.ask(1, &Request::Subscribe("t".into(), GroupSettings::new("g"))).unwrap();
    let poll = |wait| Request::Poll { max: 1, wait };
    let event = |event| Reply::Event(event);
    assert_eq!(raw.ask(2, &poll(DEADLINE)).unwrap(), event(assigned(&[(0, 1, 0)])));
    let hold = |epoch, at, paused| Request::Hold(vec![Hold { partition: 0, epoch, at, paused }]);
    assert_eq!(raw.ask(3, &hold(2, Some(1), true)).unwrap(), Reply::Done);
    let read = |answer: Result<Reply, BrokerError>| match answer.unwrap() {
        Reply::Event(event) => offsets(&records(event)),
        other => panic!("not an event: {other:?}"),
    };
    assert_eq!(read(raw.ask(4, &poll(DEADLINE))), [0], "of another assignment");
    assert_eq!(raw.ask(5, &hold(1, Some(0), true)).unwrap(), Reply::Done);
    assert_eq!(raw.ask(6, &poll(Duration::ZERO)).unwrap(), Reply::Nothing);
    assert_eq!(raw.ask(7, &hold(1, None, false)).unwrap(), Reply::Done);
    assert_eq!(read(raw.ask(8, &poll(DEADLINE))), [0], "from where the pause said");
    assert_eq!(raw.ask(9, &hold(1, Some(1), false)).unwrap(), Reply::Done);
    assert_eq!(read(raw.ask(10, &poll(DEADLINE))), [1], "both at once");
}

/// Notes reach the next owner whichever side it is on. Of commits that wait for each other the newest counts, with its
/// note, and one that is waited for comes after all of them.
#[tokio::test]
async fn notes_go_both_ways_and_the_newest_commit_counts() {
    let (_dir, log, remote) = fixture(2, &shared()).await;
    let settings = GroupSettings::new("g");
    let commit = |partition, offset, note| Commit { note, ..Commit::clean(partition, offset) };
    let mut there = remote.subscribe("t", &settings).unwrap();
    assert_eq!(poll(&mut *there, 1).await, assigned(&[(0, 1, 0), (1, 1, 0)]));
    for offset in 0..50 {
        there.commit(&[commit(0, offset, Note::Open), commit(1, offset, Note::Singly { deaths: 3 })]).unwrap();
    }
    there.commit_now(&[commit(0, 20, Note::Batchwise)]).await.unwrap();
    assert_eq!(log.committed("g", "t").await.unwrap(), [Some(20), Some(49)]);
    drop(there);

    let granted = |partition, epoch, next, note| Granted { partition, epoch, next, note, seek: 0 };
    let mut here = log.subscribe("t", &settings).unwrap();
    let expected = |epoch| {
        ConsumerEvent::Assigned(vec![
            granted(0, epoch, 20, Note::Batchwise),
            granted(1, epoch, 49, Note::Singly { deaths: 3 }),
        ])
    };
    match poll(&mut *here, 1).await {
        ConsumerEvent::Assigned(grants) => assert_eq!(expected(grants[0].epoch), ConsumerEvent::Assigned(grants)),
        other => panic!("not an assignment: {other:?}"),
    }
    here.commit_now(&[commit(0, 21, Note::Open)]).await.unwrap();
    drop(here);
    let mut there = remote.subscribe("t", &settings).unwrap();
    match poll(&mut *there, 1).await {
        ConsumerEvent::Assigned(grants) => {
            let notes: Vec<Note> = grants.iter().map(|grant| grant.note).collect();
            assert_eq!(notes, [Note::Open, Note::Singly { deaths: 3 }]);
        }
        other => panic!("not an assignment: {other:?}"),
    }
}

/// A commit that is waited for gives nothing back, not even what is wanted back.
#[tokio::test]
async fn a_commit_that_is_waited_for_gives_nothing_back() {
    let (_dir, log, remote) = fixture(2, &shared()).await;
    let settings = GroupSettings { drain_timeout: DEADLINE * 10, ..GroupSettings::new("g") };
    let mut there = remote.subscribe("t", &settings).unwrap();
    assert_eq!(poll(&mut *there, 1).await, assigned(&[(0, 1, 0), (1, 1, 0)]));
    let mut here = log.subscribe("t", &settings).unwrap();
    assert_eq!(poll(&mut *there, 1).await, ConsumerEvent::Revoking(vec![1]));
    there.pause(1, 0).unwrap();
    there.commit_now(&[Commit::clean(1, 4)]).await.unwrap();
    assert_eq!(log.committed("g", "t").await.unwrap(), [None, Some(4)]);
    is_silent(&mut *here).await;
    there.release(&[Commit::clean(1, 5)]).await.unwrap();
    assert_eq!(poll(&mut *here, 1).await, assigned(&[(1, 2, 5)]));
}
