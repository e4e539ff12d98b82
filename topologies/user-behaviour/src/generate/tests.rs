use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use squall::Headers;

use super::*;
use crate::format::{BehaviourJson, decode};
use crate::record::{Channel, Decoded};

fn settings() -> GenerateSettings {
    GenerateSettings {
        count: 20_000,
        users: 1000,
        broken_share: 0.05,
        duplicate_share: 0.05,
        ..Default::default()
    }
}

fn all(settings: GenerateSettings) -> Vec<Generated> {
    Generator::new(settings).unwrap().collect()
}

/// Behind everything that is generated, and before what is broken by lying in the future.
const NOW: i64 = 2_000_000_000_000;

#[test]
fn every_record_decodes_to_what_it_says_and_no_broken_one_does() {
    let mut seen = BTreeSet::new();
    for made in all(settings()) {
        seen.insert(made.kind);
        let decoded = decode(&BehaviourJson, &made.value, &Headers::default(), NOW);
        match &made.record {
            Some(record) => {
                assert_eq!(decoded.unwrap().record(), &**record);
                assert_eq!(made.key, record.user_id);
                assert!(!matches!(made.kind, Kind::Broken(_)));
            }
            None => {
                assert!(matches!(made.kind, Kind::Broken(_)));
                assert!(decoded.is_err(), "{:?}: {}", made.kind, made.value.escape_ascii());
            }
        }
    }
    assert_eq!(seen.len(), 3 + BrokenKind::ALL.len(), "{seen:?}");
}

#[test]
fn the_same_settings_give_the_same_records_and_another_seed_others() {
    let values = |settings| all(settings).into_iter().map(|made| made.value).collect::<Vec<_>>();
    let few = GenerateSettings { count: 2000, ..settings() };
    assert_eq!(values(few.clone()), values(few.clone()));
    assert_ne!(values(few.clone()), values(GenerateSettings { seed: 2, ..few }));
}

#[test]
fn the_expected_events_are_those_that_decode_each_once() {
    let mut decoded = BTreeMap::new();
    for made in all(settings()) {
        let append = made.append();
        assert_eq!(append.key.as_deref(), Some(made.key.as_bytes()));
        let value = append.value.unwrap();
        if let Ok(record) = decode(&BehaviourJson, &value, &append.headers, NOW).map(Decoded::into_record) {
            decoded.insert((record.user_id.clone(), record.event_id.clone()), record);
        }
    }
    let mut expected = 0;
    for record in Generator::new(settings()).unwrap().expected() {
        expected += 1;
        assert_eq!(decoded.get(&(record.user_id.clone(), record.event_id.clone())), Some(&*record));
    }
    assert_eq!(expected, decoded.len());
}

#[test]
fn shares_are_kept() {
    let settings = GenerateSettings { late_share: 0.1, ..settings() };
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for made in all(settings.clone()) {
        let name = match made.kind {
            Kind::Fresh => "fresh",
            Kind::Late => "late",
            Kind::Duplicate => "duplicate",
            Kind::Broken(_) => "broken",
        };
        *counts.entry(name).or_default() += 1;
    }
    for (name, share) in [("fresh", 0.8), ("late", 0.1), ("duplicate", 0.05), ("broken", 0.05)] {
        let actual = f64::from(counts[name]) / settings.count as f64;
        assert!((actual - share).abs() < 0.02, "{name}: {actual} instead of {share}");
    }
}

#[test]
fn new_events_have_new_ids_and_duplicates_have_old_bytes() {
    let mut values: HashMap<_, _> = HashMap::new();
    for made in all(settings()) {
        let Some(record) = made.record else { continue };
        let before = values.insert((record.user_id.clone(), record.event_id.clone()), made.value.clone());
        match made.kind {
            Kind::Duplicate => assert_eq!(before, Some(made.value)),
            _ => assert_eq!(before, None, "{record:?}"),
        }
    }
}

#[test]
fn late_records_lie_behind_within_the_bound_and_fresh_ones_never_do() {
    let settings = GenerateSettings { late_ms: 86_400_000, ..settings() };
    let mut now = settings.start_ms;
    for made in all(settings) {
        let Some(record) = made.record else { continue };
        match made.kind {
            Kind::Late => {
                // The stream's own time is up to the next fresh record.
                let behind = now - record.occurred_at;
                assert!((60_000 - 1000..=86_400_000).contains(&behind), "{behind}");
            }
            Kind::Duplicate => assert!(record.occurred_at <= now),
            _ => {
                assert!(record.occurred_at >= now);
                now = record.occurred_at;
            }
        }
    }
}

