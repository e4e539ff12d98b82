//! The records of a benchmark, and what the stores must hold after a run over them.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use user_behaviour::generate::{GenerateSettings, Generator};
use user_behaviour::record::Behaviour;

/// Users whose timelines are compared, beside the busiest one.
const USERS: usize = 100;

/// Records in a topic, and what must come of them.
pub(crate) struct Data {
    pub(crate) topic: String,
    pub(crate) records: u64,
    /// Distinct records.
    pub(crate) distinct: u64,
    /// All records of some users.
    pub(crate) users: BTreeMap<String, Vec<Arc<Behaviour>>>,
}

pub(crate) fn settings(records: u64, user_skew: f64) -> GenerateSettings {
    GenerateSettings { count: records, user_skew, ..GenerateSettings::default() }
}

impl Data {
    pub(crate) fn new(topic: String, settings: GenerateSettings) -> Self {
        let generator = || Generator::new(settings.clone()).expect("valid settings");
        let (mut keys, mut per_user) = (HashSet::new(), BTreeMap::<String, u64>::new());
        let mut chosen = HashSet::new();
        for record in generator().expected() {
            keys.insert((record.user_id.clone(), record.event_id.clone()));
            *per_user.entry(record.user_id.to_string()).or_default() += 1;
            if chosen.len() < USERS {
                chosen.insert(record.user_id.to_string());
            }
        }
        let busiest = per_user.into_iter().max_by_key(|(_, records)| *records);
        chosen.extend(busiest.map(|(user, _)| user));
        let mut users = BTreeMap::<String, Vec<_>>::new();
        for record in generator().expected().filter(|record| chosen.contains(record.user_id.as_str())) {
            users.entry(record.user_id.to_string()).or_default().push(record);
        }
        Self { topic, records: settings.count, distinct: keys.len() as u64, users }
    }
}
