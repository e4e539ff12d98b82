//! The last answers, for callers that would rather have an old one than none.
//!
//! Every page that is answered is kept, and few are ever asked for again: so they are kept as they cost least to keep, all
//! texts in one piece of memory, and made into records when they are asked for. One that is found again as it was is not kept
//! anew: it is as fresh as if it had been.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
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
    Profile(Instant, FoundProfile),
}

/// A page of records.
struct Page {
    /// Event id, business and body of each, one after the other.
    text: Box<str>,
    records: Box<[Record]>,
    next: Option<Place>,
    /// When the stores had it last.
    as_of: AtomicI64,
    /// The same in milliseconds since the process keeps answers: a clock that nobody sets.
    seen_ms: AtomicU64,
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
    answers: Cache<Question, Answer>,
    age: Duration,
    began: Instant,
}

impl Last {
    /// Keeps about `bytes`, for `age`; neither with nothing of either.
    pub(super) fn new(bytes: u64, age: Duration) -> Self {
        let weigh = |_: &Question, answer: &Answer| u32::try_from(AROUND + answer.bytes()).unwrap_or(u32::MAX);
        Self { answers: Cache::builder().max_capacity(bytes).weigher(weigh).build(), age, began: Instant::now() }
    }

    /// Keeps the answer to the question for a first page.
    pub(super) async fn keep(&self, ask: &Ask, found: &Found) {
        if self.age.is_zero() || ask.before.is_some() {
            return;
        }
        let (question, now_ms) = (Question::Page(ask.clone()), self.now_ms());
        if let Some(Answer::Page(kept)) = self.answers.get(&question).await
            && kept.is(found)
        {
            kept.seen_again(now_ms, found.as_of);
            return;
        }
        self.answers.insert(question, Answer::Page(Arc::new(Page::of(found, now_ms)))).await;
    }

    /// Keeps a profile.
    pub(super) async fn keep_profile(&self, user: &CompactString, found: &FoundProfile) {
        if !self.age.is_zero() {
            let answer = Answer::Profile(Instant::now(), found.clone());
            self.answers.insert(Question::Profile(user.clone()), answer).await;
        }
    }

    /// The last answer, not older than `stale`, as such.
    pub(super) async fn page(&self, ask: &Ask, stale: Duration) -> Option<Found> {
        match self.answers.get(&Question::Page(ask.clone())).await? {
            Answer::Page(page) => self.is_of_use(page.age(self.now_ms()), stale).then(|| page.found()),
            Answer::Profile(..) => None,
        }
    }

    /// The last profile, not older than `stale`.
    pub(super) async fn profile(&self, user: &CompactString, stale: Duration) -> Option<FoundProfile> {
        match self.answers.get(&Question::Profile(user.clone())).await? {
            Answer::Profile(at, found) => self.is_of_use(at.elapsed(), stale).then_some(found),
            Answer::Page(_) => None,
        }
    }

