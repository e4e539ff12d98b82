//! The two services, each beside a bare server that does the same, and both with the topology between them.
//!
//! | `BENCH` | what |
//! | --- | --- |
//! | `collector-1`, `collector-64` | posts of as many records until Kafka has acknowledged them |
//! | `query-hit`, `query-miss1`, `query-miss10`, `query-miss50` | lists of users of whom so many in a hundred are not in Redis |
//! | `query-overload` | lists of users at three times the rate that the service can, by its bound of requests at once |
//! | `freshness` | records at two billion a day, from their post's answer until the query service shows them |
//!
//! `cargo bench -p user-behaviour --bench services`, or one of it, or `collector` or `query`, with `BENCH`. `BENCH_RECORDS`
//! requests or records of a closed loop, `BENCH_SECONDS` at a rate, `BENCH_REPEATS` of each side, after one that warms the
//! servers and does not count. At a rate, latencies count from when a request was due. The services are processes of their
//! own; the servers are started here unless the environment names some. A wrong answer and a record that is lost are panics.

mod bare;
mod collector;
#[allow(dead_code, reason = "each benchmark uses a part of it")]
#[path = "../../../../benches/common/mod.rs"]
mod common;
#[path = "../shared/cpu.rs"]
mod cpu;
mod freshness;
mod latency;
mod load;
mod overload;
mod posts;
mod process;
mod query;
mod users;
mod world;

use common::wanted;
use world::World;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NAMES: [&str; 8] = [
    "collector-1",
    "collector-64",
    "query-hit",
    "query-miss1",
    "query-miss10",
    "query-miss50",
    overload::NAME,
    "freshness",
];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if bare::become_one(&args).is_some() || !NAMES.into_iter().any(wanted) {
        return;
    }
    let mut world = World::start();
    collector::run(&mut world);
    query::run(&mut world);
    overload::run(&mut world);
    freshness::run(&mut world);
}
