//! Any order, any repetition, any grouping ends in the same state.

use super::super::Random;
use super::rows::{compare, empty, put, random_records};
use super::{Model, Record, Statement, Subject};

/// A few hundred records, in another order, with repetitions, in batches and statements of other sizes each time.
///
/// # Panics
/// When a state is not the one that the rules give.
pub async fn check_any_order(subject: &mut dyn Subject, seed: u64) {
    let mut random = Random::new(seed);
    let records = random_records(&mut random, 400);
    for (round, rows) in [500, 1, 13].into_iter().enumerate() {
        let statement = Statement { rows, bytes: 1 << 20 };
        run(subject, statement, &records, &mut random, &format!("seed {seed}, round {round}")).await;
    }
    let bytes = Statement { rows: 500, bytes: 600 };
    run(subject, bytes, &records, &mut random, &format!("seed {seed}, split by bytes")).await;
}

/// Small cases with statements of their own.
///
/// # Panics
/// When a state is not the one that the rules give.
pub async fn check_small(subject: &mut dyn Subject, seed: u64) {
    let mut random = Random::new(seed);
    for case in 0..12 {
        let statement = Statement { rows: 1 + random.below(9) as usize, bytes: 100 + random.below(2000) as usize };
        let count = 1 + random.below(30) as usize;
        let records = random_records(&mut random, count);
        run(subject, statement, &records, &mut random, &format!("seed {seed}, case {case}, {statement:?}")).await;
    }
}

async fn run(
    subject: &mut dyn Subject,
    statement: Statement,
    records: &[Record],
    random: &mut Random,
    what: &str,
) {
    let store = empty(subject, statement).await;
    let mut order = records.to_vec();
    for _ in 0..random.below(records.len() as u64 + 1) {
        order.push(records[random.below(records.len() as u64) as usize].clone());
    }
    random.shuffle(&mut order);
    let mut rest = &order[..];
    while !rest.is_empty() {
        let (batch, after) = rest.split_at((1 + random.below(90) as usize).min(rest.len()));
        put(&store, batch).await;
        rest = after;
    }
    let mut model = Model::default();
    model.extend(order);
    compare(&store, &model, what).await;
}