    fn is_of_use(&self, age: Duration, stale: Duration) -> bool {
        age <= stale.min(self.age)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Page {
    fn of(found: &Found, now_ms: u64) -> Self {
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
        let (as_of, seen_ms) = (found.as_of.into(), now_ms.into());
        Self { text: text.into(), records, next: found.next.clone(), as_of, seen_ms }
    }

    /// Whether it is the same page.
    fn is(&self, found: &Found) -> bool {
        let mut rest = &*self.text;
        let mut begins_with = |bytes: usize, text: &str| {
            let (own, after) = rest.split_at(bytes);
            rest = after;
            own == text
        };
        let mut pairs = self.records.iter().zip(&found.items);
        self.records.len() == found.items.len()
            && self.next == found.next
            && pairs.all(|(record, item)| {
                record.at_ms == item.place.at_ms
                    && begins_with(record.id, &item.place.id)
                    && begins_with(record.business, &item.business)
                    && begins_with(record.body, item.json())
            })
    }

    /// The stores have it still. What another request has found later stands.
    fn seen_again(&self, now_ms: u64, as_of: i64) {
        if self.seen_ms.fetch_max(now_ms, Ordering::Relaxed) <= now_ms {
            self.as_of.store(as_of, Ordering::Relaxed);
        }
    }

    fn age(&self, now_ms: u64) -> Duration {
        Duration::from_millis(now_ms.saturating_sub(self.seen_ms.load(Ordering::Relaxed)))
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
        let as_of = self.as_of.load(Ordering::Relaxed);
        Found { items, next: self.next.clone(), source: Origin::Stale, complete: false, as_of }
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
            Self::Profile(_, found) => found
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ask() -> Ask {
        Ask { user: "u".into(), business: None, action: None, before: None, limit: 2 }
    }

    fn entry(at_ms: i64, id: &str, line: &str, body: &str) -> Item {
        let (id, line) = (id.to_owned(), line.to_owned());
        Item::of_entry(StoredEntry { at_ms, id, line, body: body.as_bytes().to_vec() }).unwrap()
    }

    fn found(as_of: i64, items: &[Item]) -> Found {
        Found { items: items.to_vec(), next: None, source: Origin::Redis, complete: true, as_of }
    }

    async fn kept(last: &Last) -> Arc<Page> {
        match last.answers.get(&Question::Page(ask())).await {
            Some(Answer::Page(page)) => page,
            _ => panic!("no page is kept"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_that_is_found_again_is_as_fresh_as_one_that_is_new() {
        let last = Last::new(1 << 20, 60 * SECOND);
        let items = [entry(2, "b", "hotel", "{}"), entry(1, "a", "hotel", r#"{"n":1}"#)];
        last.keep(&ask(), &found(1_000, &items)).await;
        let first = kept(&last).await;
        for second in [2_i64, 3] {
            tokio::time::advance(SECOND).await;
            last.keep(&ask(), &found(second * 1_000, &items)).await;
        }
        assert!(Arc::ptr_eq(&first, &kept(&last).await), "it was not copied again");
        let page = last.page(&ask(), Duration::ZERO).await.unwrap();
        assert_eq!((page.as_of, page.source, page.complete), (3_000, Origin::Stale, false));
        assert_eq!(page.items, items);
        first.seen_again(0, 500);
        assert_eq!(last.page(&ask(), Duration::ZERO).await.unwrap().as_of, 3_000, "that was seen before");
        tokio::time::advance(SECOND).await;
        assert!(last.page(&ask(), Duration::ZERO).await.is_none());
        assert!(last.page(&ask(), SECOND).await.is_some());
        last.keep(&ask(), &found(2_000, &items)).await;
        assert_eq!(last.page(&ask(), SECOND).await.unwrap().as_of, 2_000, "somebody has set the clock back");
        tokio::time::advance(61 * SECOND).await;
        assert!(last.page(&ask(), Duration::MAX).await.is_none(), "it is too old for anybody");
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_has_changed_takes_the_place_of_what_was() {
        let last = Last::new(1 << 20, 60 * SECOND);
        let newest = entry(2, "b", "hotel", "{}");
        let pages = [
            vec![entry(1, "a", "hotel", "{}")],
            vec![entry(0, "a", "hotel", "{}")],
            vec![entry(0, "c", "hotel", "{}")],
            vec![entry(0, "c", "train", "{}")],
            vec![entry(0, "c", "train", r#"{"n":1}"#)],
            vec![newest.clone(), entry(0, "c", "train", r#"{"n":1}"#)],
            vec![newest],
            Vec::new(),
        ];
        for (at, items) in pages.iter().enumerate() {
            last.keep(&ask(), &found(at as i64, items)).await;
            let page = last.page(&ask(), SECOND).await.unwrap();
            assert_eq!((page.as_of, &page.items), (at as i64, items));
            let business = |item: &Item| item.business.clone();
            assert!(page.items.iter().map(business).eq(items.iter().map(business)));
        }
        let next = Some(Place { at_ms: 7, id: "e7".into() });
        last.keep(&ask(), &Found { next: next.clone(), ..found(9, &[]) }).await;
        assert_eq!(last.page(&ask(), SECOND).await.unwrap().next, next);
    }
}
