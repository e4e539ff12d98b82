#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::sync::Mutex;

use super::Class;
use super::ack::{Failure, Ledger, Shares, Ticket};

struct Seen(Mutex<Vec<Option<Class>>>);

impl Ledger for Seen {
    fn settled(&self, _: Ticket, failed: Option<Failure>) {
        self.0.lock().unwrap().push(failed.map(|failure| failure.class));
    }

    fn name(&self) -> &str {
        "seen"
    }
}

fn explore(finish: fn(Shares), expected: Option<Class>) {
    loom::model(move || {
        let seen = std::sync::Arc::new(Seen(Mutex::default()));
        let root = Shares::open(Ticket { partition: 0, epoch: 0, end: 1, serial: 1 }, seen.clone());
        let (a, b) = (root.split(), root.split());
        let first = loom::thread::spawn(move || {
            let part = a.split();
            a.ack();
            part.ack();
        });
        let second = loom::thread::spawn(move || finish(b));
        root.ack();
        first.join().unwrap();
        second.join().unwrap();
        assert_eq!(*seen.0.lock().unwrap(), [expected]);
    });
}

#[test]
fn all_acked_in_any_order_is_acked_once() {
    explore(Shares::ack, None);
}

#[test]
fn a_drop_in_any_order_is_seen() {
    explore(drop, Some(Class::Retryable));
}

#[test]
fn a_failure_in_any_order_is_seen() {
    explore(|shares| shares.fail(Class::Poison), Some(Class::Poison));
}
