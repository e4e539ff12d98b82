//! How records stand in the timelines.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use squall::service::verify::Standing;
use squall::store::timeline::{Limits, StoredEntry};
use squall::store::{StoreError, Timelines};
use tokio::task::JoinSet;

use crate::record::Decoded;

/// Timelines that are read at the same time.
const AT_ONCE: usize = 16;

/// Reads each timeline once, whatever number of records is of it.
pub(super) async fn look(
    timelines: &Arc<dyn Timelines>,
    limits: Limits,
    items: &[&Decoded],
) -> Result<Vec<Standing>, StoreError> {
    let mut lines: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for (at, decoded) in items.iter().enumerate() {
        let record = decoded.record();
        lines.entry((&record.user_id, &record.business)).or_default().push(at);
    }
    let mut standings = vec![Standing::Absent; items.len()];
    let (mut lines, mut reading) = (lines.into_iter(), JoinSet::new());
    loop {
        for ((user, business), at) in lines.by_ref().take(AT_ONCE - reading.len()) {
            let (timelines, user, business) = (timelines.clone(), user.to_owned(), business.to_owned());
            reading.spawn(async move {
                let line = timelines.timeline(&user, Some(&business), limits.keep).await?;
                Ok::<_, StoreError>((at, Line::of(line, limits)))
            });
        }
        let Some(read) = reading.join_next().await else { return Ok(standings) };
        // A task that panicked has said why; that of a store's error ends the others by dropping the set.
        let (at, line) = read.map_err(|error| gone(&error))??;
        at.into_iter().for_each(|at| standings[at] = line.standing(items[at]));
    }
}

fn gone(error: &tokio::task::JoinError) -> StoreError {
    StoreError::Server { store: "timelines", reason: format!("reading a timeline: {error}") }
}

/// What a timeline holds, and what it has no place for.
struct Line {
    /// Time of each entry, by id.
    entries: HashMap<String, i64>,
    /// The least entry of a timeline that is full.
    least: Option<(i64, String)>,
    /// Entries of this time and older ones are too old; none while the timeline is empty.
    cutoff: Option<i64>,
}

impl Line {
    /// `entries` are newest first.
    fn of(entries: Vec<StoredEntry>, limits: Limits) -> Self {
        let max_age = i64::try_from(limits.max_age.as_millis()).unwrap_or(i64::MAX);
        let cutoff = entries.first().map(|newest| newest.at_ms.saturating_sub(max_age));
        let full = entries.len() >= limits.keep;
        let least = entries.last().filter(|_| full).map(|least| (least.at_ms, least.id.clone()));
        Self { entries: entries.into_iter().map(|entry| (entry.id, entry.at_ms)).collect(), least, cutoff }
    }

    /// An entry replaces older ones of its id, so an older one that stands there lacks it. One that is not there is right
    /// not to be when the rules of the timelines drop it beside what is there.
    fn standing(&self, decoded: &Decoded) -> Standing {
        let (id, at) = (decoded.record().event_id.as_str(), decoded.record().occurred_at);
        match self.entries.get(id) {
            Some(stands) if *stands == at => Standing::Stored,
            Some(stands) if *stands > at => Standing::Newer,
            Some(_) => Standing::Absent,
            None => {
                let trimmed = self.least.as_ref().is_some_and(|(least, of)| (at, id) < (*least, of.as_str()));
                let aged = self.cutoff.is_some_and(|cutoff| at <= cutoff);
                if trimmed || aged { Standing::Expired } else { Standing::Absent }
            }
        }
    }
}
