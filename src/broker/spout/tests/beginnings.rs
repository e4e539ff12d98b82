//! Where a group that begins with the newest has begun.

use std::sync::Arc;
use std::time::Duration;

use super::desk::{Desk, spout, until};
use super::{Log, Stored, topology};
use crate::broker::{Append, Broker, GroupSettings, LogSpout, LogSpoutSettings, StartFrom};
use crate::testing::Trial;

/// A group that begins with the newest is where it began for everybody, also without care for deaths.
#[test]
fn where_a_group_begins_is_committed_before_it_has_read_anything() {
    for max_deaths in [0, 3] {
        let (log, desk, stored) = (Log::open(), Arc::new(Desk::default()), Stored::default());
        log.fill("t", 1, 100);
        let group = GroupSettings { start_from: StartFrom::Latest, ..GroupSettings::new("g") };
        let settings = LogSpoutSettings { max_deaths, ..LogSpoutSettings::new("t", group) };
        let topology = topology(spout(&log, settings, &desk), 1, &stored, Duration::ZERO);
        let broker = log.broker.clone();
        let report = Trial::default().run_with(topology, |stop| async move {
            while broker.committed("g", "t").await.unwrap()[0].is_none() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            stop.stop();
        });
        assert_eq!((report.exit_code(), log.committed("t")[0]), (0, Some(100)));
    }
}

/// Also when it could not be committed before the partition goes: its heir would begin at a newest of his own.
#[test]
fn where_a_group_begins_goes_with_the_partition() {
    let (log, desk, stored) = (Log::open(), Arc::new(Desk::default()), Stored::default());
    log.fill("t", 1, 100);
    let checked = log.checked();
    checked.seen.lock().unwrap().fail_notes = usize::MAX;
    let group = GroupSettings { start_from: StartFrom::Latest, ..GroupSettings::new("g") };
    let spout = LogSpout::new(Arc::new(checked.clone()), LogSpoutSettings::new("t", group)).steered(desk.clone());
    let topology = topology(spout, 1, &stored, Duration::ZERO);
    let broker = log.broker.clone();
    let report = Trial::default().run_with(topology, |stop| async move {
        until(|| checked.seen.lock().unwrap().fail_notes < usize::MAX - 3).await;
        broker.producer().unwrap().append("t", vec![Append::default(); 50]).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.stop();
    });
    assert_eq!((report.exit_code(), log.committed("t")[0]), (0, Some(100)));
}
