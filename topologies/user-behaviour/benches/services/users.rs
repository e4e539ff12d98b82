//! Users whose lists are asked for, and what must be answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::http::{Request, StatusCode, Uri};
use bytes::Bytes;
use http_body_util::Full;
use redis::aio::MultiplexedConnection;
use user_behaviour::generate::{GenerateSettings, Generator};
use user_behaviour::record::Decoded;
use user_behaviour::schema::{cells, entry};
use user_behaviour::topology::Parts;

use super::load::{Load, Work};

/// Records of each user: more than a page, so that Redis alone can answer.
const RECORDS: u64 = 24;
/// Records of a page.
const LIMIT: usize = 20;
/// Users of a batch while the stores are filled.
const BATCH: usize = 40;
/// When the first of a user's records occurred, and how much later the next.
const FIRST_MS: i64 = 1_760_000_000_000;
const STEP_MS: i64 = 60_000;
/// Begins the ids of those that Redis lacks.
const COLD: &str = "cold";
/// Keys of a step while they are looked for.
const SCAN: usize = 1000;
/// Passes over all users at most until nobody is compared any more.
const PASSES: usize = 60;

/// Users in both stores, and users of whom MySQL alone knows.
pub(crate) struct Users {
    hot: Vec<User>,
    cold: Vec<User>,
}

/// Whose list, and what it holds.
pub(crate) struct User {
    path: Uri,
    /// How the answer begins, up to the end of its records.
    answer: Vec<u8>,
}

impl Users {
    /// Fills the stores.
    pub(crate) async fn load(parts: &Parts, hot: usize, cold: usize) -> Self {
        let count = (hot + cold) as u64 * RECORDS;
        let settings = GenerateSettings { count, duplicate_share: 0.0, ..GenerateSettings::default() };
        let mut generator = Generator::new(settings).expect("valid settings");
        let mut users = Self { hot: Vec::with_capacity(hot), cold: Vec::with_capacity(cold) };
        let ids = (0..hot).map(|n| (true, format!("hot{n:07}")));
        let ids: Vec<_> = ids.chain((0..cold).map(|n| (false, format!("{COLD}{n:07}")))).collect();
        for batch in ids.chunks(BATCH) {
            let (mut rows, mut entries) = (Vec::new(), Vec::new());
            for (hot, id) in batch {
                let records = of_user(&mut generator, id);
                let of = if *hot { &mut users.hot } else { &mut users.cold };
                of.push(User::new(id, &records));
                if *hot {
                    entries.extend(records.iter().cloned());
                }
                rows.extend(records);
            }
            let mut row = Vec::new();
            rows.iter().for_each(|record| cells(record, &mut row));
            assert!(parts.rows.upsert(&row).await.expect("MariaDB takes a batch").is_empty());
            let entries: Vec<_> = entries.iter().map(entry).collect();
            assert!(parts.timelines.apply(&entries).await.expect("Redis takes a batch").is_empty());
        }
        users
    }

