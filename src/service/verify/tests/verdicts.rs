//! Each record has the verdict that its traces demand, whatever else there is.

use std::collections::{BTreeMap, BTreeSet};

use super::random::{Record, Trace, random_world};
use super::world::{SINKS, World};
use crate::service::verify::{
    Bound, MissingRanges, Range, Sample, Settings, Standing, Tally, Verdict, Verifier, VerifyError, ranges,
};
use crate::testing::store::Random;

/// The rule, written down a second time.
fn expected(record: &Record, sink: usize, committed: u64, skipped: bool) -> Verdict {
    let (standing, trace) = if record.decodes { record.sinks[sink] } else { (Standing::Absent, Trace::None) };
    match (standing, trace) {
        (Standing::Stored, _) => Verdict::Stored,
        (Standing::Newer, _) => Verdict::Newer,
        (_, Trace::Waits(_)) => Verdict::Waiting,
        (_, Trace::Dead) => Verdict::Dead,
        _ if record.dead => Verdict::Dead,
        _ if record.place.1 >= committed => Verdict::InFlight,
        (Standing::Expired, _) => Verdict::Expired,
        _ if skipped => Verdict::Skipped,
        _ => Verdict::Missing,
    }
}

#[tokio::test(start_paused = true)]
async fn every_record_has_the_verdict_that_its_traces_demand() {
    let seed = crate::testing::store::seed();
    println!("seed {seed}");
    let mut seen = BTreeSet::new();
    for round in 0..60 {
        let mut random = Random::new(seed.wrapping_add(round));
        let (world, records, committed, skipped) = random_world(&mut random).await;
        let (all, file) = (all(&world).await, tempfile::NamedTempFile::new().unwrap());
        let block_records = 1 + random.below(30) as usize;
        let settings = Settings { block_records, shown: usize::MAX, ..Settings::default() };
        let missing = MissingRanges::create(file.path()).unwrap();
        let verifier = Verifier::new(world.source.clone(), &world.stores, settings);
        let report = verifier.run(&all, Some(missing), |_| ()).await.unwrap();

        let what = format!("seed {seed}, round {round}");
        let is_skipped = |(partition, offset)| skipped.iter().any(|range| range.has(partition, offset));
        let verdict = |record: &Record, sink| {
            expected(record, sink, committed[record.place.0 as usize], is_skipped(record.place))
        };
        let mut demanded = (Tally::default(), [Tally::default(); 2], BTreeMap::new());
        for record in &records {
            let verdicts: Vec<Verdict> = (0..2).map(|sink| verdict(record, sink)).collect();
            seen.extend(verdicts.iter().copied());
            match record.decodes {
                true => demanded.1.iter_mut().zip(&verdicts).for_each(|(tally, verdict)| tally.add(*verdict)),
                false => demanded.0.add(verdicts[0]),
            }
            let missing =
                (0..2).filter(|sink| verdicts[*sink] == Verdict::Missing).map(|sink| SINKS[sink].to_owned());
            if verdicts.contains(&Verdict::Missing) {
                demanded
                    .2
                    .insert(record.place, if record.decodes { missing.collect() } else { Vec::<String>::new() });
            }
        }
        let first = report.first_missing.iter().map(|one| ((one.partition, one.offset), one.sinks.clone()));
        assert_eq!(first.collect::<BTreeMap<_, _>>(), demanded.2, "{what}");
        assert_eq!(report.undecodable, demanded.0, "{what}");
        assert_eq!([0, 1].map(|sink| *report.sink(SINKS[sink]).unwrap()), demanded.1, "{what}");
        assert_eq!((report.records, report.missing), (records.len() as u64, demanded.2.len() as u64), "{what}");
        assert_eq!(in_file(file.path()), demanded.2.into_keys().collect::<Vec<_>>(), "{what}");
    }
    assert_eq!(seen, Verdict::ALL.into_iter().collect(), "seed {seed}");
}

/// The range of everything, without a commit.
async fn all(world: &World) -> Vec<Range> {
    ranges(&world.source, &Bound::Earliest, &Bound::Latest).await.unwrap()
}

