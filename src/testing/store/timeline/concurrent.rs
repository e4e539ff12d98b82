//! Writers beside each other.

use std::time::Duration;

use super::super::Random;
use super::write::{DAY_MS, apply, compare, random_writes};
use super::{Model, Subject};
use crate::store::timeline::Limits;

/// Eight writers write the same entries, each in an order of its own, while readers read.
///
/// # Panics
/// When the state is not the one that the rules give.
pub async fn check_concurrent_writers(subject: &mut dyn Subject, seed: u64) {
    let mut random = Random::new(seed);
    let limits = Limits { keep: 7, max_age: Duration::from_millis(3 * DAY_MS as u64), count_days: 3 };
    let store = subject.fresh(limits).await;
    let writes = random_writes(&mut random, 300, 5);
    let mut writers = Vec::new();
    for _ in 0..8 {
        let (store, mut order) = (store.clone(), writes.clone());
        random.shuffle(&mut order);
        writers.push(tokio::spawn(async move {
            for batch in order.chunks(17) {
                apply(&store, batch).await;
                let owner = &batch[0].owner;
                let read = store.timeline(owner, None, 100).await.expect("a timeline is read");
                assert!(read.is_sorted_by(|a, b| a.at_ms >= b.at_ms), "a read is in order at any moment");
                assert!(read.len() <= 3 * 7, "a read is trimmed at any moment");
                assert!(store.profile(owner).await.expect("a profile is read").is_some());
            }
        }));
    }
    for writer in writers {
        writer.await.expect("a writer ends well");
    }
    let mut model = Model::new(limits);
    model.extend(writes);
    compare(&store, &model, &format!("seed {seed}")).await;
}
