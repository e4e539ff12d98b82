//! The ack tree on plain threads, and against a model. `tests/loom` explores its interleavings.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::sync::{Arc, Mutex, mpsc};

use proptest::prelude::*;

use super::{Class, Failure, Ledger, Shares, Ticket};

#[derive(Default)]
struct Seen(Mutex<Vec<(u64, Option<Class>)>>);

impl Ledger for Seen {
    fn settled(&self, ticket: Ticket, failed: Option<Failure>) {
        self.0.lock().unwrap().push((ticket.end, failed.map(|failure| failure.class)));
    }

    fn name(&self) -> &str {
        "seen"
    }
}

impl Seen {
    fn sorted(&self) -> Vec<(u64, Option<Class>)> {
        let mut seen = self.0.lock().unwrap().clone();
        seen.sort_by_key(|(end, _)| *end);
        seen
    }
}

fn ticket(end: u64) -> Ticket {
    Ticket { partition: 0, epoch: 0, end, serial: end }
}

#[test]
fn a_tree_settles_with_its_last_share() {
    let seen = Arc::new(Seen::default());
    let root = Shares::open(ticket(1), seen.clone());
    let part = root.split();
    root.ack();
    assert!(seen.sorted().is_empty());
    part.ack();
    assert_eq!(seen.sorted(), [(1, None)]);
}

#[test]
fn a_dropped_share_fails_its_tree() {
    let seen = Arc::new(Seen::default());
    let root = Shares::open(ticket(1), seen.clone());
    drop(root.split());
    root.ack();
    assert_eq!(seen.sorted(), [(1, Some(Class::Retryable))]);
}

#[test]
fn the_worst_class_wins() {
    let seen = Arc::new(Seen::default());
    let root = Shares::open(ticket(1), seen.clone());
    root.split().fail(Class::Poison);
    root.split().fail(Class::Refused);
    drop(root);
    assert_eq!(seen.sorted(), [(1, Some(Class::Poison))]);
}

#[test]
fn poison_in_company_is_a_suspicion_and_alone_a_verdict() {
    #[derive(Default)]
    struct Verdicts(Mutex<Vec<(u64, Option<Failure>)>>);
    impl Ledger for Verdicts {
        fn settled(&self, ticket: Ticket, failed: Option<Failure>) {
            self.0.lock().unwrap().push((ticket.end, failed));
        }
        fn name(&self) -> &str {
            "verdicts"
        }
    }
    let verdicts = Arc::new(Verdicts::default());
    let (a, b) = (Shares::open(ticket(1), verdicts.clone()), Shares::open(ticket(2), verdicts.clone()));
    let mut both = a.split();
    both.join(&b);
    both.fail_because(Class::Poison, "together");
    b.split().fail_because(Class::Retryable, "not heard");
    a.ack();
    b.fail_because(Class::Poison, "too late");
    let poison =
        |isolated, reason: &str| Some(Failure { class: Class::Poison, isolated, reason: Some(reason.into()) });
    assert_eq!(*verdicts.0.lock().unwrap(), [(1, poison(false, "together")), (2, poison(true, "together"))]);
}

#[test]
fn a_join_takes_one_share_a_tree() {
    let seen = Arc::new(Seen::default());
    let (a, b) = (Shares::open(ticket(1), seen.clone()), Shares::open(ticket(2), seen.clone()));
    let mut all = Shares::default();
    for other in [&a, &b, &a, &b] {
        all.join(other);
    }
    assert_eq!(all.len(), 2);
    a.ack();
    b.ack();
    all.ack();
    assert_eq!(seen.sorted(), [(1, None), (2, None)]);
}

