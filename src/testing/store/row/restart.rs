//! What survives.

use super::super::Random;
use super::rows::{compare, empty, put, random_records};
use super::{Model, Statement, Subject};

/// Everything that was answered is there after a restart, and the guard goes on from it.
///
/// # Panics
/// When it is not.
pub async fn check_restart(subject: &mut dyn Subject, seed: u64) {
    let mut random = Random::new(seed);
    let mut store = empty(subject, Statement::default()).await;
    let mut model = Model::default();
    for round in 0..2 {
        let records = random_records(&mut random, 100);
        put(&store, &records).await;
        model.extend(records);
        drop(store);
        subject.restart().await;
        let migrations = subject.migrations();
        store = subject.open(Statement::default(), migrations).await.expect("a store opens again");
        store.check_schema().await.expect("the schema is the known one");
        compare(&store, &model, &format!("seed {seed}, restart {round}")).await;
    }
}
