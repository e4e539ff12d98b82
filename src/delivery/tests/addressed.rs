//! Rows that are meant for other sinks.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::world::{Behaviour, Log, World, value_of};
use crate::broker::LogRecord;
use crate::broker::addressed::ONLY_SINKS;
use crate::delivery::{Parcel, Parked, Past};
use crate::guard::Clock;
use crate::topology::{Class, Headers, Origin, Sink};

fn row(value: u64, only: Option<&'static str>) -> Arc<Parcel<u64>> {
    let origin = Origin { topic: "input".into(), partition: 3, offset: 40 + value, attempt: 0 };
    let headers = only.map_or_else(Headers::default, |only| Headers::default().with(ONLY_SINKS, only));
    let value_bytes = Some(value.to_string().into());
    let record = LogRecord { origin, key: None, headers, timestamp_ms: 1_234, value: value_bytes };
    Arc::new(Parcel { record, value, past: Past::default() })
}

/// Those that are meant are treated as always, with their own numbers; the others count as stored and touch nothing.
#[tokio::test(start_paused = true)]
async fn a_row_for_other_sinks_is_passed_over_and_keeps_that_while_it_waits() {
    let log = Log::open();
    let world = World::new(&log, "addressed", Clock::at(1_700_000_000_000), BTreeSet::from([6]));
    world.fill(std::iter::empty()).await;
    let guard = world.guard(0);
    let mut sink = guard.over(world.store(0, |_| Behaviour::Half));
    // 3 and 5 are locked, 6 is poison; of each kind one is meant for `second` only.
    let rows = [row(2, None), row(3, Some("second")), row(5, Some("second,first")), row(6, Some("first"))];
    let rows: Vec<_> = rows.iter().collect();
    assert!(sink.write(&rows).await.unwrap().is_empty());
    let waiting = world.records(&guard.topics().levels[0]).await;
    let waiting: Vec<_> = waiting.iter().map(|record| Parked::read(record).unwrap()).collect();
    assert_eq!(waiting.iter().map(|parked| value_of(&parked.record)).collect::<Vec<_>>(), [Some(5)]);
    assert_eq!(waiting[0].record.headers, rows[2].record.headers, "it keeps for whom it is meant");
    let dead = world.dead().await;
    assert_eq!((dead["first"].len(), dead["first"][0].class), (1, Class::Poison));
    assert_eq!(value_of(&dead["first"][0].record), Some(6));
    let others = [row(1, Some("second")), row(3, Some("second"))];
    let others: Vec<_> = others.iter().collect();
    let mut away = guard.over(world.store(0, |_| Behaviour::Fails));
    assert!(away.write(&others).await.unwrap().is_empty());
    assert_eq!(guard.state().counts().retried, 1, "the store was not even asked");
}