#[test]
fn the_world_is_skewed_varied_and_speaks_chinese() {
    let made = all(GenerateSettings { count: 50_000, ..settings() });
    let records: Vec<_> = made.iter().filter_map(|made| made.record.as_ref()).collect();
    let mut per_user: HashMap<&str, usize> = HashMap::new();
    for record in &records {
        *per_user.entry(&record.user_id).or_default() += 1;
    }
    let mut counts: Vec<_> = per_user.values().copied().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    assert!(counts.len() > 500);
    assert!(counts[..10].iter().sum::<usize>() > 10 * records.len() / counts.len() * 3, "{:?}", &counts[..10]);

    let set = |of: fn(&crate::record::Behaviour) -> String| records.iter().map(|r| of(r)).collect::<HashSet<_>>();
    assert_eq!(set(|r| r.business.to_string()).len(), 5);
    assert_eq!(set(|r| r.action.to_string()).len(), 6);
    assert_eq!(set(|r| r.channel.as_str().to_owned()).len(), Channel::ALL.len());
    let text = String::from_utf8(records.iter().flat_map(|r| serde_json::to_vec(r).unwrap()).collect()).unwrap();
    for part in ["上海", "🏨", "\\\"小王子\\\"", "Zürich"] {
        assert!(text.contains(part), "{part}");
    }
    let mean = text.len() / records.len();
    assert!((150..350).contains(&mean), "a record has {mean} bytes");
}

/// A user who pays has ordered before, in the same visit.
#[test]
fn visits_follow_a_path() {
    let settings = GenerateSettings { late_share: 0.0, duplicate_share: 0.0, broken_share: 0.0, ..settings() };
    let mut ordered: HashSet<(String, String)> = HashSet::new();
    let mut paid = 0;
    for record in all(settings).into_iter().filter_map(|made| made.record) {
        let order = (record.user_id.to_string(), record.item_id.to_string());
        match &*record.action {
            "order" => drop(ordered.insert(order)),
            "pay" => {
                paid += 1;
                assert!(ordered.contains(&order), "{record:?}");
            }
            _ => (),
        }
    }
    assert!(paid > 50, "{paid}");
}

#[test]
fn settings_out_of_range_are_named() {
    let good = GenerateSettings::default();
    let cases: [(&str, GenerateSettings); 14] = [
        ("users", GenerateSettings { users: 0, ..good.clone() }),
        ("items", GenerateSettings { items: 0, ..good.clone() }),
        ("items", GenerateSettings { items: u64::MAX, ..good.clone() }),
        ("user_skew", GenerateSettings { user_skew: -0.1, ..good.clone() }),
        ("item_skew", GenerateSettings { item_skew: f64::NAN, ..good.clone() }),
        ("late_share", GenerateSettings { late_share: 1.1, ..good.clone() }),
        ("duplicate_share", GenerateSettings { duplicate_share: -1.0, ..good.clone() }),
        ("broken_share", GenerateSettings { broken_share: f64::NAN, ..good.clone() }),
        (
            "late_share + duplicate_share + broken_share",
            GenerateSettings { late_share: 0.6, duplicate_share: 0.6, ..good.clone() },
        ),
        ("late_ms", GenerateSettings { late_ms: 1, ..good.clone() }),
        ("start_ms", GenerateSettings { start_ms: 0, ..good.clone() }),
        ("start_ms", GenerateSettings { start_ms: i64::MAX, ..good.clone() }),
        ("per_second", GenerateSettings { per_second: 0, ..good.clone() }),
        ("count", GenerateSettings { count: u64::MAX, per_second: 1, ..good.clone() }),
    ];
    for (setting, settings) in cases {
        let error = Generator::new(settings).map(drop).unwrap_err();
        assert_eq!(error.setting, setting, "{error}");
    }
    let error = GenerateSettings { users: 0, ..good }.check().unwrap_err();
    assert_eq!(error.to_string(), "generator: `users` is 0, allowed is 1 to 2^40");
}

#[test]
fn extreme_settings_work() {
    let lone = GenerateSettings { users: 1, items: 1, count: 500, per_second: 1, ..GenerateSettings::default() };
    assert_eq!(all(lone).len(), 500);
    let only =
        GenerateSettings { broken_share: 1.0, late_share: 0.0, duplicate_share: 0.0, count: 500, ..settings() };
    assert!(all(only).iter().all(|made| made.record.is_none()));
    let repeated =
        GenerateSettings { duplicate_share: 1.0, late_share: 0.0, broken_share: 0.0, count: 500, ..settings() };
    assert_eq!(all(repeated).iter().filter(|made| made.kind != Kind::Duplicate).count(), 1);
    assert_eq!(all(GenerateSettings { count: 0, ..settings() }).len(), 0);
}
