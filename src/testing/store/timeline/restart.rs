//! What survives.

use std::time::Duration;

use super::super::Random;
use super::write::{DAY_MS, apply, compare, random_writes};
use super::{Model, Subject};
use crate::store::timeline::Limits;

/// Everything that was answered is there after a restart, and the rules go on from it.
///
/// # Panics
/// When it is not.
pub async fn check_restart(subject: &mut dyn Subject, seed: u64) {
    let mut random = Random::new(seed);
    let limits = Limits { keep: 4, max_age: Duration::from_millis(3 * DAY_MS as u64), count_days: 2 };
    let mut store = subject.fresh(limits).await;
    let mut model = Model::new(limits);
    for round in 0..3 {
        let writes = random_writes(&mut random, 150, 3 + round);
        for batch in writes.chunks(40) {
            apply(&store, batch).await;
        }
        model.extend(writes);
        store.flush().await.expect("a flush succeeds");
        drop(store);
        store = match subject.restart().await {
            Some(store) => store,
            None => return,
        };
        compare(&store, &model, &format!("seed {seed}, restart {round}")).await;
    }
}
