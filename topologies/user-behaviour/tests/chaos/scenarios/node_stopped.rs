//! 7: SIGSTOP to one of three nodes of Redis for 60 s, while records are written and lists are read. Nobody whose list is
//! on another node notices, those of this one are answered from the rows, and what is parked for it is stored afterwards.

use std::time::Duration;

use crate::args::Form;
use crate::outcome::Outcome;
use crate::probe::Phase;
use crate::queries::Queries;
use crate::servers::Lab;
use crate::stage::{Plan, Stage};

/// How much slower answers may become.
const SLOWER: f64 = 2.0;
/// The node with the fault.
const NODE: usize = 1;

pub(super) async fn run(lab: &mut Lab) -> Outcome {
    let (form, mut outcome) = (lab.form, Outcome::default());
    let plan = Plan { workers: 2, nodes: 3, ..Plan::new("chaos7", form.pick(300, 1000)) };
    let stage = Stage::open(lab, plan).await;
    let service = stage.query_service();
    let users = stage.users_of(NODE).await;
    let on_node = users.iter().filter(|(_, there)| *there).count();
    let mut queries = Queries::start(&service.url, users, form.pick(100, 500));
    let time = form.pick(Duration::from_secs(10), Duration::from_secs(60));
    // So that what the service learns once about its users is not part of the baseline.
    stage.flow(Phase::Before, time / 2).await;
    queries.phase(Phase::After);
    stage.flow(Phase::Before, Duration::from_secs(1)).await;
    queries.phase(Phase::Before);
    stage.flow(Phase::Before, time).await;
    let (asked, done) = (queries.count(Phase::Before), stage.watch.now().await.done());
    lab.servers().await.ring(3).await[NODE].suspend().unwrap();
    outcome.fault(asked > 0 && done > 0 && on_node > 0);
    queries.phase(Phase::During);
    stage.flow(Phase::During, time).await;
    outcome.set("waiting_during", stage.waiting().await);
    let grew = stage.watch.now().await.done() > done;
    outcome.demand(grew, "nothing was committed while the node hung");
    lab.servers().await.ring(3).await[NODE].resume().unwrap();
    queries.phase(Phase::After);
    stage.flow(Phase::After, time / 2).await;
    queries.stop().await;
    for (name, phase) in [("before", Phase::Before), ("during", Phase::During), ("after", Phase::After)] {
        outcome.set(&format!("queries_{name}"), queries.figure(phase));
    }
    let ratio = queries.p99_us(Phase::During) as f64 / queries.p99_us(Phase::Before).max(1) as f64;
    outcome.set("query_p99_ratio", (ratio * 100.0).round() / 100.0);
    outcome.demand(form == Form::Short || ratio <= SLOWER, format!("answers took {ratio:.2} times as long"));
    let (failed, example) = queries.failed_elsewhere();
    outcome.demand(failed == 0, format!("{failed} questions of other nodes failed, as {example:?}"));
    service.stop(&mut outcome);
    stage.conclude(&mut outcome).await;
    outcome
}
