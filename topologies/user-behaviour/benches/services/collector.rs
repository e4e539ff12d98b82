//! Posts until Kafka has acknowledged them: the collector beside axum, serde and librdkafka.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use super::common::{Figures, number, wanted};
use super::cpu::cpu;
use super::latency::{Compared, Counts};
use super::load::Load;
use super::posts::Posts;
use super::process::Process;
use super::world::{World, held};

/// Connections of the load as fast as the answers come, and of that at a rate.
const CONNECTIONS: usize = 64;
const OPEN_CONNECTIONS: usize = 32;
/// Posts before anything is measured.
const WARM: u64 = 500;
const REPEATS: usize = 5;
/// Seconds at a rate, unless `BENCH_SECONDS` says otherwise.
const SECONDS: u64 = 10;

/// What is posted, and how fast.
struct Shape {
    name: &'static str,
    /// Records of a post.
    records: usize,
    /// Posts of a closed loop, unless `BENCH_RECORDS` says how many records.
    posts: u64,
    /// Posts a second at a rate: about a quarter of what is possible.
    rate: u64,
}

const SHAPES: [Shape; 2] = [
    Shape { name: "collector-1", records: 1, posts: 60_000, rate: 1000 },
    Shape { name: "collector-64", records: 64, posts: 24_000, rate: 300 },
];

#[derive(Debug, Clone, Copy)]
enum Side {
    Ours,
    Bare,
}

/// A side's run: how long its closed loop took, and its latencies at a rate.
struct Bench<'w> {
    world: &'w mut World,
    shape: Shape,
    posts: Option<Posts>,
    closed: u64,
    open: u64,
    latency: Compared,
}

pub(crate) fn run(world: &mut World) {
    for shape in SHAPES.into_iter().filter(|shape| wanted(shape.name)) {
        let closed = number("BENCH_RECORDS").map_or(shape.posts, |records| records / shape.records as u64).max(1);
        let open = shape.rate * number("BENCH_SECONDS").unwrap_or(SECONDS).max(1);
        let (name, records) = (shape.name, closed * shape.records as u64);
        let posts = Some(Posts::make(WARM + closed + open, shape.records));
        let latency = Compared::new(name, shape.rate as f64);
        let bench = RefCell::new(Bench { world, shape, posts, closed, open, latency });
        for side in [Side::Ours, Side::Bare] {
            bench.borrow_mut().side(side, Counts::No);
        }
        let figures = Figures::measure(
            name,
            records,
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
        let place = self.world.place("collector");
        let log = self.world.log(&place);
        self.world.runtime.block_on(log.create_topic(&place.topic())).expect("a new topic");
        let process = match side {
            Side::Ours => Process::ours("collector", &place.overrides()),
            Side::Bare => Process::bare(&["bare-collector", &place.kafka, &place.name]),
        };
        let posts = Arc::new(self.posts.take().expect("it is put back").again());
        let address = process.address("collector");
        let load = |connections, requests| Load { connections, requests };
        let (closed, open, used) = self.world.runtime.block_on(async {
            load(CONNECTIONS, WARM).closed(&posts, address).await;
            let open = load(OPEN_CONNECTIONS, self.open).open(&posts, address, self.shape.rate as f64).await;
            let before = cpu(Some(process.id()));
            let closed = load(CONNECTIONS, self.closed).closed(&posts, address).await;
            (closed, open, cpu(Some(process.id())).saturating_sub(before))
        });
        process.stop();
        let promised = posts.promised();
        let held = self.world.runtime.block_on(async {
            let held = held(&*log, &place.name).await;
            log.delete_topic(&place.name).await.expect("Kafka answers");
            held
        });
        assert_eq!(held, promised, "records in the topic, of those that were promised by {side:?}");
        let records = self.closed * self.shape.records as u64;
        eprintln!(
            "{side:?}{}  {:>7.0} records/s, {:.2} µs of CPU a record; a post took {}; at {}/s {}",
            counts.text(),
            records as f64 / closed.took.as_secs_f64(),
            used.as_secs_f64() * 1e6 / records as f64,
            closed.latencies.text(),
            self.shape.rate,
            open.latencies.text(),
        );
        match (counts, side) {
            (Counts::No, _) => {}
            (Counts::Yes, Side::Ours) => self.latency.ours.push(open.latencies),
            (Counts::Yes, Side::Bare) => self.latency.bare.push(open.latencies),
        }
        self.posts = Arc::into_inner(posts);
        closed.took
    }
}
