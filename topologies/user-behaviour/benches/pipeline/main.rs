//! Kafka → timelines in Redis and rows in MariaDB: the topology beside a bare loop that makes the same calls.
//!
//! `cargo bench -p user-behaviour --bench pipeline`, or one of it with `BENCH=pipeline-zipf`. `BENCH_RECORDS` records, in
//! 4 partitions. It starts its own servers unless the environment names some. Every run has a group, a database and
//! keys of its own, and counts only once the stores are proved to hold what they must.

mod bare;
#[path = "../../../../benches/common/mod.rs"]
mod common;
mod data;
mod lab;
mod ours;
mod proof;

use common::{Figures, number, wanted};
use lab::Lab;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Records of a run, unless `BENCH_RECORDS` says otherwise.
const RECORDS: u64 = 300_000;
/// Times that each side is run.
const REPEATS: usize = 3;

/// Names, and the exponents of the distributions of their users.
const BENCHES: [(&str, f64); 2] = [("pipeline-uniform", 0.0), ("pipeline-zipf", 1.0)];

fn main() {
    let benches: Vec<_> = BENCHES.into_iter().filter(|(name, _)| wanted(name)).collect();
    if benches.is_empty() {
        return;
    }
    let mut lab = Lab::start();
    for (name, skew) in benches {
        let records = number("BENCH_RECORDS").unwrap_or(RECORDS);
        let data = lab.load(name, records, skew);
        let lab = std::cell::RefCell::new(&mut lab);
        let ours = || ours::run(&mut lab.borrow_mut(), &data);
        let bare = || bare::run(&mut lab.borrow_mut(), &data);
        Figures::measure(name, records, REPEATS, ours, bare).report();
    }
}
