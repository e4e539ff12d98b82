//! How records stand in the timelines.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use squall::service::verify::Standing;
use squall::store::timeline::{Limits, StoredEntry};
use squall::store::{StoreError, Timelines};
use tokio::task::JoinSet;
use xxhash_rust::xxh3::xxh3_64;

use crate::record::Decoded;

/// Timelines that are read at the same time.
const AT_ONCE: usize = 16;
/// Entries that are remembered, 16 bytes each.
const REMEMBERED: usize = 4_000_000;
/// As many entries a timeline itself counts for: its names, its least entry.
const OF_A_LINE: usize = 16;

/// Timelines that were read for earlier blocks of records. A record that is absent by what is remembered is looked for in
/// the store again: remembering saves reading, and never makes a record seem to be missing.
#[derive(Default)]
pub(super) struct Remembered {
    lines: HashMap<(String, String), Line>,
    entries: usize,
}

/// How each record stands. Reads a timeline once, whatever number of records is of it, and not again while it is
/// remembered and has all of them.
pub(super) async fn look(
    timelines: &Arc<dyn Timelines>,
    limits: Limits,
    remembered: &Mutex<Remembered>,
    items: &[&Decoded],
) -> Result<Vec<Standing>, StoreError> {
    let mut lines: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for (at, decoded) in items.iter().enumerate() {
        let record = decoded.record();
        lines.entry((&record.user_id, &record.business)).or_default().push(at);
    }
    let mut standings = vec![Standing::Absent; items.len()];
    lines.retain(|(user, business), at| {
        let remembered = remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(line) = remembered.lines.get(&((*user).to_owned(), (*business).to_owned())) else { return true };
        at.iter().for_each(|at| standings[*at] = line.standing(items[*at]));
        at.iter().any(|at| standings[*at] == Standing::Absent)
    });
    let (mut lines, mut reading) = (lines.into_iter(), JoinSet::new());
    loop {
        for ((user, business), at) in lines.by_ref().take(AT_ONCE - reading.len()) {
            let (timelines, user, business) = (timelines.clone(), user.to_owned(), business.to_owned());
            reading.spawn(async move {
                let line = timelines.timeline(&user, Some(&business), limits.keep).await?;
                Ok::<_, StoreError>(((user, business), at, Line::of(&line, limits)))
            });
        }
        let Some(read) = reading.join_next().await else { return Ok(standings) };
        // An error ends the other reads by dropping the set.
        let (name, at, line) = read.map_err(|error| gone(&error))??;
        at.into_iter().for_each(|at| standings[at] = line.standing(items[at]));
        remembered.lock().unwrap_or_else(PoisonError::into_inner).add(name, line);
    }
}

impl Remembered {
    fn add(&mut self, name: (String, String), line: Line) {
        let weight = |line: &Line| OF_A_LINE + line.entries.len();
        if self.entries + weight(&line) > REMEMBERED {
            *self = Self::default();
        }
        self.entries += weight(&line);
        if let Some(former) = self.lines.insert(name, line) {
            self.entries -= weight(&former);
        }
    }
}

fn gone(error: &tokio::task::JoinError) -> StoreError {
    StoreError::Server { store: "timelines", reason: format!("reading a timeline: {error}") }
}

/// What a timeline holds, and what it has no place for.
struct Line {
    /// Digest of the id and time of each entry, by digest. That two ids of a timeline share one has a probability of less
    /// than 1 in 10^14.
    entries: Box<[(u64, i64)]>,
    /// The least entry of a timeline that is full.
    least: Option<(i64, String)>,
    /// Entries of this time and older ones are too old; none while the timeline is empty.
    cutoff: Option<i64>,
}

impl Line {
    /// `entries` are newest first.
    fn of(entries: &[StoredEntry], limits: Limits) -> Self {
        let max_age = i64::try_from(limits.max_age.as_millis()).unwrap_or(i64::MAX);
        let cutoff = entries.first().map(|newest| newest.at_ms.saturating_sub(max_age));
        let full = entries.len() >= limits.keep;
        let least = entries.last().filter(|_| full).map(|least| (least.at_ms, least.id.clone()));
        let digest = |entry: &StoredEntry| (xxh3_64(entry.id.as_bytes()), entry.at_ms);
        let mut entries: Box<[_]> = entries.iter().map(digest).collect();
        entries.sort_unstable();
        Self { entries, least, cutoff }
    }

    /// An entry replaces older ones of its id, so an older one that stands there lacks it. One that is not there is right
    /// not to be when the rules of the timelines drop it beside what is there.
    fn standing(&self, decoded: &Decoded) -> Standing {
        let (id, at) = (decoded.record().event_id.as_str(), decoded.record().occurred_at);
        let found = self.entries.binary_search_by_key(&xxh3_64(id.as_bytes()), |(digest, _)| *digest);
        match found.ok().map(|place| self.entries[place].1) {
            Some(stands) if stands == at => Standing::Stored,
            Some(stands) if stands > at => Standing::Newer,
            Some(_) => Standing::Absent,
            None => {
                let trimmed = self.least.as_ref().is_some_and(|(least, of)| (at, id) < (*least, of.as_str()));
                let aged = self.cutoff.is_some_and(|cutoff| at <= cutoff);
                if trimmed || aged { Standing::Expired } else { Standing::Absent }
            }
        }
    }
}
