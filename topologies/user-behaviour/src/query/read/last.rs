//! The last answers, for callers that would rather have an old one than none.

use std::time::Duration;

use compact_str::CompactString;
use moka::future::Cache;
use tokio::time::Instant;

use super::{Ask, Found, FoundProfile};

/// Bytes that an answer takes besides its records.
const AROUND: usize = 512;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Question {
    Page(Ask),
    Profile(CompactString),
}

#[derive(Clone)]
enum Answer {
    Page(Found),
    Profile(FoundProfile),
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
            let answer = (Instant::now(), Answer::Page(found.clone()));
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

    /// The last answer, not older than `stale`.
    pub(super) async fn page(&self, ask: &Ask, stale: Duration) -> Option<Found> {
        match self.last(&Question::Page(ask.clone()), stale).await? {
            Answer::Page(found) => Some(found),
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

impl Answer {
    fn bytes(&self) -> usize {
        match self {
            Self::Page(found) => found.items.iter().map(|item| item.json().len() + 128).sum(),
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
