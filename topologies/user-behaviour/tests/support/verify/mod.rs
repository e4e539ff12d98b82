//! Reads the log and the stores, and says what is missing, stale or too much.
//!
//! Independent of how records were written: it decodes the log itself and computes, by the rules of the stores, what
//! must stand there: for every key the newest version with exactly that content, for every user and business the newest
//! 200 within 90 days, for every user the counts of the last 30 days.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::time::Duration;

use squall::broker::dead_letter::{ORIGIN_OFFSET, ORIGIN_PARTITION, ORIGIN_TOPIC};
use squall::broker::{Broker, LogRecord};
use squall::service::cli::CommonArgs;
use squall::store::Timelines;
use user_behaviour::format::find;
use user_behaviour::open::{open_rows, open_timelines};
use user_behaviour::record::Behaviour;
use user_behaviour::schema::from_values;
use user_behaviour::settings::{Config, PROFILES};
use user_behaviour::topology::decode;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

const DAY_MS: i64 = 86_400_000;
const KEEP: usize = 200;
const MAX_AGE_MS: i64 = 90 * DAY_MS;
const COUNT_DAYS: i64 = 30;

/// What a check found. All zero but the first two is as it must be.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) records: u64,
    pub(crate) distinct: u64,
    pub(crate) undecodable: u64,
    /// Distinct records among the dead letters.
    pub(crate) dead_letters: u64,
    /// Dead letters that say again what another says: a kill between their append and the commit leaves some.
    pub(crate) repeated_letters: u64,
    pub(crate) missing_rows: u64,
    pub(crate) stale_rows: u64,
    pub(crate) extra_rows: u64,
    pub(crate) wrong_timelines: u64,
    pub(crate) wrong_profiles: u64,
    /// Records of the log that the group has not committed.
    pub(crate) uncommitted: u64,
}

impl Verdict {
    /// Demands that everything is where it should be.
    pub(crate) fn assert_complete(&self) {
        let Self { records, distinct, undecodable, repeated_letters, .. } = *self;
        let expected = Self {
            records,
            distinct,
            undecodable,
            dead_letters: undecodable,
            repeated_letters,
            ..Self::default()
        };
        assert_eq!(*self, expected);
    }
}

/// What the log demands.
#[derive(Default)]
struct Demand {
    records: u64,
    undecodable: u64,
    /// Newest version and its content, by key.
    rows: HashMap<u128, (i64, u64)>,
    users: BTreeMap<String, User>,
}

#[derive(Default)]
struct User {
    /// By business: events as `(at, id)`, the newest version of each.
    events: BTreeMap<String, BTreeMap<String, i64>>,
    newest_day: i64,
    /// Distinct `(business, action, day, id)`.
    counted: BTreeSet<(String, String, i64, String)>,
}

/// The configuration that a command line would use.
pub(crate) fn config(profile: &str, overrides: &[String]) -> Config {
    let args = CommonArgs {
        config: None,
        profile: profile.to_owned(),
        data_dir: "unused".into(),
        overrides: overrides.to_vec(),
    };
    args.load(PROFILES).unwrap()
}

/// Checks everything. No worker may be writing.
pub(crate) async fn verify(config: &Config, data_dir: &Path) -> Verdict {
    let broker = config.broker.open(data_dir).await.unwrap();
    let demand = demand(&*broker, config).await;
    let mut verdict = Verdict {
        records: demand.records,
        distinct: demand.rows.len() as u64,
        undecodable: demand.undecodable,
        ..Verdict::default()
    };
    check_dead_letters(&*broker, config, &mut verdict).await;
    let committed = broker.committed(&config.source.group, &config.source.topic).await.unwrap();
    for (bounds, committed) in broker.bounds(&config.source.topic).await.unwrap().iter().zip(committed) {
        verdict.uncommitted += bounds.latest - committed.unwrap_or(bounds.earliest);
    }
    check_rows(config, data_dir, demand.rows, &mut verdict).await;
    let timelines = open_timelines(config, data_dir).await.unwrap();
    for (name, user) in &demand.users {
        check_user(&*timelines, name, user, &mut verdict).await;
    }
    eprintln!("{verdict:?}");
    verdict
}

async fn demand(broker: &dyn Broker, config: &Config) -> Demand {
    let format = find(&config.format).unwrap();
    let mut demand = Demand::default();
    walk(broker, &config.source.topic, |record| {
        demand.records += 1;
        match decode(format, record) {
            Ok(decoded) => demand.add(decoded.record()),
            Err(_) => demand.undecodable += 1,
        }
    })
    .await;
    demand
}

/// Reads a topic from its beginning to its end of now.
async fn walk(broker: &dyn Broker, topic: &str, mut each: impl FnMut(&LogRecord)) {
    for bounds in broker.bounds(topic).await.unwrap() {
        let mut at = bounds.earliest;
        let mut cursor = broker.cursor(topic, &[(bounds.partition, at)]).unwrap();
        while at < bounds.latest {
            let fetched = cursor.fetch(2000, Duration::from_secs(30)).await.unwrap().unwrap();
            at = fetched.next;
            fetched.records.iter().for_each(&mut each);
        }
    }
}

