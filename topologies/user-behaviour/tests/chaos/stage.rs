//! Everything that a scenario over real servers needs, and the reckoning at its end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use squall::broker::Broker;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};
use user_behaviour::open::{create_data_dir, ensure_topics, open_rows, open_timelines};
use user_behaviour::settings::Config;

use super::args::Form;
use super::ledger::Ledger;
use super::load::Load;
use super::outcome::Outcome;
use super::probe::{Phase, Probe};
use super::query_service::QueryService;
use super::servers::{Lab, row_writes, rows_and_times, users};
use super::support::cluster::{args, config};
use super::support::process::run as run_binary;
use super::support::verify::{Verdict, verify_seeing, waiting};
use super::traffic::{Mix, Traffic};
use super::watch::Watch;
use super::workers::Crew;

/// What a scenario wants.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Of its topics, group, keys and database; `[a-z0-9_]`.
    pub(crate) name: String,
    pub(crate) workers: usize,
    /// Nodes of Redis; one that all scenarios share, or a ring.
    pub(crate) nodes: usize,
    /// Records a second.
    pub(crate) rate: u64,
    pub(crate) users: u64,
    /// Shares of newer versions of recent records, and of records that no decoder takes.
    pub(crate) revised: f64,
    pub(crate) broken: f64,
    pub(crate) session: Duration,
    /// Further overrides for the workers alone: the ways through proxies.
    pub(crate) overrides: Vec<String>,
}

impl Plan {
    /// Three workers, a session of 3 s, one record in ten a newer version of a recent one, one in a thousand broken.
    pub(crate) fn new(name: &str, rate: u64) -> Self {
        Self {
            name: name.to_owned(),
            workers: 3,
            nodes: 1,
            rate,
            users: 5000,
            revised: 0.1,
            broken: 0.001,
            session: Duration::from_secs(3),
            overrides: Vec::new(),
        }
    }
}

/// A scenario in progress.
pub(crate) struct Stage {
    pub(crate) form: Form,
    pub(crate) config: Config,
    /// What the workers were told.
    pub(crate) overrides: Vec<String>,
    pub(crate) dir: PathBuf,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) crew: Crew,
    pub(crate) load: Load,
    pub(crate) watch: Watch,
    pub(crate) probe: Probe,
    ledger: Arc<Ledger>,
    /// Row writes that the server counted before the scenario; `None` once its count is no good.
    writes_before: Option<u64>,
}

/// How long the stores may take for what is left when the load ends. Only a bound: the verdict has its own.
const DRAIN: [Duration; 2] = [Duration::from_secs(90), Duration::from_secs(600)];
/// How soon the log is asked again while a moment is waited for.
const SOON: Duration = Duration::from_millis(5);
/// How long workers that have just started share the partitions out.
const SETTLE: Duration = Duration::from_secs(2);
/// How soon a store is asked again whether it has all.
const AGAIN: Duration = Duration::from_secs(1);
/// How the topics begin that the topology has for itself.
const TOPICS: &str = "squall.user-behaviour.";
/// How long the first records may take.
const START: Duration = Duration::from_secs(60);

impl Stage {
    /// Starts workers, load, watch and probe, and waits until records flow.
    pub(crate) async fn open(lab: &mut Lab, plan: Plan) -> Self {
        let dir = lab.dir().join(&plan.name);
        create_data_dir(&dir).unwrap();
        let (form, seed) = (lab.form, lab.seed);
        let mut overrides = lab.servers().await.overrides_of_ring(&plan.name, plan.nodes).await;
        overrides.push(format!("source.session_timeout_ms={}", plan.session.as_millis()));
        let mut own = overrides.clone();
        // The harness wants to know soon.
        own.extend(
            ["broker.kafka.request_timeout_ms=3000", "broker.kafka.delivery_timeout_ms=10000"].map(Into::into),
        );
        own.extend(["rows.mysql.acquire_timeout_ms=2000"].map(Into::into));
        overrides.extend(plan.overrides);
        let config = config("cluster", &own);
        let broker = config.broker.open(&dir).await.unwrap();
        forget_earlier(&*broker).await;
        ensure_topics(&*broker, &config).await.unwrap();
        let rows = open_rows(&config, &dir).await.unwrap();
        rows.migrate().await.unwrap();
        let timelines = open_timelines(&config, &dir).await.unwrap();
        let writes_before = row_writes(config.rows.mysql.url.expose()).await;
        let (ledger, topic) = (Arc::new(Ledger::default()), &config.source.topic);
        let producer = broker.producer().unwrap();
        let mix = Mix { seed, users: plan.users, revised: plan.revised, broken: plan.broken };
        let crew = Crew::start(&dir, plan.workers, overrides.clone());
        let load = Load::start(producer.clone(), topic, ledger.clone(), Traffic::new(mix), plan.rate);
        let watch = Watch::start(broker.clone(), &config.source.group, topic);
        let began = watch.until(START, |sample| sample.done() > 0).await;
        assert!(began.is_some(), "nothing was committed within {START:?}");
        // So that what is measured before the fault is not how workers start.
        let ends = watch.now().await.ends;
        watch.until(START, |sample| sample.passed(&ends)).await;
        sleep(SETTLE).await;
        let probe = Probe::start(producer, topic, (timelines, rows), ledger.clone());
        Self { form, config, overrides, dir, broker, crew, load, watch, probe, ledger, writes_before }
    }

