//! 8: one of three nodes of Redis loses all that it has, while records are written. One pass of reads through the query
//! service brings the lists of its users back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use squall::store::Timelines;
use tokio::task::JoinSet;
use tokio::time::sleep;
use user_behaviour::open::open_timelines;

use crate::outcome::Outcome;
use crate::probe::Phase;
use crate::servers::{Lab, kept};
use crate::stage::{Plan, Stage};

/// The node with the fault.
const NODE: usize = 1;
/// Lists that are read at a time.
const READERS: usize = 4;
/// Share of the lists that a pass has to bring back.
const REPAIRED: f64 = 0.999;
/// How long repairs may go on after the last answer.
const SETTLE: Duration = Duration::from_secs(60);
/// More than any list holds.
const ALL: usize = 10_000;

pub(super) async fn run(lab: &mut Lab) -> Outcome {
    let (form, mut outcome) = (lab.form, Outcome::default());
    let plan = Plan {
        workers: 2,
        nodes: 3,
        users: form.pick(600, 5000),
        // The rows remember the newest version of a record alone, and so not when its first one occurred.
        revised: 0.0,
        // More than the busiest user has: what is beyond is not in a profile again.
        overrides: vec!["query.repair_rows=100000".to_owned()],
        ..Plan::new("chaos8", form.pick(500, 2000))
    };
    let mut stage = Stage::open(lab, plan).await;
    let service = stage.query_service();
    stage.flow(Phase::Before, form.pick(Duration::from_secs(10), Duration::from_secs(60))).await;
    let lag = stage.make_busy(form.pick(500, 2000)).await;
    lab.servers().await.ring(3).await[NODE].wipe().await.unwrap();
    outcome.fault(lag > 0);
    stage.flow(Phase::During, form.pick(Duration::from_secs(5), Duration::from_secs(20))).await;
    // What is written while it is counted would only blur the count.
    stage.quiet().await;
    let users = stage.users_of(NODE).await.into_iter().filter(|(_, there)| *there);
    let users: Vec<String> = users.map(|(user, _)| user).collect();
    let timelines = open_timelines(&stage.config, &stage.dir).await.unwrap();
    let kept = kept(stage.config.rows.mysql.url.expose()).await;
    let (short, _) = lacking(&*timelines, &users, &kept).await;
    outcome.set("users_of_the_node", users.len());
    outcome.set("lists_short_after_the_wipe", short);
    outcome.demand(short > users.len() as u64 / 2, "the node had lost next to nothing");
    let began = Instant::now();
    read_all(&service.url, &users).await;
    outcome.set_seconds("pass_took_s", Some(began.elapsed()));
    let (mut left, mut example) = lacking(&*timelines, &users, &kept).await;
    let began = Instant::now();
    while left > 0 && began.elapsed() < SETTLE {
        sleep(Duration::from_secs(1)).await;
        (left, example) = lacking(&*timelines, &users, &kept).await;
    }
    let repaired = 1.0 - left as f64 / users.len().max(1) as f64;
    outcome.set("repaired", repaired);
    outcome.set_seconds("repairs_settled_s", Some(began.elapsed()));
    outcome.demand(repaired >= REPAIRED, format!("{left} lists are not repaired, as that of {example:?}"));
    service.stop(&mut outcome);
    // The rules of the verifier: exactly these entries, and profiles that count everything once.
    stage.conclude(&mut outcome).await;
    outcome
}

/// Reads the whole list of each user once.
async fn read_all(url: &str, users: &[String]) {
    let (client, mut readers) = (reqwest::Client::new(), JoinSet::new());
    for share in users.chunks(users.len().div_ceil(READERS).max(1)) {
        let (client, url, share) = (client.clone(), url.to_owned(), share.to_vec());
        readers.spawn(async move {
            for user in share {
                let answer =
                    client.get(format!("{url}/v1/users/{user}/behaviours?limit=200")).send().await.unwrap();
                assert_eq!(answer.status(), 200, "{user}");
            }
        });
    }
    readers.join_all().await;
}

/// How many of these users' timelines hold fewer entries than they must, and one of them.
async fn lacking(
    timelines: &dyn Timelines,
    users: &[String],
    kept: &BTreeMap<String, u64>,
) -> (u64, Option<String>) {
    let (mut lacking, mut example) = (0, None);
    for user in users {
        if (timelines.timeline(user, None, ALL).await.unwrap().len() as u64) < kept[user] {
            lacking += 1;
            example.get_or_insert_with(|| user.clone());
        }
    }
    (lacking, example)
}