async fn check_dead_letters(broker: &dyn Broker, config: &Config, verdict: &mut Verdict) {
    let (mut origins, mut letters) = (BTreeSet::new(), 0);
    walk(broker, &config.source.dead_letters, |letter| {
        let header = |name| String::from_utf8(letter.headers.last(name).unwrap().to_vec()).unwrap();
        assert_eq!(header(ORIGIN_TOPIC), config.source.topic);
        origins.insert((header(ORIGIN_PARTITION), header(ORIGIN_OFFSET)));
        letters += 1;
    })
    .await;
    verdict.dead_letters = origins.len() as u64;
    verdict.repeated_letters = letters - verdict.dead_letters;
}

impl Demand {
    fn add(&mut self, record: &Behaviour) {
        let version = (record.occurred_at, content(record));
        let row = self.rows.entry(key(record)).or_insert(version);
        if version.0 >= row.0 {
            *row = version;
        }
        let user = self.users.entry(record.user_id.to_string()).or_default();
        let line = user.events.entry(record.business.to_string()).or_default();
        let at = line.entry(record.event_id.to_string()).or_insert(record.occurred_at);
        *at = record.occurred_at.max(*at);
        let day = record.occurred_at.div_euclid(DAY_MS);
        user.newest_day = day.max(user.newest_day);
        let (business, action) = (record.business.to_string(), record.action.to_string());
        user.counted.insert((business, action, day, record.event_id.to_string()));
    }
}

fn key(record: &Behaviour) -> u128 {
    xxh3_128(format!("{}\0{}", record.user_id, record.event_id).as_bytes())
}

fn content(record: &Behaviour) -> u64 {
    let mut json = Vec::new();
    record.to_json(&mut json);
    xxh3_64(&json)
}

async fn check_rows(
    config: &Config,
    data_dir: &Path,
    mut demand: HashMap<u128, (i64, u64)>,
    verdict: &mut Verdict,
) {
    let rows = open_rows(config, data_dir).await.unwrap();
    rows.check_schema().await.unwrap();
    let mut page = rows.scan(None, 5000).await.unwrap();
    while let Some(last) = page.last() {
        let after: Vec<_> = last[..2].iter().map(squall::store::row::Value::as_cell).collect();
        let next = rows.scan(Some(&after), 5000).await.unwrap();
        for row in &page {
            let record = from_values(row).unwrap();
            match demand.remove(&key(&record)) {
                None => verdict.extra_rows += 1,
                Some(expected) => {
                    verdict.stale_rows += u64::from(expected != (record.occurred_at, content(&record)));
                }
            }
        }
        page = next;
    }
    verdict.missing_rows = demand.len() as u64;
}

async fn check_user(timelines: &dyn Timelines, name: &str, user: &User, verdict: &mut Verdict) {
    for (business, events) in &user.events {
        let mut expected: Vec<(i64, &str)> = events.iter().map(|(id, at)| (*at, id.as_str())).collect();
        expected.sort_unstable_by(|a, b| b.cmp(a));
        let newest = expected[0].0;
        expected.retain(|(at, _)| *at > newest - MAX_AGE_MS);
        expected.truncate(KEEP);
        let stored = timelines.timeline(name, Some(business), KEEP + 1).await.unwrap();
        let stored: Vec<(i64, &str)> = stored.iter().map(|entry| (entry.at_ms, entry.id.as_str())).collect();
        verdict.wrong_timelines += u64::from(stored != expected);
    }
    let mut counts: BTreeMap<(&str, &str, i64), u64> = BTreeMap::new();
    for (business, action, day, _) in &user.counted {
        if *day > user.newest_day - COUNT_DAYS {
            *counts.entry((business, action, *day)).or_default() += 1;
        }
    }
    let profile = timelines.profile(name).await.unwrap().unwrap_or_default();
    let mut stored = BTreeMap::new();
    for (business, line) in &profile.lines {
        for (action, days) in &line.counts {
            for (day, count) in days {
                stored.insert((business.as_str(), action.as_str(), *day), *count);
            }
        }
    }
    let seen = |f: fn(&squall::store::timeline::LineProfile) -> i64| {
        profile.lines.iter().map(move |(business, line)| (business.clone(), f(line))).collect::<Vec<_>>()
    };
    let expected = |f: fn(&BTreeMap<String, i64>) -> i64| {
        user.events.iter().map(move |(business, events)| (business.clone(), f(events))).collect::<Vec<_>>()
    };
    let right = stored == counts
        && seen(|line| line.last_ms) == expected(|events| events.values().copied().max().unwrap())
        && seen(|line| line.first_ms) == expected(|events| events.values().copied().min().unwrap());
    verdict.wrong_profiles += u64::from(!right);
}