    /// Adds a burst, and waits for a moment at which it is in the log and a good part of it is not committed; the lag.
    pub(crate) async fn make_busy(&self, records: u64) -> u64 {
        let (began, ends) = (Instant::now(), self.watch.now().await.ends);
        self.load.burst(records);
        loop {
            let sample = self.watch.now().await;
            let arrived = sample.ends.iter().sum::<u64>() >= ends.iter().sum::<u64>() + records / 2;
            if (arrived && sample.lag() >= records / 4) || began.elapsed() > START {
                return sample.lag();
            }
            sleep(SOON).await;
        }
    }

    /// Waits until all is committed that the log holds now; how long that takes.
    pub(crate) async fn recovery(&self) -> Option<Duration> {
        let ends = self.watch.now().await.ends;
        self.watch.until(self.form.pick(DRAIN[0], DRAIN[1]), |sample| sample.passed(&ends)).await
    }

    /// Waits until the rows hold all that the log has acknowledged up to now; how long that takes.
    pub(crate) async fn rows_complete(&self) -> Option<Duration> {
        let (began, (rows, times)) = (Instant::now(), self.ledger.newest());
        while began.elapsed() < self.form.pick(DRAIN[0], DRAIN[1]) {
            let found = self.rows_now().await;
            if found.is_some_and(|found| found.0 >= rows && found.1 >= times) {
                return Some(began.elapsed());
            }
            sleep(AGAIN).await;
        }
        None
    }

    /// How many rows there are and the sum of their times; `None` while the server does not answer.
    pub(crate) async fn rows_now(&self) -> Option<(u64, i128)> {
        rows_and_times(self.config.rows.mysql.url.expose()).await
    }

    /// Adds no more records, and waits until those that there are have come everywhere.
    pub(crate) async fn quiet(&mut self) {
        self.load.stop().await;
        self.recovery().await;
        self.brought_back().await;
    }

    /// All users that have rows, and whether this node of the ring has their timelines.
    pub(crate) async fn users_of(&self, node: usize) -> Vec<(String, bool)> {
        let timelines = open_timelines(&self.config, &self.dir).await.unwrap();
        let users = users(self.config.rows.mysql.url.expose()).await;
        let there = |user: String| {
            let there = timelines.node_of(&user) == node;
            (user, there)
        };
        users.into_iter().map(there).collect()
    }

    /// A query service over the same stores.
    pub(crate) fn query_service(&self) -> QueryService {
        QueryService::start(&self.dir.join("query"), &self.overrides)
    }

    /// Records that wait because their store was away.
    pub(crate) async fn waiting(&self) -> u64 {
        waiting::count(&*self.broker, &self.config).await
    }

    /// From now on the row writes cannot be told: their server starts to count anew.
    pub(crate) fn forget_writes(&mut self) {
        self.writes_before = None;
    }

    /// Lets records flow for a while, as part of `phase`.
    pub(crate) async fn flow(&self, phase: Phase, time: Duration) {
        self.probe.phase(phase);
        sleep(time).await;
    }

