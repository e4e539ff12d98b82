use proptest::prelude::*;

use crate::guard::{LoopGuard, LoopGuardSettings, Looped};

const SETTINGS: LoopGuardSettings = LoopGuardSettings { window: 50, least: 20 };

#[test]
fn most_of_a_window_must_die_and_the_window_must_be_large_enough() {
    let mut guard = LoopGuard::new(SETTINGS);
    for key in 0..19 {
        guard.sent(key);
        assert!(guard.died(&key));
    }
    assert_eq!(guard.looped(), None, "19 are no window");
    guard.sent(19);
    assert_eq!(guard.looped(), Some(Looped { returned: 19, of: 20 }));

    let mut guard = LoopGuard::new(SETTINGS);
    (0..1_000).for_each(|key| guard.sent(key));
    assert!((0..25).all(|key| guard.died(&key)));
    assert_eq!(guard.looped(), None, "half is not more than half");
    assert!(!guard.died(&3) && !guard.died(&5_000), "each counts once, strangers never");
    assert!(guard.died(&25), "long after it was sent");
    assert_eq!((guard.looped(), guard.returned()), (Some(Looped { returned: 26, of: 50 }), 26));
}

#[derive(Debug, Clone)]
enum Step {
    Sent(u8),
    Died(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Few keys, so that some are sent twice.
    let step = prop_oneof![3 => any::<u8>().prop_map(Step::Sent), 2 => any::<u8>().prop_map(Step::Died)];
    prop::collection::vec(step, 0..400)
}

proptest! {
    /// Keeps the fate of every record, and looks at every window after every step.
    #[test]
    fn it_agrees_with_the_rule(steps in steps(), window in 1_u32..40, least in 1_u32..40) {
        let mut guard = LoopGuard::new(LoopGuardSettings { window, least });
        let mut fates: Vec<(u8, bool)> = Vec::new();
        let mut looped = false;
        for step in steps {
            match step {
                Step::Sent(key) => {
                    guard.sent(key);
                    fates.push((key, false));
                }
                Step::Died(key) => {
                    let oldest = fates.iter_mut().find(|(sent, dead)| *sent == key && !dead);
                    prop_assert_eq!(guard.died(&key), oldest.is_some());
                    if let Some(fate) = oldest {
                        fate.1 = true;
                    }
                }
            }
            looped |= fates.chunks(window as usize).any(|window| {
                let dead = window.iter().filter(|(_, dead)| *dead).count();
                window.len() >= least as usize && 2 * dead > window.len()
            });
            prop_assert_eq!(guard.looped().is_some(), looped);
            prop_assert_eq!(guard.returned(), fates.iter().filter(|(_, dead)| *dead).count() as u64);
        }
    }
}
