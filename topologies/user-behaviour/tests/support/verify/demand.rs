//! What the log demands of the stores.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use squall::broker::Broker;
use user_behaviour::format::find;
use user_behaviour::record::Behaviour;
use user_behaviour::settings::Config;
use user_behaviour::topology::decode;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::walk;

pub(super) const DAY_MS: i64 = 86_400_000;

/// What the log demands.
#[derive(Default)]
pub(super) struct Demand {
    pub(super) records: u64,
    /// Partition and offset of each record that does not decode, with the hash of its bytes.
    pub(super) undecodable: BTreeMap<(u32, u64), u64>,
    /// Newest version and its content, by key.
    pub(super) rows: HashMap<u128, (i64, u64)>,
    pub(super) users: BTreeMap<String, User>,
}

#[derive(Default)]
pub(super) struct User {
    /// By business.
    pub(super) lines: BTreeMap<String, Line>,
    pub(super) newest_day: i64,
    /// Distinct `(business, action, day, id)`.
    pub(super) counted: BTreeSet<(String, String, i64, String)>,
}

pub(super) struct Line {
    /// Time of the newest version, by id.
    pub(super) events: BTreeMap<String, i64>,
    /// Earliest time of any version.
    pub(super) first_ms: i64,
    /// Latest time of any version.
    pub(super) last_ms: i64,
}

/// A record of the log, as it was found there.
pub(crate) struct Seen {
    pub(crate) partition: u32,
    pub(crate) offset: u64,
    /// [`key`] and version; `None` when it does not decode.
    pub(crate) version: Option<(u128, i64)>,
}

pub(super) async fn demand(broker: &dyn Broker, config: &Config, mut see: impl FnMut(&Seen)) -> Demand {
    let format = find(&config.format).unwrap();
    let mut demand = Demand::default();
    walk(broker, &config.source.topic, |record| {
        demand.records += 1;
        let (partition, offset) = (record.origin.partition, record.origin.offset);
        let version = match decode(format, record) {
            Ok(decoded) => {
                demand.add(decoded.record());
                Some((key(decoded.record()), decoded.record().occurred_at))
            }
            Err(_) => {
                demand.undecodable.insert((partition, offset), bytes_of(record.value.as_deref()));
                None
            }
        };
        see(&Seen { partition, offset, version });
    })
    .await;
    demand
}

impl Demand {
    fn add(&mut self, record: &Behaviour) {
        let version = (record.occurred_at, content(record));
        let row = self.rows.entry(key(record)).or_insert(version);
        if version.0 >= row.0 {
            *row = version;
        }
        let user = self.users.entry(record.user_id.to_string()).or_default();
        let fresh = || Line { events: BTreeMap::new(), first_ms: i64::MAX, last_ms: i64::MIN };
        let line = user.lines.entry(record.business.to_string()).or_insert_with(fresh);
        let at = line.events.entry(record.event_id.to_string()).or_insert(record.occurred_at);
        *at = record.occurred_at.max(*at);
        line.first_ms = line.first_ms.min(record.occurred_at);
        line.last_ms = line.last_ms.max(record.occurred_at);
        let day = record.occurred_at.div_euclid(DAY_MS);
        user.newest_day = day.max(user.newest_day);
        let (business, action) = (record.business.to_string(), record.action.to_string());
        user.counted.insert((business, action, day, record.event_id.to_string()));
    }
}

/// Stands for user and event id.
pub(crate) fn key(record: &Behaviour) -> u128 {
    key_of(&record.user_id, &record.event_id)
}

/// [`key`] of the record with these ids.
pub(super) fn key_of(user_id: &str, event_id: &str) -> u128 {
    xxh3_128(format!("{user_id}\0{event_id}").as_bytes())
}

pub(super) fn content(record: &Behaviour) -> u64 {
    let mut json = Vec::new();
    record.to_json(&mut json);
    xxh3_64(&json)
}

/// The hash of a value; a record without one differs from an empty one.
pub(super) fn bytes_of(value: Option<&[u8]>) -> u64 {
    value.map_or(0, xxh3_64)
}