    /// What a command of the binary prints, null where that is no JSON; `None` when it fails.
    pub(crate) fn ask(&self, command: &[&str]) -> Option<Value> {
        let output = block_in_place(|| run_binary(&self.dir, &args(command, &self.overrides)));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let last = text.lines().last().unwrap_or_default();
        output.status.success().then(|| serde_json::from_str(last).unwrap_or_default())
    }

    /// Ends the load, waits until nothing is left, stops the workers, and compares ledger, log, stores and dead letters.
    pub(crate) async fn conclude(mut self, outcome: &mut Outcome) -> Verdict {
        let unanswered = self.load.stop().await;
        let unread = self.probe.stop(Duration::from_secs(60)).await;
        let drained = self.watch.until(self.form.pick(DRAIN[0], DRAIN[1]), |sample| sample.lag() == 0).await;
        outcome.demand(drained.is_some(), "records are left that nobody commits");
        outcome.set_seconds("drained_s", drained);
        let brought_back = self.brought_back().await;
        outcome.demand(brought_back.is_some(), "records are set aside that nobody brings back");
        outcome.set_seconds("brought_back_s", brought_back);
        self.crew.stop();
        let writes = match self.writes_before {
            Some(before) => {
                row_writes(self.config.rows.mysql.url.expose()).await.map(|now| now.saturating_sub(before))
            }
            None => None,
        };
        let mut audit = self.ledger.audit();
        let verdict = verify_seeing(&self.config, &self.dir, |seen| audit.see(seen)).await;
        let lost = verdict.lost() + audit.lost();
        outcome.set("records", verdict.records);
        outcome.set("acknowledged", self.ledger.len());
        outcome.set("unanswered_appends", unanswered);
        outcome.set("lost", lost);
        outcome.set("stale", verdict.stale());
        outcome.set("waiting", verdict.waiting);
        outcome.set("dead_letters", verdict.dead_letters);
        outcome.set("repeated_letters", verdict.repeated_letters);
        self.set_duplicates(outcome, writes, &verdict);
        for (name, phase) in [("before", Phase::Before), ("during", Phase::During), ("after", Phase::After)] {
            outcome.set(&format!("fresh_p99_ms_{name}"), self.probe.figure(phase));
        }
        outcome.set("peak_rss_mib", self.crew.peak_mib());
        outcome.set("worker_exits", self.crew.exits());
        outcome.set("unclean_stops", self.crew.unclean_stops());
        outcome.set("commit_regressions", self.watch.regressions());
        outcome.demand(lost == 0, format!("{lost} records are lost"));
        outcome.demand(verdict.is_complete(), format!("{verdict:?}"));
        outcome.demand(unread == 0, format!("{unread} reads of new records never found theirs"));
        outcome.demand(self.watch.regressions() == 0, "a commit went back");
        let unclean = self.crew.unclean_stops();
        outcome.demand(unclean == 0, format!("{unclean} workers that were told to stop ended with an error"));
        verdict
    }

    /// Waits until workers have brought back all that was set aside, while nothing new comes; how long that takes. A
    /// record may still wait that was stored all the same: whether any is missing is for the verifier to say.
    async fn brought_back(&self) -> Option<Duration> {
        let began = Instant::now();
        while self.waiting().await > 0 {
            if began.elapsed() > self.form.pick(DRAIN[0], DRAIN[1]) {
                return None;
            }
            sleep(AGAIN).await;
        }
        Some(began.elapsed())
    }

    /// Row writes beyond one a record. Versions of one record that met in a batch were merged, so this is the least.
    fn set_duplicates(&self, outcome: &mut Outcome, writes: Option<u64>, verdict: &Verdict) {
        let decodable = verdict.records - verdict.undecodable;
        outcome.set("row_writes", writes);
        let duplicates = writes.map(|writes| writes.saturating_sub(decodable));
        outcome.set("duplicates", duplicates);
        let ratio = duplicates.zip(writes).map(|(duplicates, writes)| duplicates as f64 / writes.max(1) as f64);
        outcome.set("duplicate_ratio", ratio.map(|ratio| (ratio * 10_000.0).round() / 10_000.0));
    }
}

/// Takes away what an earlier scenario left to be retried or switched.
async fn forget_earlier(broker: &dyn Broker) {
    for topic in broker.topics().await.unwrap() {
        if topic.name.starts_with(TOPICS) {
            broker.delete_topic(&topic.name).await.unwrap();
        }
    }
}
