//! Requests, replies and frames.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use tokio::net::UnixStream;

use super::super::wire::{Greeting, Hold, Link, Reply, Request};
use crate::broker::embedded::EmbeddedSettings;
use crate::broker::{
    Append, Bounds, BrokerError, Cleanup, Commit, ConsumerEvent, Fetched, Granted, GroupSettings, Note, Position,
    StartFrom, TopicInfo, TopicSpec,
};
use crate::topology::{Headers, Origin, Record};

fn some_append() -> impl Strategy<Value = Append> {
    let bytes = || proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from));
    let headers = proptest::collection::vec((".{0,5}", proptest::collection::vec(any::<u8>(), 0..9)), 0..3);
    let parts = (any::<Option<u32>>(), bytes(), bytes(), headers, any::<Option<i64>>());
    parts.prop_map(|(partition, key, value, headers, timestamp_ms)| {
        let headers = headers.into_iter().fold(Headers::default(), |all, (name, value)| all.with(name, value));
        Append { partition, key, value, headers, timestamp_ms }
    })
}

fn some_fetched() -> impl Strategy<Value = Fetched> {
    let records = proptest::collection::vec((some_append(), 1_u64..5), 1..6);
    (records, any::<u32>(), any::<u32>(), 0..u64::MAX / 2).prop_map(|(appends, partition, epoch, first)| {
        let topic: Arc<str> = "t".into();
        let mut next = first;
        let mut records = Vec::new();
        for (append, hole) in appends {
            let offset = next + hole - 1;
            let origin = Origin { topic: topic.clone(), partition, offset, attempt: 0 };
            let timestamp_ms = append.timestamp_ms.unwrap_or(0);
            let (key, headers) = (append.key, append.headers);
            records.push(Record { origin, key, headers, timestamp_ms, value: append.value });
            next = offset + 1;
        }
        Fetched { partition, epoch, records, next: next + 2 }
    })
}

fn some_note() -> impl Strategy<Value = Note> {
    prop_oneof![
        Just(Note::Clean),
        Just(Note::Open),
        Just(Note::Batchwise),
        any::<u32>().prop_map(|deaths| Note::Singly { deaths }),
    ]
}

fn some_request() -> impl Strategy<Value = Request> {
    let offsets = || proptest::collection::vec(any::<(u32, u64)>(), 0..5);
    let commit = || {
        (any::<(u32, u32, u64, u64)>(), some_note())
            .prop_map(|((epoch, partition, offset, seek), note)| (epoch, Commit { partition, offset, note, seek }))
    };
    let commits = || proptest::collection::vec(commit(), 0..5);
    let hold = any::<(u32, u32, Option<u64>, bool)>().prop_map(|(partition, epoch, at, paused)| Hold {
        partition,
        epoch,
        at,
        paused,
    });
    let millis = || (0..u64::MAX / 2).prop_map(Duration::from_millis);
    let cleanup = prop_oneof![
        Just(Cleanup::Compact),
        (proptest::option::of(millis()), any::<Option<u64>>())
            .prop_map(|(retention, max_bytes)| Cleanup::Delete { retention, max_bytes }),
    ];
    let spec = (".{0,9}", any::<u32>(), cleanup, any::<u16>())
        .prop_map(|(name, partitions, cleanup, replication)| TopicSpec { name, partitions, cleanup, replication });
    let start = prop_oneof![
        Just(StartFrom::Earliest),
        Just(StartFrom::Latest),
        any::<i64>().prop_map(StartFrom::Timestamp),
    ];
    let settings = (".{0,9}", start, proptest::option::of(".{0,9}"), any::<usize>(), millis(), millis()).prop_map(
        |(group, start_from, instance_id, prefetch, session_timeout, drain_timeout)| GroupSettings {
            group,
            start_from,
            instance_id,
            prefetch,
            session_timeout,
            drain_timeout,
        },
    );
    prop_oneof![
        spec.prop_map(Request::CreateTopic),
        ".{0,9}".prop_map(Request::DeleteTopic),
        ".{0,9}".prop_map(Request::Topic),
        ".{0,9}".prop_map(Request::Topics),
        ".{0,9}".prop_map(Request::Bounds),
        (".{0,9}", any::<i64>()).prop_map(|(topic, time)| Request::OffsetsAt(topic, time)),
        (".{0,9}", ".{0,9}").prop_map(|(group, topic)| Request::Committed(group, topic)),
        (".{0,9}", ".{0,9}", offsets()).prop_map(|(group, topic, offsets)| Request::Reset(group, topic, offsets)),
        (".{0,9}", proptest::collection::vec(some_append(), 0..4)).prop_map(|(t, r)| Request::Append(t, r)),
        (".{0,9}", offsets(), any::<u32>(), millis()).prop_map(|(topic, places, max, wait)| Request::Fetch {
            topic,
            places,
            max,
            wait
        }),
        (".{0,9}", settings).prop_map(|(topic, settings)| Request::Subscribe(topic, settings)),
        (any::<u32>(), millis()).prop_map(|(max, wait)| Request::Poll { max, wait }),
        proptest::collection::vec(hold, 0..5).prop_map(Request::Hold),
        commits().prop_map(Request::Commit),
        (commits(), any::<bool>()).prop_map(|(commits, give_back)| Request::Release { commits, give_back }),
        commits().prop_map(Request::Close),
    ]
}

