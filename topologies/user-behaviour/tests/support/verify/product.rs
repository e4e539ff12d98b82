//! What the command `verify` says of the same log and stores: it must agree with this checker.

use std::path::Path;

use squall::service::verify::{Bound, Report, Settings, Source, Verifier, ranges};
use user_behaviour::settings::Config;
use user_behaviour::topology::{ROWS, TIMELINES};
use user_behaviour::verify::Stores;

use super::Verdict;

/// Runs the whole verification. Nobody else may have the stores open that only one may have open.
pub(crate) async fn report(config: &Config, data_dir: &Path) -> Report {
    let source = Source {
        broker: config.broker.open(data_dir).await.unwrap(),
        topology: config.name.clone(),
        topic: config.source.topic.clone(),
        group: config.source.group.clone(),
        dead_letters: config.source.dead_letters.clone(),
    };
    let stores = Stores::open(config, data_dir).await.unwrap();
    let all = ranges(&source, &Bound::Earliest, &Bound::Latest).await.unwrap();
    Verifier::new(source, &stores, Settings::default()).run(&all, None, |_| ()).await.unwrap()
}

/// Demands that a report and a verdict on the same state say the same.
pub(super) fn agree(report: &Report, verdict: &Verdict) {
    use squall::service::verify::Verdict::{Dead, InFlight, Missing, Skipped};
    let (rows, timelines) = (report.sink(ROWS).unwrap(), report.sink(TIMELINES).unwrap());
    let what = format!("{report:?}\n{verdict:?}");
    assert_eq!(report.records, verdict.records, "{what}");
    assert_eq!(report.undecodable.total(), verdict.undecodable, "{what}");
    assert_eq!([rows, timelines].map(|sink| sink.total()), [verdict.records - verdict.undecodable; 2], "{what}");
    assert!(report.undecodable.of(Dead) <= verdict.dead_letters, "{what}");
    assert_eq!(rows.of(Skipped) + timelines.of(Skipped), 0, "{what}");
    if verdict.lost() == 0 && verdict.stale() == 0 {
        assert_eq!(report.missing, 0, "{what}");
    }
    if verdict.uncommitted == 0 {
        assert_eq!(rows.of(InFlight) + timelines.of(InFlight), 0, "{what}");
        assert!(report.missing > 0 || verdict.lost() == 0, "{what}");
        // Of several records of a key that is not there each is missing, or waits.
        assert!(rows.of(Missing) >= verdict.missing_rows - verdict.waiting_rows, "{what}");
        assert!(timelines.of(Missing) >= verdict.missing_entries - verdict.waiting_entries, "{what}");
    }
}
