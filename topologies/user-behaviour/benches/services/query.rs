//! Lists of users: the query service beside axum, redis-rs and sqlx.
//!
//! A user whom Redis lacks is asked for once. The service reads more of such a user than the page, and brings it back into
//! Redis beside the requests; the bare server does neither.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;

use super::common::{Figures, number, wanted};
use super::cpu::cpu;
use super::latency::{Compared, Counts};
use super::load::Load;
use super::process::Process;
use super::users::{Lists, Users, evict, misses};
use super::world::{Place, World};

/// Users in Redis.
const HOT: usize = 5000;
/// Requests before anything is measured.
const WARM: u64 = 2000;
const REPEATS: usize = 5;
/// Requests a second at a rate, over how many connections, and seconds unless `BENCH_SECONDS` says otherwise.
const RATE: u64 = 1000;
const OPEN_CONNECTIONS: usize = 32;
const SECONDS: u64 = 20;
/// Users a second whom Redis lacks need MySQL, of which the service bounds the calls under way: no more connections than
/// that many, for what is over the bound is answered without MySQL, and would be another work.
const MISS_CONNECTIONS: usize = 8;

struct Shape {
    name: &'static str,
    /// In a hundred.
    misses: u64,
    connections: usize,
    /// Requests of a closed loop, unless `BENCH_RECORDS` says otherwise.
    requests: u64,
}

const SHAPES: [Shape; 4] = [
    Shape { name: "query-hit", misses: 0, connections: 32, requests: 60_000 },
    Shape { name: "query-miss1", misses: 1, connections: MISS_CONNECTIONS, requests: 40_000 },
    Shape { name: "query-miss10", misses: 10, connections: MISS_CONNECTIONS, requests: 30_000 },
    Shape { name: "query-miss50", misses: 50, connections: MISS_CONNECTIONS, requests: 15_000 },
];

#[derive(Debug, Clone, Copy)]
enum Side {
    Ours,
    Bare,
}

struct Bench<'w> {
    world: &'w mut World,
    place: &'w Place,
    users: &'static Users,
    redis: MultiplexedConnection,
    shape: Shape,
    closed: u64,
    open: u64,
    latency: Compared,
}

pub(crate) fn run(world: &mut World) {
    let shapes: Vec<_> = SHAPES.into_iter().filter(|shape| wanted(shape.name)).collect();
    if shapes.is_empty() {
        return;
    }
    let open = RATE * number("BENCH_SECONDS").unwrap_or(SECONDS).max(1);
    let closed = |shape: &Shape| number("BENCH_RECORDS").unwrap_or(shape.requests).max(1);
    let cold = shapes.iter().map(|shape| misses(WARM + open + closed(shape), shape.misses) + 1).max();
    let place = world.place("query");
    let parts = world.open(&place);
    // For as long as the program runs.
    let users = world.runtime.block_on(Users::load(&parts, HOT, cold.unwrap_or_default() as usize));
    let users: &'static Users = Box::leak(Box::new(users));
    let redis = world.runtime.block_on(async {
        let client = redis::Client::open(world.redis.url()).expect("a valid URL");
        client.get_multiplexed_async_connection().await.expect("Redis answers")
    });
    for shape in shapes {
        let (name, closed, redis) = (shape.name, closed(&shape), redis.clone());
        let latency = Compared::new(name, RATE as f64);
        let (world, place) = (&mut *world, &place);
        let bench = RefCell::new(Bench { world, place, users, redis, shape, closed, open, latency });
        for side in [Side::Ours, Side::Bare] {
            bench.borrow_mut().side(side, Counts::No);
        }
        let figures = Figures::measure(
            name,
            closed,
            REPEATS,
            || bench.borrow_mut().side(Side::Ours, Counts::Yes),
            || bench.borrow_mut().side(Side::Bare, Counts::Yes),
        );
        figures.report();
        bench.borrow().latency.report();
    }
}

impl Bench<'_> {
    fn side(&mut self, side: Side, counts: Counts) -> Duration {
        let place = self.place;
        let process = match side {
            Side::Ours => Process::ours("query", &place.overrides()),
            Side::Bare => Process::bare(&["bare-query", &place.redis, &place.name, &place.mysql]),
        };
        let lists = Arc::new(Lists::new(self.users, self.shape.misses));
        let address = process.address("query");
        let (connections, open) =
            (self.shape.connections, Load { connections: OPEN_CONNECTIONS, requests: self.open });
        let load = |requests| Load { connections, requests };
        let (closed, open, used) = self.world.runtime.block_on(async {
            self.users.make_known(OPEN_CONNECTIONS, address).await;
            load(WARM).closed(&lists, address).await;
            let open = open.open(&lists, address, RATE as f64).await;
            let before = cpu(Some(process.id()));
            let closed = load(self.closed).closed(&lists, address).await;
            (closed, open, cpu(Some(process.id())).saturating_sub(before))
        });
        // Whatever it brings back into Redis ends with it.
        process.stop();
        self.world.runtime.block_on(evict(&mut self.redis, &place.name));
        let ([from_mysql, partial], misses) = (lists.counts(), lists.misses());
        assert!(from_mysql + partial >= misses, "{misses} were not in Redis, {from_mysql} came from MySQL");
        eprintln!(
            "{side:?}{}  {:>7.0} requests/s, {:.1} µs of CPU a request; one took {}; at {RATE}/s {}; \
             {misses} missed, {from_mysql} from MySQL, {partial} in part",
            counts.text(),
            self.closed as f64 / closed.took.as_secs_f64(),
            used.as_secs_f64() * 1e6 / self.closed as f64,
            closed.latencies.text(),
            open.latencies.text(),
        );
        match (counts, side) {
            (Counts::No, _) => {}
            (Counts::Yes, Side::Ours) => self.latency.ours.push(open.latencies),
            (Counts::Yes, Side::Bare) => self.latency.bare.push(open.latencies),
        }
        closed.took
    }
}
