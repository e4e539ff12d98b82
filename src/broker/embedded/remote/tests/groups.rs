//! Members on both sides of the socket, and waits that end early.

use std::time::Duration;

use tokio::time::timeout;

use super::super::wire::{Reply, Request};
use super::raw::Raw;
use super::{DEADLINE, append, assigned, fixture, shared};
use crate::broker::{Broker, BrokerError, Commit, ConsumerEvent, GroupSettings};

/// A member of the owner and one behind the socket share the partitions; a client that goes leaves at once.
#[tokio::test]
async fn members_on_both_sides_share_and_a_dropped_client_leaves_its_group() {
    let (_dir, log, remote) = fixture(2, &shared()).await;
    let settings = GroupSettings { drain_timeout: DEADLINE * 10, ..GroupSettings::new("g") };
    let mut here = log.subscribe("t", &settings).unwrap();
    assert_eq!(here.poll(1).await.unwrap(), assigned(&[(0, 1, 0), (1, 1, 0)]));
    let mut there = remote.subscribe("t", &settings).unwrap();
    assert!(timeout(Duration::from_millis(50), there.poll(1)).await.is_err(), "nothing is free");
    assert_eq!(here.poll(1).await.unwrap(), ConsumerEvent::Revoking(vec![1]));
    here.release(&[Commit::clean(1, 9)]).await.unwrap();
    assert_eq!(there.poll(1).await.unwrap(), assigned(&[(1, 2, 9)]));
    there.commit(&[Commit::clean(0, 5), Commit::clean(1, 10)]).unwrap();
    drop(there);
    assert_eq!(here.poll(1).await.unwrap(), assigned(&[(1, 3, 10)]), "and what it committed stays");
    assert_eq!(log.committed("g", "t").await.unwrap(), [None, Some(10)], "what is not its own it cannot commit");
}

/// What the server has told a client may not have reached the caller: its release then is a commit, and gives nothing
/// back.
#[tokio::test]
async fn a_partition_is_given_back_only_by_who_knows_that_it_is_wanted() {
    let (dir, log, _remote) = fixture(2, &shared()).await;
    let settings = GroupSettings { drain_timeout: DEADLINE * 10, ..GroupSettings::new("g") };
    let mut there = Raw::greeted(dir.path());
    let event = |answer: Result<Reply, BrokerError>| match answer.unwrap() {
        Reply::Event(event) => event,
        other => panic!("not an event: {other:?}"),
    };
    assert_eq!(there.ask(1, &Request::Subscribe("t".into(), settings.clone())).unwrap(), Reply::Done);
    let poll = Request::Poll { max: 1, wait: DEADLINE };
    assert_eq!(event(there.ask(2, &poll)), assigned(&[(0, 1, 0), (1, 1, 0)]));
    let mut here = log.subscribe("t", &settings).unwrap();
    assert_eq!(event(there.ask(3, &poll)), ConsumerEvent::Revoking(vec![1]));

    // Of partition 0 with an epoch that is over: left out.
    let release = |offset, give_back| Request::Release {
        commits: vec![(0, Commit::clean(0, 8)), (1, Commit::clean(1, offset))],
        give_back,
    };
    let incomplete = there.ask(4, &release(4, false));
    assert!(matches!(incomplete, Err(BrokerError::Interrupted { .. })), "{incomplete:?}");
    assert_eq!(log.committed("g", "t").await.unwrap(), [None, Some(4)]);
    assert!(timeout(Duration::from_millis(50), here.poll(1)).await.is_err(), "nothing was given back");
    there.ask(5, &release(6, true)).unwrap();
    assert_eq!(here.poll(1).await.unwrap(), assigned(&[(1, 2, 6)]));
}

/// A commit ends the wait of the poll before it, not the poll.
#[tokio::test]
async fn a_request_ends_the_wait_of_the_one_before() {
    let (dir, _log, _remote) = fixture(1, &shared()).await;
    let mut raw = Raw::greeted(dir.path());
    raw.ask(1, &Request::Subscribe("t".into(), GroupSettings::new("g"))).unwrap();
    let poll = Request::Poll { max: 1, wait: DEADLINE };
    raw.ask(2, &poll).unwrap();
    for id in [3, 5] {
        let mut bytes = Vec::new();
        poll.put(id, &mut bytes);
        raw.send(&bytes);
        bytes.clear();
        Request::Commit(vec![(1, Commit::clean(0, 7))]).put(id + 1, &mut bytes);
        raw.send(&bytes);
        for (id, reply) in [(id, Reply::Nothing), (id + 1, Reply::Done)] {
            let (answered, answer) = Reply::read(&raw.frame().into()).unwrap();
            assert_eq!((answered, answer.unwrap()), (id, reply));
        }
    }
}

#[tokio::test]
async fn dropped_fetches_and_polls_lose_nothing() {
    let (_dir, log, remote) = fixture(1, &shared()).await;
    let mut cursor = remote.cursor("t", &[(0, 0)]).unwrap();
    let mut member = remote.subscribe("t", &GroupSettings::new("g")).unwrap();
    assert!(matches!(member.poll(1).await.unwrap(), ConsumerEvent::Assigned(_)));
    let (mut read, mut polled) = (Vec::new(), Vec::new());
    for n in 0..40_u64 {
        let given_up = Duration::from_micros(n * 50);
        // What comes back in time is as good as what comes later.
        if let Ok(fetched) = timeout(given_up, cursor.fetch(1, DEADLINE)).await {
            read.extend(fetched.unwrap().unwrap().records.iter().map(|r| r.origin.offset));
        }
        if let Ok(event) = timeout(given_up, member.poll(1)).await {
            polled.push(event.unwrap());
        }
        append(&log, &["x", "y"]).await.unwrap();
    }
    while read.len() < 80 {
        read.extend(cursor.fetch(3, DEADLINE).await.unwrap().unwrap().records.iter().map(|r| r.origin.offset));
    }
    assert_eq!(read, (0..80).collect::<Vec<u64>>());
    assert_eq!(cursor.fetch(1, Duration::ZERO).await.unwrap(), None);
    let mut offsets = Vec::new();
    let keep = |event, offsets: &mut Vec<u64>| match event {
        ConsumerEvent::Records(fetched) => offsets.extend(fetched.records.iter().map(|r| r.origin.offset)),
        other => panic!("not records: {other:?}"),
    };
    polled.into_iter().for_each(|event| keep(event, &mut offsets));
    while offsets.len() < 80 {
        keep(timeout(DEADLINE, member.poll(3)).await.expect("records").unwrap(), &mut offsets);
    }
    assert_eq!(offsets, (0..80).collect::<Vec<u64>>());
    assert!(timeout(Duration::from_millis(20), member.poll(3)).await.is_err(), "nothing comes twice");
}
