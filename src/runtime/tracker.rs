//! Which position of a partition may be committed.

use std::collections::VecDeque;

/// What became of a run so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open { serial: u64, since_ns: u64 },
    Acked,
    Failed,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    end: u64,
    state: State,
}

/// The window of one partition between what is settled and what was pulled.
///
/// Runs are known by their end. The watermark is the end of the last run below which every run was acked; it never
/// passes a run that is open or failed, and never moves back. A run that failed may be pulled again whole, or in
/// parts: a part ends inside it, so it stands in the window beside the run's remaining end, which stays failed until
/// something with that end is acked.
///
/// Adjacent acked runs are merged, so the window holds at most the runs that are open or failed, and as many gaps
/// between them.
#[derive(Debug, Default)]
pub struct Tracker {
    window: VecDeque<Slot>,
    watermark: Option<u64>,
    failed: usize,
}

impl Tracker {
    /// A run ending at `end` is under way, as try `serial`. An earlier try of the same end is forgotten.
    pub fn open(&mut self, end: u64, serial: u64, now_ns: u64) {
        let slot = Slot { end, state: State::Open { serial, since_ns: now_ns } };
        let at = self.window.partition_point(|slot| slot.end < end);
        match self.window.get_mut(at) {
            Some(known) if known.end == end => {
                self.failed -= usize::from(known.state == State::Failed);
                *known = slot;
            }
            _ => self.window.insert(at, slot),
        }
    }

    /// Try `serial` of the run ending at `end` is over. `false` when it is not the try under way: it timed out, or
    /// was pulled again.
    pub fn settle(&mut self, end: u64, serial: u64, acked: bool) -> bool {
        let Some(at) = self.find(end, serial) else {
            return false;
        };
        if !acked {
            self.window[at].state = State::Failed;
            self.failed += 1;
            return true;
        }
        self.window[at].state = State::Acked;
        if self.window.get(at + 1).is_some_and(|next| next.state == State::Acked) {
            self.window.remove(at);
        }
        if at > 0 && self.window[at - 1].state == State::Acked {
            self.window.remove(at - 1);
        }
        if self.window.front().is_some_and(|front| front.state == State::Acked) {
            let end = self.window.pop_front().map(|front| front.end);
            self.watermark = self.watermark.max(end);
        }
        true
    }

    /// Position below which everything is settled; `None` while nothing is.
    pub fn watermark(&self) -> Option<u64> {
        self.watermark
    }

    /// Runs that failed and were not pulled again yet.
    pub fn failed(&self) -> usize {
        self.failed
    }

    /// Runs under way since before `since_ns`, as `(end, serial)`.
    pub fn overdue(&self, before_ns: u64) -> Vec<(u64, u64)> {
        let open = self.window.iter().filter_map(|slot| match slot.state {
            State::Open { serial, since_ns } if since_ns < before_ns => Some((slot.end, serial)),
            _ => None,
        });
        open.collect()
    }

    /// Runs under way.
    pub fn open_runs(&self) -> usize {
        self.window.iter().filter(|slot| matches!(slot.state, State::Open { .. })).count()
    }

    /// When the try under way of this run began.
    pub fn opened_at(&self, end: u64, serial: u64) -> Option<u64> {
        self.find(end, serial).and_then(|at| match self.window[at].state {
            State::Open { since_ns, .. } => Some(since_ns),
            _ => None,
        })
    }

    fn find(&self, end: u64, serial: u64) -> Option<usize> {
        let at = self.window.partition_point(|slot| slot.end < end);
        let slot = self.window.get(at)?;
        let current = slot.end == end && matches!(slot.state, State::Open { serial: s, .. } if s == serial);
        current.then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_gap_holds_the_watermark() {
        let mut tracker = Tracker::default();
        for (serial, end) in [10, 20, 30].into_iter().enumerate() {
            tracker.open(end, serial as u64, 0);
        }
        assert!(tracker.settle(30, 2, true));
        assert!(tracker.settle(10, 0, true));
        assert_eq!(tracker.watermark(), Some(10));
        assert!(tracker.settle(20, 1, false));
        assert_eq!((tracker.watermark(), tracker.failed()), (Some(10), 1));
        tracker.open(20, 3, 0);
        assert!(!tracker.settle(20, 1, true), "a late settle of the first try is ignored");
        assert_eq!(tracker.watermark(), Some(10));
        assert!(tracker.settle(20, 3, true));
        assert_eq!((tracker.watermark(), tracker.failed()), (Some(30), 0));
    }

    #[test]
    fn a_failed_run_may_come_back_in_parts() {
        let mut tracker = Tracker::default();
        tracker.open(4, 0, 0);
        tracker.settle(4, 0, false);
        for end in 1..=4 {
            tracker.open(end, end, 0);
        }
        for end in [4, 2, 1] {
            assert!(tracker.settle(end, end, true));
        }
        assert_eq!(tracker.watermark(), Some(2));
        assert!(tracker.settle(3, 3, true));
        assert_eq!(tracker.watermark(), Some(4));
    }

    /// The rule itself, over a map of every run ever pulled.
    #[derive(Default)]
    struct Model(BTreeMap<u64, (u64, Option<bool>)>);

    impl Model {
        fn watermark(&self) -> Option<u64> {
            self.0.iter().take_while(|(_, (_, state))| *state == Some(true)).last().map(|(end, _)| *end)
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_rule(
            steps in prop::collection::vec((0usize..4, any::<prop::sample::Index>(), any::<bool>()), 1..200)
        ) {
            let (mut tracker, mut model, mut serial, mut end) = (Tracker::default(), Model::default(), 0, 0);
            for (what, pick, ok) in steps {
                serial += 1;
                let known: Vec<u64> = model.0.keys().copied().collect();
                match what {
                    // The next run.
                    0 | 1 => {
                        end += 1 + serial % 5;
                        tracker.open(end, serial, serial);
                        model.0.insert(end, (serial, None));
                    }
                    // A failed run again.
                    2 => {
                        let failed: Vec<u64> =
                            known.iter().copied().filter(|e| model.0[e].1 == Some(false)).collect();
                        if !failed.is_empty() {
                            let again = failed[pick.index(failed.len())];
                            tracker.open(again, serial, serial);
                            model.0.insert(again, (serial, None));
                        }
                    }
                    // Some try ends, current or long forgotten.
                    _ if !known.is_empty() => {
                        let which = known[pick.index(known.len())];
                        let (current, state) = model.0[&which];
                        let stale = !ok && serial % 3 == 0;
                        let used = if stale { current + 1_000_000 } else { current };
                        let accepted = tracker.settle(which, used, ok);
                        prop_assert_eq!(accepted, !stale && state.is_none());
                        if accepted {
                            model.0.insert(which, (current, Some(ok)));
                        }
                    }
                    _ => {}
                }
                prop_assert_eq!(tracker.watermark(), model.watermark());
                let open = model.0.values().filter(|(_, state)| state.is_none()).count();
                prop_assert_eq!(tracker.open_runs(), open);
                let failed = model.0.values().filter(|(_, state)| *state == Some(false)).count();
                prop_assert_eq!(tracker.failed(), failed);
                prop_assert!(tracker.window.len() <= 2 * (open + failed) + 1);
            }
        }
    }
}
