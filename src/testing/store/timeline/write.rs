//! Steps that several checks take.

use std::sync::Arc;

use super::super::Random;
use super::{Model, Write};
use crate::store::Timelines;
use crate::store::timeline::Entry;

pub(super) const DAY_MS: i64 = 86_400_000;
/// A day, far from the epoch.
pub(super) const DAY: i64 = 20_000;

/// A write whose body tells its version.
pub(super) fn write(owner: &str, line: &str, action: &str, id: &str, at_ms: i64) -> Write {
    Write {
        owner: owner.to_owned(),
        line: line.to_owned(),
        action: action.to_owned(),
        id: id.to_owned(),
        at_ms,
        body: format!("{line}/{id}@{at_ms} 酒店 🏨").into_bytes(),
    }
}

/// Writes of few owners, lines, actions and ids over some days: collisions of every kind. Ids that differ by case or a
/// trailing blank, that are prefixes of each other and that are not ASCII are among them; many have equal times.
pub(super) fn random_writes(random: &mut Random, count: usize, days: i64) -> Vec<Write> {
    let owners = ["u", "U", "u ", "用户}", "%7D{"];
    let lines = ["hotel", "机票", "h"];
    let actions = ["view", "点击", "vie"];
    let ids = ["a", "A", "a ", "aa", "b", "é", "é", "酒", "🏨", "z\u{0}", "z", "10", "9"];
    let steps = [0, 1, DAY_MS / 2, DAY_MS - 1];
    let one = |random: &mut Random| {
        let day = DAY + random.below(days as u64) as i64;
        let at_ms = day * DAY_MS + random.pick(&steps);
        let (owner, line) = (random.pick(&owners), random.pick(&lines));
        write(owner, line, random.pick(&actions), random.pick(&ids), at_ms)
    };
    (0..count).map(|_| one(random)).collect()
}

/// Writes a batch of which nothing may be refused.
pub(super) async fn apply(store: &Arc<dyn Timelines>, writes: &[Write]) {
    let entries: Vec<Entry<'_>> = writes.iter().map(Write::entry).collect();
    let refused = store.apply(&entries).await.expect("a batch is written");
    assert!(refused.is_empty(), "nothing may be refused: {refused:?}");
}

/// Compares everything that can be read with the model.
pub(super) async fn compare(store: &Arc<dyn Timelines>, model: &Model, what: &str) {
    for owner in model.owners() {
        let profile = store.profile(owner).await.expect("a profile is read");
        assert_eq!(profile, model.profile(owner), "{what}: profile of {owner:?}");
        for line in model.lines(owner) {
            let timeline = store.timeline(owner, Some(line), usize::MAX).await.expect("a timeline is read");
            let expected = model.timeline(owner, Some(line), usize::MAX);
            assert_eq!(timeline, expected, "{what}: timeline of {owner:?} in {line:?}");
        }
    }
    let owners = store.owners().await.expect("owners are counted");
    assert_eq!(owners, model.owners().len() as u64, "{what}: owners");
}
