//! Writers beside each other.

use super::super::Random;
use super::rows::{compare, empty, random_records, upsert};
use super::{Model, Statement, Subject};
use crate::topology::{Class, Classify};

/// How often a batch is tried again; each failure must say that this helps.
const TRIES: usize = 50;

/// Eight writers write the same hot keys, each in an order of its own; a deadlock may cost a try, never a write.
///
/// # Panics
/// When an error is not retryable, or the state is not the one that the rules give.
pub async fn check_hot_keys(subject: &mut dyn Subject, seed: u64) {
    let mut random = Random::new(seed);
    let store = empty(subject, Statement { rows: 20, bytes: 1 << 20 }).await;
    let records = random_records(&mut random, 400);
    let mut writers = Vec::new();
    for _ in 0..8 {
        let (store, mut order) = (store.clone(), records.clone());
        random.shuffle(&mut order);
        writers.push(tokio::spawn(async move {
            for batch in order.chunks(50) {
                let mut tries = 0;
                while let Err(error) = upsert(&store, batch).await {
                    assert_eq!(error.class(), Class::Retryable, "{error}");
                    tries += 1;
                    assert!(tries < TRIES, "still failing: {error}");
                }
            }
        }));
    }
    for writer in writers {
        writer.await.expect("a writer ends well");
    }
    let mut model = Model::default();
    model.extend(records);
    compare(&store, &model, &format!("seed {seed}")).await;
}
