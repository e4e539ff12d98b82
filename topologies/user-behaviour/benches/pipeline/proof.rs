//! Whether a run did its work.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use squall::store::row::Cell;
use user_behaviour::record::Behaviour;
use user_behaviour::schema::from_values;

use super::data::Data;
use super::lab::{Reads, Run};

const DAY_MS: i64 = 86_400_000;

/// Demands that every record has its row, that chosen users have exactly their timelines and rows, and that a group that
/// read has committed everything.
pub(crate) async fn prove(run: &Run, data: &Data, reads: Reads) {
    let (parts, config) = (&run.parts, &run.config);
    assert_eq!(parts.rows.count().await.expect("MariaDB answers"), data.distinct, "rows");
    if reads == Reads::AsGroup {
        let bounds = parts.broker.bounds(&data.topic).await.expect("Kafka answers");
        let committed = parts.broker.committed(&config.source.group, &data.topic).await.expect("Kafka answers");
        for (held, committed) in bounds.iter().zip(committed) {
            assert_eq!(committed.unwrap_or_default(), held.latest, "committed of partition {}", held.partition);
        }
    }
    for (user, records) in &data.users {
        prove_rows(run, newest(records).into_values()).await;
        let mut lines = BTreeMap::<&str, Vec<&Arc<Behaviour>>>::new();
        for record in newest(records).into_values() {
            lines.entry(&record.business).or_default().push(record);
        }
        for (line, records) in lines {
            prove_timeline(run, user, line, records).await;
        }
    }
}

/// The newest version of each record.
fn newest(records: &[Arc<Behaviour>]) -> HashMap<&str, &Arc<Behaviour>> {
    let mut newest = HashMap::<&str, &Arc<Behaviour>>::new();
    for record in records {
        let known = newest.entry(record.event_id.as_str()).or_insert(record);
        if record.occurred_at >= known.occurred_at {
            *known = record;
        }
    }
    newest
}

async fn prove_rows(run: &Run, records: impl Iterator<Item = &Arc<Behaviour>>) {
    for record in records {
        let key = [Cell::Text(&record.user_id), Cell::Text(&record.event_id)];
        let row = run.parts.rows.find(&key).await.expect("MariaDB answers").expect("the record's row");
        assert_eq!(from_values(&row).expect("a valid row"), **record);
    }
}

async fn prove_timeline(run: &Run, user: &str, line: &str, records: Vec<&Arc<Behaviour>>) {
    let config = &run.config.timelines;
    let keep = config.keep.expect("the profile says");
    let max_age = config.max_age_days.expect("the profile says").cast_signed() * DAY_MS;
    let mut expected: Vec<_> =
        records.into_iter().map(|record| (record.occurred_at, record.event_id.to_string())).collect();
    expected.sort_unstable_by(|a, b| b.cmp(a));
    let oldest = expected[0].0 - max_age;
    expected.retain(|(at_ms, _)| *at_ms > oldest);
    expected.truncate(keep);
    let stored = run.parts.timelines.timeline(user, Some(line), keep + 1).await.expect("Redis answers");
    let stored: Vec<_> = stored.into_iter().map(|entry| (entry.at_ms, entry.id)).collect();
    assert_eq!(stored, expected, "timeline {line} of {user}");
}