fn some_reply() -> impl Strategy<Value = Reply> {
    let info = || (".{0,9}", any::<u32>()).prop_map(|(name, partitions)| TopicInfo { name, partitions });
    let bounds =
        any::<(u32, u64, u64)>().prop_map(|(partition, earliest, latest)| Bounds { partition, earliest, latest });
    let position = any::<(u32, u64)>().prop_map(|(partition, offset)| Position { partition, offset });
    let list = |n| proptest::collection::vec(any::<u32>(), n);
    let grant = (any::<(u32, u32, u64, u64)>(), some_note())
        .prop_map(|((partition, epoch, next, seek), note)| Granted { partition, epoch, next, note, seek });
    prop_oneof![
        Just(Reply::Done),
        Just(Reply::Nothing),
        proptest::option::of(info()).prop_map(Reply::Topic),
        proptest::collection::vec(info(), 0..4).prop_map(Reply::Topics),
        proptest::collection::vec(bounds, 0..4).prop_map(Reply::Bounds),
        proptest::collection::vec(any::<u64>(), 0..4).prop_map(Reply::Offsets),
        proptest::collection::vec(any::<Option<u64>>(), 0..4).prop_map(Reply::Committed),
        proptest::collection::vec(position, 0..4).prop_map(Reply::Positions),
        some_fetched().prop_map(Reply::Records),
        proptest::collection::vec(any::<(u32, u64)>(), 0..4).prop_map(Reply::Places),
        proptest::collection::vec(grant, 0..4).prop_map(|grants| Reply::Event(ConsumerEvent::Assigned(grants))),
        list(0..4).prop_map(|partitions| Reply::Event(ConsumerEvent::Revoking(partitions))),
        list(0..4).prop_map(|partitions| Reply::Event(ConsumerEvent::Lost(partitions))),
        some_fetched().prop_map(|fetched| Reply::Event(ConsumerEvent::Records(fetched))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_request_comes_back_and_every_cut_of_it_is_noticed(id in any::<u64>(), request in some_request()) {
        let mut bytes = Vec::new();
        request.put(id, &mut bytes);
        let bytes = Bytes::from(bytes);
        for end in 0..bytes.len() {
            prop_assert_eq!(Request::read(&bytes.slice(..end)), None);
        }
        prop_assert_eq!(Request::read(&bytes), Some((id, request)));
    }

    #[test]
    fn a_reply_comes_back_and_every_cut_of_it_is_noticed(id in any::<u64>(), reply in some_reply()) {
        let mut bytes = Vec::new();
        Reply::put(&Ok(reply.clone()), id, &mut bytes);
        let bytes = Bytes::from(bytes);
        for end in 0..bytes.len() {
            prop_assert!(Reply::read(&bytes.slice(..end)).is_none());
        }
        let (back_id, back) = Reply::read(&bytes).unwrap();
        prop_assert_eq!((back_id, back.unwrap()), (id, reply));
    }

    #[test]
    fn random_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let bytes = Bytes::from(bytes);
        let _request = Request::read(&bytes);
        let _reply = Reply::read(&bytes);
        prop_assert_eq!(Greeting::read(&bytes), None);
    }
}

#[test]
fn an_error_is_an_answer() {
    let mut bytes = Vec::new();
    Reply::put(&Err(BrokerError::UnknownTopic { topic: "t".into() }), 7, &mut bytes);
    let (id, answer) = Reply::read(&bytes.into()).unwrap();
    assert!(id == 7 && matches!(answer, Err(BrokerError::UnknownTopic { topic }) if topic == "t"));
}

#[test]
fn greetings_come_back() {
    let settings = EmbeddedSettings { max_record_bytes: usize::MAX, ..EmbeddedSettings::default() };
    for greeting in [
        Greeting::welcome(&EmbeddedSettings::default()),
        Greeting::welcome(&settings),
        Greeting::Refused("full".into()),
        Greeting::Other(9),
    ] {
        let mut bytes = Vec::new();
        greeting.put(&mut bytes);
        assert_eq!(Greeting::read(&bytes.into()), Some(greeting));
    }
}

#[tokio::test]
async fn frames_arrive_whole_whatever_their_size_and_above_the_limit_not_at_all() {
    let (left, right) = UnixStream::pair().unwrap();
    let (mut left, mut right) = (Link::new(left, 1_000_000), Link::new(right, 1_000_000));
    let sizes = [0, 1, 70_000, 3, 1_000_000];
    let sending = async {
        for size in sizes {
            left.queue(|buf| buf.resize(buf.len() + size, size as u8)).unwrap();
        }
        let error = left.queue(|buf| buf.resize(buf.len() + 1_000_001, 0)).unwrap_err();
        assert_eq!((error.size, error.limit), (1_000_001, 1_000_000));
        left.flush().await.unwrap();
    };
    let receiving = async {
        for size in sizes {
            // A read that is given up loses nothing.
            let _given_up = tokio::time::timeout(Duration::ZERO, right.fill()).await;
            let frame = right.next().await.unwrap();
            assert_eq!(frame.len(), size);
            assert!(frame.iter().all(|byte| *byte == size as u8));
        }
    };
    tokio::join!(sending, receiving);
    drop(left);
    assert_eq!(right.next().await.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
}
