//! The iterator.

use std::sync::Arc;

use bytes::Bytes;
use compact_str::CompactString;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use rand_distr::Zipf;
use squall::Headers;
use squall::broker::Append;

use super::visit::Visit;
use super::{BrokenKind, GenerateSettings, SettingsError};
use crate::format::VERSION_HEADER;
use crate::record::Behaviour;

/// Visits in progress at once at most.
const MAX_VISITS: u64 = 16_384;
/// How long a user looks at one thing, in seconds of event time.
const SECONDS_PER_STEP: u64 = 20;
/// How many records back a duplicate may reach.
const RECENT: usize = 1024;
/// How little a late record lies behind, in milliseconds.
const LATE_FROM_MS: i64 = 60_000;

/// What kind of record it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A new event at its time.
    Fresh,
    /// A new event whose time lies before its place in the stream.
    Late,
    /// The same bytes as a recent record.
    Duplicate,
    /// No decoder takes it.
    Broken(BrokenKind),
}

/// A record, ready to be appended to the log.
#[derive(Debug, Clone)]
pub struct Generated {
    /// The user's id: the key of the record.
    pub key: CompactString,
    /// The value in the format `behaviour-json`, version 1.
    pub value: Bytes,
    /// What kind of record it is.
    pub kind: Kind,
    /// What a decoder must make of it, its `event_id` filled in; `None` when it is broken. Shared with its
    /// duplicates.
    pub record: Option<Arc<Behaviour>>,
}

impl Generated {
    /// The record as it goes into the log: keyed by the user, with the version of the format, stamped by the log.
    pub fn append(&self) -> Append {
        Append {
            key: Some(Bytes::copy_from_slice(self.key.as_bytes())),
            value: Some(self.value.clone()),
            headers: Headers::default().with(VERSION_HEADER, b"1".as_slice()),
            ..Append::default()
        }
    }
}

/// Yields [`GenerateSettings::count`] records.
///
/// Memory is bounded by the visits in progress and the records that a duplicate may repeat, a few megabytes.
///
/// ```
/// use user_behaviour::generate::{GenerateSettings, Generator, Kind};
///
/// let settings = GenerateSettings { count: 1000, broken_share: 0.01, ..Default::default() };
/// let broken = Generator::new(settings)?.filter(|made| matches!(made.kind, Kind::Broken(_))).count();
/// assert!(broken > 0);
/// # Ok::<(), user_behaviour::generate::SettingsError>(())
/// ```
#[derive(Debug)]
pub struct Generator {
    settings: GenerateSettings,
    rng: Xoshiro256PlusPlus,
    users: Zipf<f64>,
    items: Zipf<f64>,
    visits: Vec<Visit>,
    begun: u64,
    made: u64,
    recent: Vec<(Arc<Behaviour>, Bytes)>,
    /// Where in `recent` the next record goes.
    next_recent: usize,
}

impl Generator {
    /// A generator at the beginning of its sequence.
    ///
    /// # Errors
    /// The first setting that is out of range.
    pub fn new(settings: GenerateSettings) -> Result<Self, SettingsError> {
        settings.check()?;
        let zipf = |n: u64, skew: f64| Zipf::new(n as f64, skew).expect("checked settings make a distribution");
        Ok(Self {
            rng: Xoshiro256PlusPlus::seed_from_u64(settings.seed),
            users: zipf(settings.users, settings.user_skew),
            items: zipf(settings.items, settings.item_skew),
            visits: Vec::new(),
            begun: 0,
            made: 0,
            recent: Vec::new(),
            next_recent: 0,
            settings,
        })
    }

    /// What a store must hold in the end: each event that is still to come, once.
    pub fn expected(self) -> impl Iterator<Item = Arc<Behaviour>> {
        self.filter_map(|made| match made.kind {
            Kind::Fresh | Kind::Late => made.record,
            Kind::Duplicate | Kind::Broken(_) => None,
        })
    }

