//! Any order, any repetition, any grouping ends in the same state.

use std::time::Duration;

use super::super::Random;
use super::write::{DAY_MS, apply, compare, random_writes};
use super::{Model, Subject, Write};
use crate::store::timeline::Limits;

/// A few hundred writes, in another order, with repetitions, in batches of other sizes each time.
///
/// # Panics
/// When a state is not the one that the rules give.
pub async fn check_any_order(subject: &mut dyn Subject, seed: u64) {
    let mut random = Random::new(seed);
    let limits = Limits { keep: 5, max_age: Duration::from_millis(3 * DAY_MS as u64), count_days: 2 };
    let writes = random_writes(&mut random, 400, 6);
    for round in 0..4 {
        run(subject, limits, &writes, &mut random, &format!("seed {seed}, round {round}")).await;
    }
}

/// Many small cases with limits of their own.
///
/// # Panics
/// When a state is not the one that the rules give.
pub async fn check_small(subject: &mut dyn Subject, seed: u64) {
    let mut random = Random::new(seed);
    for case in 0..60 {
        let limits = Limits {
            keep: 1 + random.below(4) as usize,
            max_age: Duration::from_millis(1 + random.below(3 * DAY_MS as u64)),
            count_days: random.below(4) as u32,
        };
        let count = 1 + random.below(20) as usize;
        let writes = random_writes(&mut random, count, 4);
        run(subject, limits, &writes, &mut random, &format!("seed {seed}, case {case}, {limits:?}")).await;
    }
}

async fn run(subject: &mut dyn Subject, limits: Limits, writes: &[Write], random: &mut Random, what: &str) {
    let store = subject.fresh(limits).await;
    let mut order = writes.to_vec();
    for _ in 0..random.below(writes.len() as u64 + 1) {
        order.push(writes[random.below(writes.len() as u64) as usize].clone());
    }
    random.shuffle(&mut order);
    let mut model = Model::new(limits);
    let mut rest = &order[..];
    while !rest.is_empty() {
        let (batch, after) = rest.split_at((1 + random.below(60) as usize).min(rest.len()));
        apply(&store, batch).await;
        rest = after;
    }
    model.extend(order);
    compare(&store, &model, what).await;
}
