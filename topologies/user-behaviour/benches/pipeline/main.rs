//! Kafka → timelines in Redis and rows in MariaDB: the topology beside a bare loop that makes the same calls. `catch-up`
//! is a backfill of the whole topic beside that loop.
//!
//! `cargo bench -p user-behaviour --bench pipeline`, or one of it with `BENCH=pipeline-zipf`. `BENCH_RECORDS` records, in
//! 4 partitions. It starts its own servers unless the environment names some. Every run has a group, a database and
//! keys of its own, and counts only once the stores are proved to hold what they must.

mod bare;
#[path = "../../../../benches/common/mod.rs"]
mod common;
#[path = "../shared/cpu.rs"]
mod cpu;
mod data;
mod lab;
mod ours;
mod proof;

use std::time::Duration;

use common::{Figures, number, wanted};
use lab::Lab;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Records of a run, unless `BENCH_RECORDS` says otherwise.
const RECORDS: u64 = 300_000;
/// Times that each side is run.
const REPEATS: usize = 3;

/// What squall does with the records of a topic; how long that took.
type Side = fn(&mut Lab, &data::Data) -> Duration;

/// Names, the exponents of the distributions of their users, and our side.
const BENCHES: [(&str, f64, Side); 3] =
    [("pipeline-uniform", 0.0, ours::run), ("pipeline-zipf", 1.0, ours::run), ("catch-up", 1.0, ours::catch_up)];

fn main() {
    let benches: Vec<_> = BENCHES.into_iter().filter(|(name, ..)| wanted(name)).collect();
    if benches.is_empty() {
        return;
    }
    let mut lab = Lab::start();
    for (name, skew, side) in benches {
        let records = number("BENCH_RECORDS").unwrap_or(RECORDS);
        let data = lab.load(name, records, skew);
        let lab = std::cell::RefCell::new(&mut lab);
        let ours = || side(&mut lab.borrow_mut(), &data);
        let bare = || bare::run(&mut lab.borrow_mut(), &data);
        Figures::measure(name, records, REPEATS, ours, bare).report();
    }
}