    /// Event time at this place in the stream.
    fn now_ms(&self) -> i64 {
        let passed = u128::from(self.made) * 1000 / u128::from(self.settings.per_second);
        self.settings.start_ms + i64::try_from(passed).expect("checked settings end before 2^53")
    }

    fn kind(&mut self) -> Kind {
        let at: f64 = self.rng.random();
        let broken = self.settings.broken_share;
        let duplicate = broken + self.settings.duplicate_share;
        if at < broken {
            Kind::Broken(BrokenKind::ALL[self.rng.random_range(0..BrokenKind::ALL.len())])
        } else if at < duplicate && !self.recent.is_empty() {
            Kind::Duplicate
        } else if at >= duplicate && at < duplicate + self.settings.late_share {
            Kind::Late
        } else {
            Kind::Fresh
        }
    }

    /// Many more records lie minutes behind than days.
    fn lateness(&mut self) -> i64 {
        let span = self.settings.late_ms as f64 / LATE_FROM_MS as f64;
        let behind = LATE_FROM_MS as f64 * span.powf(self.rng.random());
        (behind as i64).clamp(LATE_FROM_MS, self.settings.late_ms)
    }

    /// The next step of a random visit.
    fn step(&mut self, occurred_at: i64) -> Behaviour {
        let wanted = (self.settings.per_second.saturating_mul(SECONDS_PER_STEP)).clamp(1, MAX_VISITS);
        let slot = self.rng.random_range(0..wanted as usize);
        if slot >= self.visits.len() {
            let visit = self.begin_visit();
            self.visits.push(visit);
        }
        let slot = slot.min(self.visits.len() - 1);
        let record = self.visits[slot].record(occurred_at, &mut self.rng);
        let item = self.rng.sample(self.items) as u64;
        if !self.visits[slot].go_on(item, &mut self.rng) {
            self.visits[slot] = self.begin_visit();
        }
        record
    }

    fn begin_visit(&mut self) -> Visit {
        self.begun += 1;
        let user = self.rng.sample(self.users) as u64;
        let item = self.rng.sample(self.items) as u64;
        Visit::begin(self.begun, user, item, &mut self.rng)
    }

    fn new_event(&mut self, kind: Kind, occurred_at: i64) -> Generated {
        let mut record = self.step(occurred_at);
        let mut value = Vec::with_capacity(320);
        record.to_json(&mut value);
        if record.event_id.is_empty() {
            record.event_id = record.derive_event_id();
        }
        let (record, value) = (Arc::new(record), Bytes::from(value));
        self.remember(&record, &value);
        Generated { key: record.user_id.clone(), value, kind, record: Some(record) }
    }

    fn remember(&mut self, record: &Arc<Behaviour>, value: &Bytes) {
        if self.settings.duplicate_share == 0.0 {
            return;
        }
        let kept = (record.clone(), value.clone());
        if self.recent.len() < RECENT {
            self.recent.push(kept);
        } else {
            self.recent[self.next_recent] = kept;
            self.next_recent = (self.next_recent + 1) % RECENT;
        }
    }
}

impl Iterator for Generator {
    type Item = Generated;

    fn next(&mut self) -> Option<Generated> {
        if self.made >= self.settings.count {
            return None;
        }
        let now_ms = self.now_ms();
        let kind = self.kind();
        let generated = match kind {
            Kind::Fresh => self.new_event(kind, now_ms),
            Kind::Late => {
                let occurred_at = now_ms - self.lateness();
                self.new_event(kind, occurred_at)
            }
            Kind::Duplicate => {
                let (record, value) = self.recent[self.rng.random_range(0..self.recent.len())].clone();
                Generated { key: record.user_id.clone(), value, kind, record: Some(record) }
            }
            Kind::Broken(how) => {
                let record = self.step(now_ms);
                let key = record.user_id.clone();
                Generated { key, value: how.value(record, &mut self.rng), kind, record: None }
            }
        };
        self.made += 1;
        Some(generated)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.settings.count - self.made).unwrap_or(usize::MAX);
        (left, Some(left))
    }
}
