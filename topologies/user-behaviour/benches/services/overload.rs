//! What the query service still does when it is asked for three times as much as it can.
//!
//! The load, the service and its stores share the cores here, so an overload of the cores would measure the load. What is
//! overloaded is the service's own bound: at most so many requests at once, each of which waits for a Redis that is far
//! away.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::http::{Request, StatusCode};
use bytes::Bytes;
use http_body_util::Full;
use serde_json::json;
use squall::testing::proxy::{Fault, FaultProxy};

use super::common::{number, wanted};
use super::load::{Load, Outcome, Work};
use super::process::Process;
use super::users::{Lists, User, Users};
use super::world::{Place, World};

pub(crate) const NAME: &str = "query-overload";
const USERS: usize = 2000;
const REPEATS: u64 = 3;
/// Requests at work at once, and those that may wait, for how long.
const AT_ONCE: usize = 16;
const WAITING: usize = 16;
const WAIT_MS: u64 = 50;
/// How far away Redis is, there and back.
const FAR: Duration = Duration::from_millis(10);
/// As many times what it can.
const TIMES: f64 = 3.0;
/// Enough that the load never waits for one: what is refused or answered takes less than 100 ms.
const CONNECTIONS: usize = 400;
/// Of each load, unless `BENCH_SECONDS` says otherwise.
const SECONDS: u64 = 10;

/// In the answer to what is refused for want of room.
const SHED: &[u8] = b"there are more requests than this service can answer in time";

/// Lists, some of which are refused.
struct Judged {
    lists: Lists,
    answered: AtomicU64,
    refused: AtomicU64,
}

impl Work for Judged {
    type Asked = &'static User;

    fn ask(&self) -> (Request<Full<Bytes>>, &'static User) {
        self.lists.ask()
    }

    fn judge(&self, user: &'static User, status: StatusCode, body: &Bytes) {
        // Not what a store that does not answer would be.
        let shed = || body.windows(SHED.len()).any(|part| part == SHED);
        if status == StatusCode::SERVICE_UNAVAILABLE && shed() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        } else {
            self.lists.judge(user, status, body);
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What one load brought.
struct Brought {
    answered_per_s: f64,
    refused: u64,
    outcome: Outcome,
}

impl Brought {
    fn of(work: &Judged, outcome: Outcome) -> Self {
        let answered = work.answered.load(Ordering::Relaxed);
        assert_eq!(work.lists.counts(), [0, 0], "lists that Redis did not give whole");
        let answered_per_s = answered as f64 / outcome.took.as_secs_f64();
        Self { answered_per_s, refused: work.refused.load(Ordering::Relaxed), outcome }
    }
}

pub(crate) fn run(world: &mut World) {
    if !wanted(NAME) {
        return;
    }
    let place = world.place("overload");
    let parts = world.open(&place);
    // For as long as the program runs.
    let users: &'static Users = Box::leak(Box::new(world.runtime.block_on(Users::load(&parts, USERS, 0))));
    let redis = world.redis.socket_address().expect("an address with a port");
    let far = FaultProxy::start(redis);
    let place = Place { redis: far.reroute(&place.redis), ..place };
    let bounds = [("max_in_flight", AT_ONCE as u64), ("max_waiting", WAITING as u64), ("max_wait_ms", WAIT_MS)];
    let bounds = bounds.map(|(name, value)| format!("query.shed.{name}={value}"));
    let overrides = [place.overrides(), bounds.to_vec()].concat();
    let seconds = number("BENCH_SECONDS").unwrap_or(SECONDS).max(1);
    let repeats = number("BENCH_REPEATS").unwrap_or(REPEATS).max(1) as usize;
    let mut ratios = Vec::new();
    for _ in 0..repeats {
        let process = Process::ours("query", &overrides);
        let address = process.address("query");
        far.set(Fault::None);
        world.runtime.block_on(users.make_known(AT_ONCE, address));
        far.set(Fault::Delay { requests: FAR / 2, replies: FAR / 2 });
        let judged = || Arc::new(Judged { lists: Lists::new(users, 0), answered: 0.into(), refused: 0.into() });
        let peak = world.runtime.block_on(async {
            let work = judged();
            // As many at once as it does at once: nobody waits, and nobody is refused.
            let most = (AT_ONCE as f64 / FAR.as_secs_f64()) as u64;
            let outcome = Load { connections: AT_ONCE, requests: most * seconds }.closed(&work, address).await;
            Brought::of(&work, outcome)
        });
        assert_eq!(peak.refused, 0, "the service refused what it has room for");
        let rate = TIMES * peak.answered_per_s;
        let over = world.runtime.block_on(async {
            let work = judged();
            let load = Load { connections: CONNECTIONS, requests: (rate * seconds as f64) as u64 };
            let outcome = load.open(&work, address, rate).await;
            Brought::of(&work, outcome)
        });
        process.stop();
        let ratio = over.answered_per_s / peak.answered_per_s;
        eprintln!(
            "{NAME}  alone {:.0}/s; of {rate:.0}/s it answers {:.0} ({ratio:.3}) and refuses {}; either took {}",
            peak.answered_per_s,
            over.answered_per_s,
            over.refused,
            over.outcome.latencies.text(),
        );
        ratios.push((ratio, peak, rate, over));
    }
    ratios.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ratio, peak, rate, over) = &ratios[repeats / 2];
    println!(
        "{}",
        json!({
            "bench": NAME,
            "peak_per_s": peak.answered_per_s.round(),
            "offered_per_s": rate.round(),
            "goodput_per_s": over.answered_per_s.round(),
            "ratio": (ratio * 1000.0).round() / 1000.0,
            "ratio_min": (ratios[0].0 * 1000.0).round() / 1000.0,
            "ratio_max": (ratios[repeats - 1].0 * 1000.0).round() / 1000.0,
            "refused": over.refused,
            "answered_or_refused_ms": over.outcome.latencies.json(),
            "repeats": repeats,
        })
    );
}