    /// Reads everybody who is in Redis until it answers by itself: a service compares each of them with MySQL once.
    pub(crate) async fn make_known(&'static self, connections: usize, address: &str) {
        for _ in 0..PASSES {
            let lists = Arc::new(Lists::in_turn(self));
            Load { connections, requests: self.hot.len() as u64 }.closed(&lists, address).await;
            if lists.counts() == [0, 0] {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!("users are still compared after {PASSES} passes");
    }
}

fn of_user(generator: &mut Generator, id: &str) -> Vec<Decoded> {
    let records = (0_u32..).zip(generator.by_ref().take(RECORDS as usize)).map(|(n, made)| {
        let mut record = (*made.record.expect("none is broken")).clone();
        record.user_id = id.into();
        record.occurred_at = FIRST_MS + i64::from(n) * STEP_MS;
        Decoded::new(record, i64::MAX).expect("none is broken")
    });
    records.collect()
}

impl User {
    fn new(id: &str, records: &[Decoded]) -> Self {
        let newest: Vec<_> = records.iter().rev().take(LIMIT).map(Decoded::body).collect();
        let answer = format!("{{\"user_id\":\"{id}\",\"records\":[{}],", newest.join(","));
        let path = format!("/v1/users/{id}/behaviours?limit={LIMIT}");
        Self { path: path.parse().expect("a valid path"), answer: answer.into() }
    }
}

/// Takes out of Redis what repairs have brought there.
pub(crate) async fn evict(connection: &mut MultiplexedConnection, prefix: &str) {
    let (pattern, mut cursor) = (format!("{prefix}:{{{COLD}*"), 0_u64);
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(SCAN);
        let (next, keys): (u64, Vec<String>) = scan.query_async(connection).await.expect("Redis answers");
        if !keys.is_empty() {
            redis::cmd("UNLINK").arg(keys).exec_async(connection).await.expect("Redis answers");
        }
        if next == 0 {
            return;
        }
        cursor = next;
    }
}

/// Lists of users, so many in a hundred of whom are not in Redis, each of those for the first time.
pub(crate) struct Lists {
    users: &'static Users,
    share: u64,
    in_turn: bool,
    asked: AtomicU64,
    from_mysql: AtomicU64,
    partial: AtomicU64,
}

impl Lists {
    pub(crate) fn new(users: &'static Users, share: u64) -> Self {
        let (asked, from_mysql, partial) = Default::default();
        Self { users, share, in_turn: false, asked, from_mysql, partial }
    }

    /// All users that Redis has, in turn.
    pub(crate) fn in_turn(users: &'static Users) -> Self {
        Self { in_turn: true, ..Self::new(users, 0) }
    }

    /// Answers that MySQL gave, and those that said of themselves that they lack something.
    pub(crate) fn counts(&self) -> [u64; 2] {
        [&self.from_mysql, &self.partial].map(|counter| counter.load(Ordering::Relaxed))
    }

    /// How many that Redis lacks were asked for.
    pub(crate) fn misses(&self) -> u64 {
        misses(self.asked.load(Ordering::Relaxed), self.share)
    }

    fn user(&self, n: u64) -> &'static User {
        let cold = misses(n, self.share);
        if misses(n + 1, self.share) > cold {
            return &self.users.cold[cold as usize];
        }
        if self.in_turn {
            return &self.users.hot[n as usize % self.users.hot.len()];
        }
        // Far from the one before.
        let at = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        &self.users.hot[at as usize % self.users.hot.len()]
    }
}

/// How many of so many requests are for users that Redis lacks.
pub(crate) fn misses(requests: u64, share: u64) -> u64 {
    requests * share / 100
}

impl Work for Lists {
    type Asked = &'static User;

    fn ask(&self) -> (Request<Full<Bytes>>, &'static User) {
        let user = self.user(self.asked.fetch_add(1, Ordering::Relaxed));
        let mut request = Request::new(Full::default());
        *request.uri_mut() = user.path.clone();
        (request, user)
    }

    fn judge(&self, user: &'static User, status: StatusCode, body: &Bytes) {
        let shown =
            || format!("{} {status}: {}", user.path, String::from_utf8_lossy(&body[..body.len().min(500)]));
        assert!(status == StatusCode::OK, "{}", shown());
        let end = body.windows(2).rposition(|two| two == b"],").unwrap_or_default();
        let rest = String::from_utf8_lossy(&body[end..]);
        if rest.contains("\"complete\":false") {
            // It says so itself: a store did not answer in time.
            self.partial.fetch_add(1, Ordering::Relaxed);
            return;
        }
        assert!(body.starts_with(&user.answer), "{}", shown());
        if rest.contains("\"source\":\"mysql\"") {
            self.from_mysql.fetch_add(1, Ordering::Relaxed);
        }
    }
}
