use std::sync::{Arc, Mutex};
use std::time::Duration;

use squall::service::verify::Standing;
use squall::store::Timelines;
use squall::store::timeline::memory::MemoryTimelines;
use squall::store::timeline::{Entry, Limits};
use squall::testing::store::Random;

use super::timelines;
use crate::record::samples::hotel;
use crate::record::{Behaviour, Decoded};

const DAY_MS: i64 = 86_400_000;

fn record(user: u64, business: &str, event: u64, at: i64) -> Decoded {
    let mut record: Behaviour = hotel();
    record.user_id = format!("u{user}").into();
    record.business = business.into();
    record.event_id = format!("e{event}").into();
    record.occurred_at = at;
    Decoded::new(record, i64::MAX).unwrap()
}

/// What is applied, in whatever order, is never absent; what is not is absent exactly if applying it changes the timeline.
#[tokio::test]
async fn absent_is_what_would_change_a_timeline() {
    let seed = squall::testing::store::seed();
    println!("seed {seed}");
    for round in 0..40 {
        let mut random = Random::new(seed.wrapping_add(round));
        let dir = tempfile::tempdir().unwrap();
        let keep = 1 + random.below(6) as usize;
        let limits = Limits { keep, max_age: Duration::from_secs(2 * 86_400), ..Limits::default() };
        let store: Arc<dyn Timelines> = Arc::new(MemoryTimelines::open(dir.path(), limits).unwrap());
        let mut records: Vec<Decoded> = (0..60)
            .map(|_| {
                let business = random.pick(&["hotel", "flight"]);
                let at = random.below(4) as i64 * DAY_MS + random.below(4) as i64;
                record(random.below(3), business, random.below(12), at)
            })
            .collect();
        random.shuffle(&mut records);
        let (applied, others) = records.split_at(40);
        for batch in applied.chunks(7) {
            let entries: Vec<Entry<'_>> = batch.iter().map(crate::schema::entry).collect();
            assert!(store.apply(&entries).await.unwrap().is_empty());
        }
        let (what, remembered) = (format!("seed {seed}, round {round}"), Mutex::default());
        let all: Vec<&Decoded> = applied.iter().collect();
        let standings = timelines::look(&store, limits, &remembered, &all).await.unwrap();
        assert!(!standings.contains(&Standing::Absent), "{what}: {standings:?}");
        for decoded in others {
            let user = decoded.record().user_id.as_str();
            let before = store.timeline(user, None, 100).await.unwrap();
            let standing = timelines::look(&store, limits, &remembered, &[decoded]).await.unwrap()[0];
            assert!(store.apply(&[crate::schema::entry(decoded)]).await.unwrap().is_empty());
            let changed = store.timeline(user, None, 100).await.unwrap() != before;
            assert_eq!(changed, standing == Standing::Absent, "{what}: {standing:?}, {decoded:?}");
        }
    }
}

/// More timelines than are read at a time, and none.
#[tokio::test]
async fn every_timeline_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Timelines> = Arc::new(MemoryTimelines::open(dir.path(), Limits::default()).unwrap());
    let records: Vec<Decoded> = (0..100).map(|user| record(user, "hotel", user, 5)).collect();
    let entries: Vec<Entry<'_>> = records.iter().step_by(2).map(crate::schema::entry).collect();
    assert!(store.apply(&entries).await.unwrap().is_empty());
    let (all, remembered): (Vec<&Decoded>, _) = (records.iter().collect(), Mutex::default());
    let standings = timelines::look(&store, Limits::default(), &remembered, &all).await.unwrap();
    for (at, standing) in standings.iter().enumerate() {
        assert_eq!(*standing, if at % 2 == 0 { Standing::Stored } else { Standing::Absent });
    }
    // Those that were absent are looked for again, the others are not.
    let entries: Vec<Entry<'_>> = records.iter().map(crate::schema::entry).collect();
    assert!(store.apply(&entries).await.unwrap().is_empty());
    let standings = timelines::look(&store, Limits::default(), &remembered, &all).await.unwrap();
    assert_eq!(standings, [Standing::Stored; 100]);
    assert!(timelines::look(&store, Limits::default(), &remembered, &[]).await.unwrap().is_empty());
}
