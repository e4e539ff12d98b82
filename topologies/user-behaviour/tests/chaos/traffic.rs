//! The records of a run: generated ones, newer versions of recent ones, broken ones.

use std::sync::Arc;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use squall::Headers;
use squall::broker::Append;
use user_behaviour::format::VERSION_HEADER;
use user_behaviour::generate::{GenerateSettings, Generator};
use user_behaviour::record::Behaviour;
use user_behaviour::topology::now_ms;

use super::support::verify::demand::key;

/// How many records back a newer version may reach: seconds of traffic, so that it overtakes what a stopped worker holds.
const POOL: usize = 8192;
/// How long before now the first record occurred, so that no burst runs ahead of the clock.
const BEHIND_MS: i64 = 2 * 86_400_000;

/// A record to append, and how the ledger will know it.
pub(crate) struct Made {
    pub(crate) append: Append,
    /// `None` when it does not decode.
    pub(crate) version: Option<(u128, i64)>,
}

/// What the records are like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mix {
    pub(crate) seed: u64,
    pub(crate) users: u64,
    /// Share of newer versions of recent records.
    pub(crate) revised: f64,
    /// Share of records that no decoder takes.
    pub(crate) broken: f64,
}

/// Never ends.
pub(crate) struct Traffic {
    mix: Mix,
    generator: Generator,
    rng: Xoshiro256PlusPlus,
    recent: Vec<Arc<Behaviour>>,
    made: usize,
}

impl Traffic {
    pub(crate) fn new(mix: Mix) -> Self {
        let settings = GenerateSettings {
            seed: mix.seed,
            count: 1 << 40,
            users: mix.users,
            broken_share: mix.broken,
            // A repeated record would count as a duplicate write.
            duplicate_share: 0.0,
            start_ms: now_ms() - BEHIND_MS,
            ..GenerateSettings::default()
        };
        let rng = Xoshiro256PlusPlus::seed_from_u64(mix.seed ^ 0x5eed);
        Self { mix, generator: Generator::new(settings).unwrap(), rng, recent: Vec::new(), made: 0 }
    }

    /// A newer version of a recent record.
    fn revise(&mut self) -> Made {
        let at = self.rng.random_range(0..self.recent.len());
        let mut record = Behaviour::clone(&self.recent[at]);
        record.occurred_at += self.rng.random_range(1..1000);
        record.attributes.insert("revision", self.made as i64);
        self.recent[at] = Arc::new(record.clone());
        made(&record)
    }

    fn fresh(&mut self) -> Made {
        let generated = self.generator.next().expect("it never ends");
        let version = generated.record.as_ref().map(|record| (key(record), record.occurred_at));
        if let Some(record) = &generated.record {
            if self.recent.len() < POOL {
                self.recent.push(record.clone());
            } else {
                self.recent[self.made % POOL] = record.clone();
            }
        }
        Made { append: generated.append(), version }
    }
}

impl Iterator for Traffic {
    type Item = Made;

    fn next(&mut self) -> Option<Made> {
        self.made += 1;
        let revise = !self.recent.is_empty() && self.rng.random_bool(self.mix.revised);
        Some(if revise { self.revise() } else { self.fresh() })
    }
}

/// `record` as it goes into the log.
pub(crate) fn made(record: &Behaviour) -> Made {
    let mut value = Vec::with_capacity(320);
    record.to_json(&mut value);
    let append = Append {
        key: Some(record.user_id.as_bytes().to_vec().into()),
        value: Some(value.into()),
        headers: Headers::default().with(VERSION_HEADER, b"1".as_slice()),
        ..Append::default()
    };
    Made { append, version: Some((key(record), record.occurred_at)) }
}
