//! The topology as it is, until it has consumed everything: as the group's only worker, or at a backfill of all of it.

use std::time::Duration;

use squall::control::backfill::{Backfills, Bound, Draft, State};
use squall::guard::Clock;
use squall::runtime::{Options, Report, start};
use user_behaviour::topology::build;

use super::common::timed;
use super::data::Data;
use super::lab::{Lab, Reads, Run};

pub(crate) fn run(lab: &mut Lab, data: &Data) -> Duration {
    lab.measure("squall", data, Reads::AsGroup, |run| judged(run, topology(run)))
}

/// The same records as a backlog that a backfill brings, with all of the stores' time for its share.
pub(crate) fn catch_up(lab: &mut Lab, data: &Data) -> Duration {
    lab.measure("squall", data, Reads::AsBackfill, |run| {
        let backfills = Backfills::new(run.parts.broker.clone(), &run.config.name, Clock::wall());
        let whole = Draft::new(&data.topic, Bound::Earliest, Bound::Latest, "benchmark");
        let draft = Draft { share: 1.0, ..whole };
        let job = run.runtime.block_on(backfills.create(&draft)).expect("a valid job").id;
        let took = judged(run, backfill(run, &job));
        let status = run.runtime.block_on(backfills.show(&job)).expect("Kafka answers");
        assert_eq!((status.state, status.done), (State::Finished, data.records));
        took
    })
}

fn judged(run: &Run, side: impl Future<Output = Report>) -> Duration {
    let mut report = None;
    let took = timed(|| report = Some(run.runtime.block_on(side)));
    let report = report.expect("it was set");
    assert_eq!(report.exit_code(), 0, "{:?} {:?}", report.ended, report.incidents);
    explain(&report);
    took
}

async fn backfill(run: &Run, job: &str) -> Report {
    let Run { config, parts, .. } = run;
    let mut wiring = config.wiring_alone().expect("a valid configuration");
    wiring.backfill.only = Some(job.to_owned());
    let topology = build(parts, wiring).expect("a producer").backfill;
    let mut settings = config.topology.clone();
    // The spout of the live stream is not in it.
    settings.operators.retain(|name, _| name != "behaviour");
    start(topology, &settings, Options::default()).expect("a valid topology").wait().await
}

async fn topology(run: &Run) -> Report {
    let Run { config, parts, .. } = run;
    let mut wiring = config.wiring_alone().expect("a valid configuration");
    wiring.source.bounded = true;
    let topology = build(parts, wiring).expect("a producer").main;
    start(topology, &config.topology, Options::default()).expect("a valid topology").wait().await
}

/// Where the time went. A sink is busy while it waits for its store.
fn explain(report: &Report) {
    for operator in report.snapshot.operators.iter().filter(|operator| operator.execute.count > 0) {
        let calls = operator.execute.count;
        eprintln!(
            "       {:<12} {:>3.0} % busy, {calls} calls of {:.0} rows, p50 {:.1} ms, waited p50 {:.1} ms",
            operator.operator,
            operator.capacity * 100.0,
            operator.tuples_in as f64 / calls as f64,
            operator.execute.p50_ns as f64 / 1e6,
            operator.queue.p50_ns as f64 / 1e6,
        );
    }
    for spout in &report.snapshot.spouts {
        let complete = spout.complete;
        eprintln!(
            "       {:<12} {} runs, from pulled to stored p50 {:.1} ms, p99 {:.1} ms",
            spout.spout,
            spout.acked,
            complete.p50_ns as f64 / 1e6,
            complete.p99_ns as f64 / 1e6,
        );
    }
}
