//! The last answers, for callers that would rather have an old one than none.
//!
//! Every page that is answered is kept, and few are ever asked for again: so they are kept as they cost least to keep, all
//! texts in one piece of memory, and made into records when they are asked for.

use std::sync::Arc;
use std::time::Duration;

use compact_str::CompactString;
use moka::future::Cache;
use squall::store::timeline::StoredEntry;
use tokio::time::Instant;

use super::{Ask, Found, FoundProfile, Item, Origin, Place};

/// Bytes that an answer takes besides its records.
const AROUND: usize = 512;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Question {
    Page(Ask),
    Profile(CompactString),
}

#[derive(Clone)]
enum Answer {
    Page(Arc<Page>),
    Profile(FoundProfile),
}

/// A page of records.
struct Page {
    /// Event id, business and body of each, one after the other.
    text: Box<str>,
    records: Box<[Record]>,
    next: Option<Place>,
    as_of: i64,
}

/// A record of a page: its time, and the bytes of what `text` has of it.
struct Record {
    at_ms: i64,
    id: usize,
    business: usize,
    body: usize,
}

/// Answers to first pages and profiles, of bounded size and age.
#[derive(Clone)]
pub(super) struct Last {
    answers: Cache<Question, (Instant, Answer)>,
    age: Duration,
}

impl Last {
    /// Keeps about `bytes`, for `age`; neither with nothing of either.
    pub(super) fn new(bytes: u64, age: Duration) -> Self {
        let weigh = |_: &Question, (_, answer): &(Instant, Answer)| {
            u32::try_from(AROUND + answer.bytes()).unwrap_or(u32::MAX)
        };
        Self { answers: Cache::builder().max_capacity(bytes).weigher(weigh).build(), age }
    }

    /// Keeps the answer to the question for a first page.
    pub(super) async fn keep(&self, ask: &Ask, found: &Found) {
        if !self.age.is_zero() && ask.before.is_none() {
            let answer = (Instant::now(), Answer::Page(Arc::new(Page::of(found))));
            self.answers.insert(Question::Page(ask.clone()), answer).await;
        }
    }

    /// Keeps a profile.
    pub(super) async fn keep_profile(&self, user: &CompactString, found: &FoundProfile) {
        if !self.age.is_zero() {
            let answer = (Instant::now(), Answer::Profile(found.clone()));
            self.answers.insert(Question::Profile(user.clone()), answer).await;
        }
    }

    /// The last answer, not older than `stale`, as such.
    pub(super) async fn page(&self, ask: &Ask, stale: Duration) -> Option<Found> {
        match self.last(&Question::Page(ask.clone()), stale).await? {
            Answer::Page(page) => Some(page.found()),
            Answer::Profile(_) => None,
        }
    }

    /// The last profile, not older than `stale`.
    pub(super) async fn profile(&self, user: &CompactString, stale: Duration) -> Option<FoundProfile> {
        match self.last(&Question::Profile(user.clone()), stale).await? {
            Answer::Profile(found) => Some(found),
            Answer::Page(_) => None,
        }
    }

    async fn last(&self, question: &Question, stale: Duration) -> Option<Answer> {
        let (at, answer) = self.answers.get(question).await?;
        (at.elapsed() <= stale.min(self.age)).then_some(answer)
    }
}

impl Page {
    fn of(found: &Found) -> Self {
        let record = |item: &Item| Record {
            at_ms: item.place.at_ms,
            id: item.place.id.len(),
            business: item.business.len(),
            body: item.json().len(),
        };
        let records: Box<[Record]> = found.items.iter().map(record).collect();
        let mut text = String::with_capacity(records.iter().map(Record::bytes).sum());
        for item in &found.items {
            text.extend([item.place.id.as_str(), item.business.as_str(), item.json()]);
        }
        Self { text: text.into(), records, next: found.next.clone(), as_of: found.as_of }
    }

    fn found(&self) -> Found {
        let mut rest = &*self.text;
        let mut next = |bytes: usize| {
            let (text, after) = rest.split_at(bytes);
            rest = after;
            text.to_owned()
        };
        let entry = |record: &Record| StoredEntry {
            at_ms: record.at_ms,
            id: next(record.id),
            line: next(record.business),
            body: next(record.body).into(),
        };
        let items = self.records.iter().map(entry).filter_map(Item::of_entry).collect();
        Found { items, next: self.next.clone(), source: Origin::Stale, complete: false, as_of: self.as_of }
    }

    fn bytes(&self) -> usize {
        self.text.len() + size_of_val(&*self.records)
    }
}

impl Record {
    fn bytes(&self) -> usize {
        self.id + self.business + self.body
    }
}

impl Answer {
    fn bytes(&self) -> usize {
        match self {
            Self::Page(page) => page.bytes(),
            Self::Profile(found) => found
                .lines
                .values()
                .map(|line| {
                    let latest: usize = line.latest.values().map(|body| body.raw.get().len() + 128).sum();
                    let days: usize = line.counts.values().map(|days| 64 + 32 * days.len()).sum();
                    latest + days + 128
                })
                .sum(),
        }
    }
}
