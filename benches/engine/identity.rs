//! Spout → bolt → null, with acks, the bolt in a task of its own.

use std::sync::atomic::Ordering;

use crossbeam::channel::bounded;
use squall::{Bolt, Emitter, Halt, Result, Topology};

use super::common::{Figures, timed};
use super::ingredients::{Made, Null, REPEATS, run as run_topology};

const TUPLES: u64 = 60_000_000;
const BATCH: usize = 512;

/// Emits what it takes.
#[derive(Clone)]
struct Same;

impl Bolt for Same {
    type In = u64;
    type Out = u64;

    async fn execute(&mut self, tuple: &u64, out: &mut Emitter<u64>) -> Result<()> {
        out.emit(*tuple);
        Ok(())
    }
}

/// The same, with the batch method overridden.
#[derive(Clone)]
struct SameBatch;

impl Bolt for SameBatch {
    type In = u64;
    type Out = u64;

    async fn execute(&mut self, tuple: &u64, out: &mut Emitter<u64>) -> Result<()> {
        out.emit(*tuple);
        Ok(())
    }

    async fn execute_batch(&mut self, rows: &[u64], out: &mut Emitter<u64>) -> Result<(), Halt> {
        for row in rows {
            out.emit(*row);
        }
        Ok(())
    }
}

pub(crate) fn run() {
    let spout = || Made { at: 0, end: TUPLES, make: |n| n };
    let with = |build: &dyn Fn(&Topology, Null<u64>)| {
        timed(|| {
            let (t, null) = (Topology::new("identity"), Null::new());
            build(&t, null.clone());
            run_topology(t);
            assert_eq!(null.0.load(Ordering::Relaxed), TUPLES);
        })
    };
    let own_task =
        || with(&|t, null| t.spout("n", spout()).shuffle().bolt("same", Same).shuffle().sink("null", null));
    let own_task_batch =
        || with(&|t, null| t.spout("n", spout()).shuffle().bolt("same", SameBatch).shuffle().sink("null", null));
    let chained = || with(&|t, null| t.spout("n", spout()).bolt("same", Same).shuffle().sink("null", null));
    let fused = || with(&|t, null| t.spout("n", spout()).map(std::hint::black_box).shuffle().sink("null", null));
    Figures::measure("identity", TUPLES, REPEATS, own_task, bare).report();
    Figures::measure("identity-batch", TUPLES, REPEATS, own_task_batch, bare).report();
    Figures::measure("identity-chained", TUPLES, REPEATS, chained, bare).report();
    Figures::measure("identity-fused", TUPLES, REPEATS, fused, bare).report();
}

/// Two threads and a channel of batches: one makes and copies each tuple through the identity, one counts.
fn bare() -> std::time::Duration {
    timed(|| {
        let (sender, receiver) = bounded::<Vec<u64>>(16);
        let counter = std::thread::spawn(move || {
            receiver.iter().map(|batch| std::hint::black_box(batch).len() as u64).sum::<u64>()
        });
        let mut at = 0;
        while at < TUPLES {
            let to = TUPLES.min(at + BATCH as u64);
            let made: Vec<u64> = (at..to).collect();
            let mut out = Vec::with_capacity(BATCH);
            for tuple in std::hint::black_box(&made) {
                out.push(*tuple);
            }
            sender.send(out).expect("the counter lives");
            at = to;
        }
        drop(sender);
        assert_eq!(counter.join().expect("it does not panic"), TUPLES);
    })
}
