//! Merging: whatever the order, the repetitions and the limits, the state is that of the rules.

use std::time::Duration;

use proptest::prelude::*;

use super::super::MemoryTimelines;
use crate::store::timeline::{Limits, Timelines};
use crate::testing::store::timeline::{Model, Write};

const DAY_MS: i64 = 86_400_000;

/// Few of each, so that everything collides: owners, lines, actions, ids, times.
fn writes() -> impl Strategy<Value = Vec<Write>> {
    let time = (0..5_i64, prop::sample::select(vec![0, 1, DAY_MS / 2, DAY_MS - 1]));
    let write =
        (0..2_u8, 0..2_u8, 0..3_u8, 0..6_u8, time).prop_map(|(owner, line, action, id, (day, ms))| Write {
            owner: format!("owner {owner}"),
            line: format!("line {line}"),
            action: format!("action {action}"),
            id: format!("id {id}"),
            at_ms: (20_000 + day) * DAY_MS + ms,
            // Equal versions are equal, as they are in a log that is read again.
            body: format!("{id} {day} {ms}").into_bytes(),
        });
    prop::collection::vec(write, 1..40)
}

fn limits() -> impl Strategy<Value = Limits> {
    (1..5_usize, 1..(4 * DAY_MS as u64), 0..4_u32).prop_map(|(keep, age, count_days)| Limits {
        keep,
        max_age: Duration::from_millis(age),
        count_days,
    })
}

proptest! {
    #[test]
    fn every_order_with_repetitions_ends_as_the_rules_say(
        (first, second) in writes().prop_flat_map(|writes| {
            let again = prop::sample::subsequence(writes.clone(), 0..=writes.len());
            let all = again.prop_map(move |again| [writes.clone(), again].concat());
            (all.clone().prop_shuffle(), all.prop_shuffle())
        }),
        limits in limits(),
        batch in 1..9_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for order in [first, second] {
                let (store, mut model) = (MemoryTimelines::new(limits), Model::new(limits));
                for writes in order.chunks(batch) {
                    let entries: Vec<_> = writes.iter().map(Write::entry).collect();
                    prop_assert!(store.apply(&entries).await.unwrap().is_empty());
                }
                model.extend(order);
                for owner in model.owners() {
                    prop_assert_eq!(store.profile(owner).await.unwrap(), model.profile(owner));
                    for line in model.lines(owner) {
                        let timeline = store.timeline(owner, Some(line), usize::MAX).await.unwrap();
                        prop_assert_eq!(timeline, model.timeline(owner, Some(line), usize::MAX));
                    }
                }
            }
            Ok(())
        })?;
    }
}
