//! The topology as it is, until it has consumed everything.

use std::time::Duration;

use squall::runtime::{Options, Report, start};
use user_behaviour::topology::build;

use super::common::timed;
use super::data::Data;
use super::lab::{Lab, Run};

pub(crate) fn run(lab: &mut Lab, data: &Data) -> Duration {
    lab.measure("squall", data, |run| {
        let mut report = None;
        let took = timed(|| report = Some(run.runtime.block_on(topology(run))));
        let report = report.expect("it was set");
        assert_eq!(report.exit_code(), 0, "{:?} {:?}", report.ended, report.incidents);
        explain(&report);
        took
    })
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
