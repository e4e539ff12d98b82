//! Generated records through the stores, in an order of their own, against the oracle.

use bytes::Bytes;
use squall::store::row::mysql::{MySqlRows, MySqlSettings};
use squall::store::row::sqlite::{SqliteRows, SqliteSettings};
use squall::store::timeline::memory::MemoryTimelines;
use squall::store::timeline::{Limits, LineProfile, Timelines};
use squall::store::{Rows, row::Cell};
use squall::testing::servers::MariaDb;
use user_behaviour::format::{BehaviourJson, Format, TaobaoCsv};
use user_behaviour::generate::{GenerateSettings, Generator};
use user_behaviour::record::{Behaviour, Decoded};
use user_behaviour::schema;

use super::data::taobao_lines;
use super::oracle::{DAY_MS, Line, Oracle};
use super::records::{decoded, fields_of_body, fields_of_values, rows_of};

/// Records with late, repeated and corrected ones among them, of few users, so that timelines are trimmed and counts
/// fall out of their window.
fn generated() -> (Oracle, Vec<Decoded>) {
    let settings = GenerateSettings {
        count: 8000,
        users: 20,
        late_share: 0.3,
        late_ms: 120 * DAY_MS,
        duplicate_share: 0.1,
        broken_share: 0.01,
        ..GenerateSettings::default()
    };
    let made = Generator::new(settings).unwrap().filter_map(|made| Some((made.record?, made.value)));
    let values = made.enumerate().flat_map(|(at, (record, value))| {
        let corrected = (at % 10 == 0).then(|| corrected((*record).clone()));
        [Some(value), corrected].into_iter().flatten()
    });
    judged(&BehaviourJson, values, |oracle, value, id| drop(oracle.json(value, id)))
}

/// A newer version of the same event.
fn corrected(mut record: Behaviour) -> Bytes {
    record.occurred_at += 3_600_000;
    record.action = "corrected".into();
    let mut value = Vec::new();
    record.to_json(&mut value);
    value.into()
}

fn judged<V: AsRef<[u8]>>(
    format: &dyn Format,
    values: impl IntoIterator<Item = V>,
    judge: impl Fn(&mut Oracle, &[u8], &str),
) -> (Oracle, Vec<Decoded>) {
    let mut oracle = Oracle::default();
    let records = values.into_iter().map(|value| {
        let decoded = decoded(format, value.as_ref());
        judge(&mut oracle, value.as_ref(), &decoded.record().event_id);
        decoded
    });
    let records = records.collect();
    (oracle, records)
}

fn taobao() -> (Oracle, Vec<Decoded>) {
    judged(&TaobaoCsv, taobao_lines(), |oracle, line, id| {
        drop(oracle.taobao(std::str::from_utf8(line).unwrap(), id));
    })
}

/// Late records first, the rest by a stride, all of it once more at the end: no order may matter.
fn shuffled(mut records: Vec<Decoded>) -> Vec<Decoded> {
    records.sort_by_key(|decoded| decoded.record().occurred_at % 977);
    let again: Vec<_> = records.iter().step_by(3).cloned().collect();
    records.extend(again);
    records
}

async fn rows_agree(store: &dyn Rows, oracle: &Oracle, records: &[Decoded]) {
    store.migrate().await.unwrap();
    store.check_schema().await.unwrap();
    for batch in records.chunks(700) {
        let mut cells = Vec::new();
        batch.iter().for_each(|decoded| schema::cells(decoded, &mut cells));
        assert!(store.upsert(&cells).await.unwrap().is_empty());
    }
    let expected = oracle.rows();
    assert_eq!(store.count().await.unwrap(), expected.len() as u64);
    let mut after = None;
    let mut expected = expected.into_iter();
    loop {
        let key = after.as_ref().map(|(user, event): &(String, String)| [Cell::Text(user), Cell::Text(event)]);
        let page = store.scan(key.as_ref().map(|key| &key[..]), 1000).await.unwrap();
        if page.is_empty() {
            break;
        }
        for values in page {
            let (key, fields) = expected.next().unwrap();
            let record = schema::from_values(&values).unwrap();
            assert_eq!((&*record.user_id, &*record.event_id), (&*key.0, &*key.1));
            assert_eq!(fields_of_values(values), fields);
            after = Some(key);
        }
    }
    assert_eq!(expected.next(), None);
}

async fn timelines_agree(store: &dyn Timelines, oracle: &Oracle, records: &[Decoded], limits: Limits) {
    for batch in records.chunks(300) {
        let entries: Vec<_> = batch.iter().map(schema::entry).collect();
        assert!(store.apply(&entries).await.unwrap().is_empty());
    }
    assert_eq!(store.owners().await.unwrap(), oracle.users().count() as u64);
    let max_age_ms = i64::try_from(limits.max_age.as_millis()).unwrap();
    for user in oracle.users() {
        let profile = store.profile(user).await.unwrap().unwrap();
        let expected = oracle.profile(user, limits.count_days.into());
        assert_eq!(profile.lines.len(), expected.len());
        for (business, line) in &profile.lines {
            assert_eq!(plain(line), expected[business], "{user} in {business}");
            let stored = store.timeline(user, Some(business), usize::MAX >> 33).await.unwrap();
            let expected = oracle.timeline(user, business, limits.keep, max_age_ms);
            let bodies: Vec<_> = stored.iter().map(|entry| fields_of_body(&entry.body)).collect();
            assert_eq!(bodies, expected, "{user} in {business}");
        }
    }
}

fn plain(line: &LineProfile) -> Line {
    let latest = line.latest.iter().map(|(action, latest)| {
        assert_eq!(fields_of_body(&latest.body).event_id, latest.id);
        (action.clone(), (latest.at_ms, latest.id.clone()))
    });
    Line { first_ms: line.first_ms, last_ms: line.last_ms, latest: latest.collect(), counts: line.counts.clone() }
}

#[test]
fn generated_rows_are_what_the_oracle_says() {
    let (oracle, records) = generated();
    assert_eq!(rows_of(&records), oracle.rows());
    assert_eq!(rows_of(&shuffled(records)), oracle.rows());
}

#[tokio::test]
async fn timelines_in_memory_end_as_the_oracle_says() {
    for (oracle, records) in [generated(), taobao()] {
        let tight = Limits { keep: 20, max_age: std::time::Duration::from_secs(5 * 86_400), count_days: 3 };
        for limits in [Limits::default(), tight] {
            let store = MemoryTimelines::new(limits);
            timelines_agree(&store, &oracle, &shuffled(records.clone()), limits).await;
        }
    }
}

#[tokio::test]
async fn rows_in_sqlite_end_as_the_oracle_says() {
    for (oracle, records) in [generated(), taobao()] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("behaviour.db");
        let migrator = schema::migrator_sqlite();
        let store = SqliteRows::open(&path, SqliteSettings::default(), schema::table(), migrator).await.unwrap();
        rows_agree(&store, &oracle, &shuffled(records)).await;
        store.close().await;
    }
}

#[tokio::test]
async fn rows_in_mariadb_end_as_the_oracle_says() {
    let server = MariaDb::start().await.unwrap();
    for (name, (oracle, records)) in [("generated", generated()), ("taobao", taobao())] {
        let settings = MySqlSettings::new(server.database(name).await.unwrap());
        let migrator = schema::migrator_mysql();
        let store = MySqlRows::connect(settings, schema::table(), migrator).await.unwrap();
        rows_agree(&store, &oracle, &shuffled(records)).await;
    }
}
