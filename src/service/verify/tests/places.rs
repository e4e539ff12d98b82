//! Which part of the log is meant, and what is refused.

use super::world::World;
use crate::broker::Append;
use crate::service::verify::{Bound, Range, VerifyError, ranges};

fn offsets<const N: usize>(offsets: [(u32, u64); N]) -> Bound {
    Bound::Offsets(offsets.into())
}

async fn world() -> World {
    let world = World::new().await;
    for (partition, count) in [(0, 10), (1, 20)] {
        for at in 0..count {
            let append = Append { timestamp_ms: Some(1_000 * at), ..Append::default() };
            world.append("orders", Some(partition), append).await;
        }
    }
    world
}

#[tokio::test(start_paused = true)]
async fn ends_are_offsets_times_or_those_of_the_log() {
    let world = world().await;
    let get = async |from, to| {
        let found = ranges(&world.source, &from, &to).await.unwrap();
        found.into_iter().map(|Range { partition, from, to }| (partition, from, to)).collect::<Vec<_>>()
    };
    assert_eq!(get(Bound::Earliest, Bound::Latest).await, [(0, 0, 10), (1, 0, 20), (2, 0, 0)]);
    assert_eq!(get(offsets([(1, 5)]), Bound::Latest).await, [(1, 5, 20)]);
    assert_eq!(get(Bound::Earliest, offsets([(1, 5), (0, 10)])).await, [(0, 0, 10), (1, 0, 5)]);
    assert_eq!(get(offsets([(0, 3)]), offsets([(0, 3)])).await, [(0, 3, 3)]);
    assert_eq!(get(Bound::Time(2_500), Bound::Time(12_000)).await, [(0, 3, 10), (1, 3, 12), (2, 0, 0)]);
    assert_eq!(get(Bound::Time(0), Bound::Time(i64::MAX)).await, [(0, 0, 10), (1, 0, 20), (2, 0, 0)]);
}

#[tokio::test(start_paused = true)]
async fn what_the_log_does_not_have_is_refused_with_what_it_has() {
    let mut world = world().await;
    for (from, to, parts) in [
        (offsets([(7, 0)]), Bound::Latest, vec!["no partition 7", "--from", "0 to 2"]),
        (offsets([(1, 21)]), Bound::Latest, vec!["partition 1", "--from is 21", "0 to 20"]),
        (Bound::Earliest, offsets([(0, 11)]), vec!["partition 0", "--to is 11", "0 to 10"]),
        (offsets([(1, 9)]), offsets([(1, 4)]), vec!["--from is 9", "--to is 4", "0 to 20"]),
        (Bound::Latest, Bound::Earliest, vec!["--from is 10", "--to is 0", "0 to 10"]),
        (Bound::Time(9_000), Bound::Time(3_000), vec!["before it", "0 to 10"]),
        (offsets([(0, 1)]), offsets([(1, 4)]), vec!["--from names partitions 0", "--to names 1"]),
    ] {
        let error = ranges(&world.source, &from, &to).await.unwrap_err().to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    }
    world.source.topic = "nothing".to_owned();
    let error = ranges(&world.source, &Bound::Earliest, &Bound::Latest).await.unwrap_err();
    assert!(matches!(&error, VerifyError::NoTopic { .. }), "{error}");
}