/// The records that a file of missing ranges means; no two ranges of it touch.
fn in_file(path: &std::path::Path) -> Vec<(u32, u64)> {
    let mut places = Vec::new();
    let mut last: Option<(u64, u64)> = None;
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let range: serde_json::Value = serde_json::from_str(line).unwrap();
        let number = |name: &str| range[name].as_u64().unwrap();
        let (partition, from, to) = (number("partition"), number("from"), number("to"));
        assert!(
            from < to && last.is_none_or(|last| last != (partition, from)),
            "{line} belongs to the line before"
        );
        last = Some((partition, to));
        places.extend((from..to).map(|offset| (partition as u32, offset)));
    }
    places
}

#[tokio::test(start_paused = true)]
async fn a_finished_backfill_excuses_nothing_any_more() {
    for (event, verdict) in [
        (None, Verdict::Skipped),
        (Some("pause"), Verdict::Skipped),
        (Some("finished"), Verdict::Missing),
        (Some("cancel"), Verdict::Missing),
    ] {
        let world = World::new().await;
        world.order(0, "1").await;
        // `skip` notes it in the audit too.
        world.audit("skip", "orders[0]", 0, 1).await;
        world.job("b-1", 0, 0, 1, Some("orders")).await;
        if let Some(event) = event {
            world.event(event, "b-1").await;
        }
        let all = world.all().await;
        let verifier = Verifier::new(world.source.clone(), &world.stores, Settings::default());
        let report = verifier.run(&all, None, |_| ()).await.unwrap();
        assert_eq!(report.sink("first").unwrap().of(verdict), 1, "{event:?}: {report:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn blocks_and_what_is_set_aside_are_bounded() {
    let world = World::new().await;
    for id in 0..100 {
        let record = world.order(0, &id.to_string()).await;
        world.wait("first", "squall.shop.first.parked", &record).await;
        world.stores.tell("second", id, Standing::Stored);
    }
    let all = world.all().await;
    let run = async |settings: Settings| {
        let verifier = Verifier::new(world.source.clone(), &world.stores, settings);
        verifier.run(&all, None, |_| ()).await
    };
    // A fetch is the least that is held.
    let report = run(Settings { block_records: 10, max_aside: 100, ..Settings::default() }).await.unwrap();
    assert_eq!(report.sink("first").unwrap().of(Verdict::Waiting), 100);
    let refused = run(Settings { max_aside: 99, ..Settings::default() }).await.unwrap_err();
    assert!(matches!(refused, VerifyError::TooMany { max: 99 }), "{refused}");
    assert!(refused.to_string().contains("smaller range"));
    // What waits outside the range is not held.
    let first = [Range { partition: 0, from: 0, to: 10 }];
    let settings = Settings { max_aside: 10, ..Settings::default() };
    let report =
        Verifier::new(world.source.clone(), &world.stores, settings).run(&first, None, |_| ()).await.unwrap();
    assert_eq!((report.records, report.missing), (10, 0));
}

#[tokio::test(start_paused = true)]
async fn a_sample_is_evenly_spread_and_the_same_for_its_seed() {
    let world = World::new().await;
    for (partition, count) in [(0, 1_500), (1, 0), (2, 500)] {
        for id in 0..count {
            world.order(partition, &id.to_string()).await;
        }
    }
    let all = world.all().await;
    let run = async |sample: Option<Sample>| {
        let settings = Settings { sample, shown: usize::MAX, ..Settings::default() };
        let verifier = Verifier::new(world.source.clone(), &world.stores, settings);
        let report = verifier.run(&all, None, |_| ()).await.unwrap();
        report.first_missing.iter().map(|one| (one.partition, one.offset)).collect::<Vec<_>>()
    };
    for (count, seed) in [(1, 1), (3, 2), (4, 3), (20, 1), (1_999, 7)] {
        let sampled = run(Some(Sample { count, seed })).await;
        assert_eq!(sampled.len() as u64, count);
        assert_eq!(sampled, run(Some(Sample { count, seed })).await, "the same seed gives the same ones");
        let global: Vec<u64> =
            sampled.iter().map(|(partition, at)| u64::from(*partition / 2) * 1_500 + at).collect();
        for (part, at) in global.iter().enumerate() {
            let part = part as u64;
            let own = part * 2_000 / count..(part + 1) * 2_000 / count;
            assert!(own.contains(at), "{at} is not in part {part} of {count}");
        }
    }
    let twenty = |seed| run(Some(Sample { count: 20, seed }));
    assert_ne!(twenty(1).await, twenty(2).await);
    assert_eq!(run(Some(Sample { count: 5_000, seed: 1 })).await.len(), 2_000, "a sample of more is all of them");
    assert_eq!(run(None).await.len(), 2_000);
}
