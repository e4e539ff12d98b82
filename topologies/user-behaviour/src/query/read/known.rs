//! Of which users the timelines are known to hold all.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use compact_str::CompactString;
use moka::future::Cache;
use tokio::time::Instant;

use super::{Item, Place};

/// A user, or a user and business.
pub(super) type Of = (CompactString, Option<CompactString>);

/// What comparing the timelines with the rows has shown. Only moka's bound on the number is used: its own clock would not
/// follow a paused one.
#[derive(Clone)]
pub(super) struct Known {
    users: Cache<Of, Arc<Compared>>,
    /// Until when nothing is taken to be missing, of those of whom the rows have more than the timelines keep.
    trimmed: Cache<Of, Instant>,
    confirm: Duration,
    negative: Duration,
}

struct Compared {
    until: Instant,
    /// Until when a line that was not there is taken to be none.
    nothing_until: Instant,
    all: Extent,
    lines: BTreeMap<CompactString, Extent>,
}

/// How many there were, and the oldest.
#[derive(Clone, Default)]
struct Extent {
    count: usize,
    oldest: Option<Place>,
}

impl Extent {
    /// Adds the next older one.
    fn add(&mut self, item: &Item) {
        self.count += 1;
        self.oldest = Some(item.place.clone());
    }

    /// Whether `held`, newest first, still has all of them: a node that lost its data lost the oldest, and does not have it
    /// by new records, however many come.
    fn is_within(&self, held: &[Item]) -> bool {
        let oldest = held.last().map(|item| &item.place);
        held.len() >= self.count && self.oldest.as_ref().is_none_or(|is| oldest.is_some_and(|held| held <= is))
    }
}

impl Known {
    /// Remembers `users` at most; those that have something for `confirm`, the others for `negative`.
    pub(super) fn new(users: u64, confirm: Duration, negative: Duration) -> Self {
        Self { users: Cache::new(users), trimmed: Cache::new(users), confirm, negative }
    }

    /// Whether `held`, newest first, of a user, or of a user and business, are all that there is.
    pub(super) async fn covers(&self, user: &str, business: Option<&str>, held: &[Item]) -> bool {
        if let Some(compared) = self.compared(user, business).await {
            return compared.all.is_within(held);
        }
        match (business, self.compared(user, None).await) {
            (Some(line), Some(all)) => match all.lines.get(line) {
                Some(line) => line.is_within(held),
                None => all.nothing_until > Instant::now(),
            },
            _ => false,
        }
    }

    /// Whether there is nothing at all.
    pub(super) async fn nothing(&self, user: &str, business: Option<&str>) -> bool {
        self.covers(user, business, &[]).await
    }

    /// Remembers that `items`, newest first, are all of a user, or of a user and business.
    pub(super) async fn confirm(&self, user: &CompactString, business: Option<&CompactString>, items: &[Item]) {
        let kept = if items.is_empty() { self.negative } else { self.confirm };
        if kept.is_zero() {
            return;
        }
        let now = Instant::now();
        let mut compared = Compared {
            until: now + kept,
            nothing_until: now + self.negative,
            all: Extent::default(),
            lines: BTreeMap::new(),
        };
        for item in items {
            compared.all.add(item);
            compared.lines.entry(item.business.clone()).or_default().add(item);
        }
        self.users.insert((user.clone(), business.cloned()), Arc::new(compared)).await;
    }

    /// Remembers that the timelines lack nothing of a user, or of a user and business, though the rows have more.
    pub(super) async fn lacks_nothing(&self, of: &Of) {
        self.trimmed.insert(of.clone(), Instant::now() + self.confirm).await;
    }

    /// Whether that is remembered.
    pub(super) async fn is_known_to_lack_nothing(&self, of: &Of) -> bool {
        self.trimmed.get(of).await.is_some_and(|until| until > Instant::now())
    }

    async fn compared(&self, user: &str, business: Option<&str>) -> Option<Arc<Compared>> {
        let compared = self.users.get(&(user.into(), business.map(Into::into))).await?;
        (compared.until > Instant::now()).then_some(compared)
    }
}