#[test]
fn eight_threads_settle_every_tree_once() {
    let seen = Arc::new(Seen::default());
    let (sender, receiver) = mpsc::channel::<(u64, Shares)>();
    let receiver = Arc::new(Mutex::new(receiver));
    let workers: Vec<_> = (0..8)
        .map(|worker| {
            let receiver = receiver.clone();
            std::thread::spawn(move || {
                loop {
                    let next = receiver.lock().unwrap().recv();
                    let Ok((tree, shares)) = next else { break };
                    let parts: Vec<Shares> = (0..1 + worker % 3).map(|_| shares.split()).collect();
                    shares.ack();
                    for (at, part) in parts.into_iter().enumerate() {
                        if tree % 10 == 0 && at == 0 { drop(part) } else { part.ack() }
                    }
                }
            })
        })
        .collect();
    for tree in 0..20_000 {
        let root = Shares::open(ticket(tree), seen.clone());
        for _ in 0..3 {
            sender.send((tree, root.split())).unwrap();
        }
        root.ack();
    }
    drop(sender);
    for worker in workers {
        worker.join().unwrap();
    }
    let seen = seen.sorted();
    assert_eq!(seen.len(), 20_000);
    assert!(
        seen.iter()
            .enumerate()
            .all(|(at, (tree, failed))| { *tree == at as u64 && failed.is_some() == (tree % 10 == 0) })
    );
}

/// What is done with one of the shares that exist.
#[derive(Debug, Clone)]
enum Step {
    Split(prop::sample::Index),
    Join(prop::sample::Index, prop::sample::Index),
    Ack(prop::sample::Index),
    Fail(prop::sample::Index, Class),
    Drop(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    let class = prop::sample::select(vec![Class::Refused, Class::Retryable, Class::Poison, Class::Fatal]);
    prop_oneof![
        4 => index().prop_map(Step::Split),
        3 => (index(), index()).prop_map(|(a, b)| Step::Join(a, b)),
        3 => index().prop_map(Step::Ack),
        1 => (index(), class).prop_map(|(at, class)| Step::Fail(at, class)),
        1 => index().prop_map(Step::Drop),
    ]
}

proptest! {
    /// Against a model that counts: each batch is a set of trees, each tree its worst class so far.
    #[test]
    fn any_history_settles_each_tree_once_with_its_worst_class(
        trees in 1u64..6,
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let seen = Arc::new(Seen::default());
        let mut batches: Vec<(Shares, Vec<u64>)> =
            (0..trees).map(|tree| (Shares::open(ticket(tree), seen.clone()), vec![tree])).collect();
        let mut worst: Vec<Option<Class>> = vec![None; trees as usize];
        let mut blame = |of: &[u64], class: Class| for &tree in of {
            worst[tree as usize] = worst[tree as usize].max(Some(class));
        };
        for step in steps {
            if batches.is_empty() {
                break;
            }
            let count = batches.len();
            match step {
                Step::Split(at) => {
                    let (shares, of) = &batches[at.index(count)];
                    let part = (shares.split(), of.clone());
                    batches.push(part);
                }
                Step::Join(a, b) => {
                    let (a, b) = (a.index(count), b.index(count));
                    if a != b {
                        let (mut into, mut of) = std::mem::take(&mut batches[a]);
                        into.join(&batches[b].0);
                        of.extend(batches[b].1.iter().copied());
                        of.sort_unstable();
                        of.dedup();
                        prop_assert_eq!(into.len(), of.len());
                        batches[a] = (into, of);
                    }
                }
                Step::Ack(at) => batches.swap_remove(at.index(count)).0.ack(),
                Step::Fail(at, class) => {
                    let (shares, of) = batches.swap_remove(at.index(count));
                    blame(&of, class);
                    shares.fail(class);
                }
                Step::Drop(at) => {
                    let (shares, of) = batches.swap_remove(at.index(count));
                    blame(&of, Class::Retryable);
                    drop(shares);
                }
            }
            let open: std::collections::BTreeSet<u64> = batches.iter().flat_map(|(_, of)| of.clone()).collect();
            let settled: Vec<u64> = seen.sorted().into_iter().map(|(tree, _)| tree).collect();
            let expected: Vec<u64> = (0..trees).filter(|tree| !open.contains(tree)).collect();
            prop_assert_eq!(settled, expected);
        }
        for (shares, _) in batches {
            shares.ack();
        }
        let expected: Vec<_> = (0..trees).map(|tree| (tree, worst[tree as usize])).collect();
        prop_assert_eq!(seen.sorted(), expected);
    }
}
