//! What can be wrong with a job, and what is said of it.

use std::collections::{BTreeMap, BTreeSet};

use super::world::{BEGAN_MS, World, open};
use crate::control::backfill::{BackfillError, Bound, Draft, Range, State};

fn offsets(pairs: &[(u32, u64)]) -> Bound {
    Bound::Offsets(pairs.iter().copied().collect::<BTreeMap<_, _>>())
}

fn draft(from: Bound, to: Bound) -> Draft {
    Draft::new("op-in", from, to, "ann@desk")
}

#[tokio::test(start_paused = true)]
async fn ranges_that_are_wrong_are_refused_with_what_is_valid() {
    let (_dir, log) = open();
    let world = World::new(&log, "op", 2, false).await;
    for partition in 0..2 {
        world.fill(partition, 100, 1_000).await;
    }
    log.delete_before("op-in", 1, 20).await.unwrap();
    let backfills = world.backfills();
    let range = |partition, from, to| Range { partition, from, to };
    let all = draft(Bound::Earliest, Bound::Latest);
    let cases = [
        (
            draft(offsets(&[(0, 50)]), offsets(&[(0, 40)])),
            "op-in[0] 50..40 ends before it begins; the log holds 0..100",
        ),
        (draft(offsets(&[(0, 50)]), offsets(&[(0, 50)])), "op-in[0] 50..50 is empty; the log holds 0..100"),
        (
            draft(offsets(&[(1, 10)]), offsets(&[(1, 40)])),
            "op-in[1] 10..40 is not all there; the log holds 20..100",
        ),
        (
            draft(offsets(&[(0, 90)]), offsets(&[(0, 101)])),
            "op-in[0] 90..101 is not all there; the log holds 0..100",
        ),
        (draft(offsets(&[(2, 0)]), Bound::Latest), "topic `op-in` has no partition 2; it has 0 to 1"),
        (draft(offsets(&[(0, 0), (1, 20)]), offsets(&[(0, 9)])), "partition 1 has a beginning and no end"),
        (draft(Bound::Latest, Bound::Latest), "it holds [0] 0..100, [1] 20..100"),
        (draft(Bound::Latest, Bound::Earliest), "op-in[0] 100..0 ends before it begins"),
        (Draft { partitions: BTreeSet::from([7]), ..draft(Bound::Earliest, Bound::Latest) }, "no partition 7"),
        (
            Draft {
                exactly: vec![range(0, 0, 5), range(0, 7, 9)],
                partitions: BTreeSet::from([1]),
                ..all.clone()
            },
            "none of the ranges lies in partition 1; they have partition 0",
        ),
        (
            Draft { share: 2.0, ..draft(Bound::Earliest, Bound::Latest) },
            "invalid share: it lies between 0.001 and 1",
        ),
        (Draft { rate: Some(0), ..draft(Bound::Earliest, Bound::Latest) }, "each is at least 1"),
        (Draft { topic: "none".into(), ..draft(Bound::Earliest, Bound::Latest) }, "topic `none` does not exist"),
    ];
    for (draft, wanted) in cases {
        let error = backfills.create(&draft).await.expect_err(wanted).to_string();
        assert!(error.contains(wanted), "{error}\n  wanted: {wanted}");
        assert!(!error.contains('\n'));
    }
    assert!(backfills.list().await.unwrap().is_empty(), "nothing was created");
}

#[tokio::test(start_paused = true)]
async fn bounds_are_offsets_ends_and_times_and_are_frozen() {
    let (_dir, log) = open();
    let world = World::new(&log, "op", 2, false).await;
    for partition in 0..2 {
        world.fill(partition, 100, 1_000).await;
    }
    let backfills = world.backfills();
    let ranges = async |draft: Draft| {
        let job = backfills.plan(&draft).await.unwrap();
        job.ranges.iter().map(|range| (range.partition, range.from, range.to)).collect::<Vec<_>>()
    };
    assert_eq!(ranges(draft(Bound::Earliest, Bound::Latest)).await, [(0, 0, 100), (1, 0, 100)]);
    assert_eq!(ranges(draft(offsets(&[(1, 7)]), Bound::Latest)).await, [(1, 7, 100)]);
    let times = (Bound::Time(BEGAN_MS + 10_000), Bound::Time(BEGAN_MS + 20_000));
    assert_eq!(ranges(draft(times.0, times.1)).await, [(0, 10, 20), (1, 10, 20)]);
    let one = Draft { partitions: BTreeSet::from([1]), ..draft(Bound::Earliest, Bound::Latest) };
    assert_eq!(ranges(one).await, [(1, 0, 100)]);
    let job = backfills.create(&draft(Bound::Earliest, Bound::Latest)).await.unwrap();
    world.fill(0, 50, 1_000).await;
    assert_eq!(backfills.show(&job.id).await.unwrap().total, 200, "it stays as it was created");
}

#[tokio::test(start_paused = true)]
async fn jobs_over_the_same_records_are_refused_until_the_first_is_over() {
    let (_dir, log) = open();
    let world = World::new(&log, "op", 1, false).await;
    world.fill(0, 100, 1_000).await;
    let backfills = world.backfills();
    let rows = |from, to, sinks: &[&str]| Draft {
        only_sinks: sinks.iter().map(ToString::to_string).collect(),
        ..draft(offsets(&[(0, from)]), offsets(&[(0, to)]))
    };
    let first = backfills.create(&rows(10, 50, &["rows"])).await.unwrap();
    for refused in [rows(49, 60, &[]), rows(0, 11, &["rows"]), rows(20, 30, &["views", "rows"])] {
        let error = backfills.create(&refused).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&first.id) && text.contains("op-in[0] 10..50"), "{text}");
    }
    backfills.create(&rows(50, 60, &[])).await.unwrap();
    backfills.create(&rows(10, 50, &["views"])).await.unwrap();
    backfills.cancel(&first.id, "ann@desk", "").await.unwrap();
    let again = backfills.create(&rows(10, 50, &["rows"])).await.unwrap();
    let states: Vec<_> = backfills.list().await.unwrap().iter().map(|status| status.state).collect();
    assert_eq!(states, [State::Cancelled, State::Running, State::Running, State::Running]);
    assert!(matches!(backfills.show("b-none").await, Err(BackfillError::Unknown { .. })));
    let error = backfills.resume(&first.id, "ann@desk", "").await.unwrap_err().to_string();
    assert_eq!(error, format!("backfill `{}` is cancelled, it cannot be resumed", first.id));
    let paused = backfills.pause(&again.id, "ann@desk", "").await.unwrap();
    assert_eq!(paused.state, State::Paused);
    assert_eq!(backfills.pause(&again.id, "ann@desk", "").await.unwrap().state, State::Paused, "no harm");
}

#[tokio::test(start_paused = true)]
async fn of_two_that_are_created_at_once_the_later_one_is_taken_back() {
    let (_dir, log) = open();
    let world = World::new(&log, "op", 1, false).await;
    world.fill(0, 100, 1_000).await;
    let backfills = world.backfills();
    let all = draft(Bound::Earliest, Bound::Latest);
    let (first, second) = (backfills.plan(&all).await.unwrap(), backfills.plan(&all).await.unwrap());
    backfills.put(&first).await.unwrap();
    assert!(matches!(backfills.put(&second).await, Err(BackfillError::Overlaps { .. })));
    assert_eq!(backfills.show(&first.id).await.unwrap().state, State::Running);
    assert_eq!(backfills.show(&second.id).await.unwrap().state, State::Cancelled);
}
