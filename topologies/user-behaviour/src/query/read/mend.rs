//! Repair: bringing back into the timelines what they should hold, beside the requests.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use compact_str::CompactString;
use squall::guard::{Mode, Switch};
use squall::service::http::Deadline;
use squall::service::read::{ReadGate, Unread};
use squall::store::timeline::{Entry, Limits, Whole};
use squall::store::{StoreError, Timelines};
use squall::topology::BoxFuture;
use tokio::sync::Semaphore;

use super::derive::{of_items, of_profile, union};
use super::held::{Held, kept};
use super::known::{Known, Of};
use super::rows::{RowReader, RowsPage};
use super::{Ask, Item};

/// Rows that are read, and entries that are written, at a time.
const AT_ONCE: usize = 256;

/// What repairs need.
pub(super) struct Mender {
    pub(super) timelines: Arc<dyn Timelines>,
    pub(super) limits: Limits,
    pub(super) switch: Switch,
    /// By node.
    pub(super) timelines_gates: Box<[ReadGate]>,
    pub(super) rows: RowReader,
    pub(super) rows_gate: ReadGate,
    pub(super) known: Known,
    /// Rows of a user that are brought back at most.
    pub(super) most: usize,
    pub(super) in_flight: Semaphore,
    pub(super) queue: Arc<Semaphore>,
    pub(super) queued: Mutex<HashSet<Of>>,
    pub(super) numbers: Numbers,
}

/// Numbers of repairs, unlike those of other processes.
#[derive(Default)]
pub(super) struct Numbers {
    random: RandomState,
    given: AtomicU64,
}

impl Numbers {
    fn next(&self) -> u64 {
        self.random.hash_one(self.given.fetch_add(1, Ordering::Relaxed))
    }
}

impl Mender {
    /// Has the timelines compared with the rows, and repaired, unless that is under way or too many wait: the next read
    /// finds the same again.
    pub(super) fn schedule(self: &Arc<Self>, of: Of) {
        let Ok(place) = self.queue.clone().try_acquire_owned() else { return };
        if !self.queued().insert(of.clone()) {
            return;
        }
        let queued = Queued { mender: self.clone(), of };
        tokio::spawn(async move {
            let _place = place;
            let Queued { mender, of } = &queued;
            let _one = mender.in_flight.acquire().await.expect("the semaphore is never closed");
            if let Err(error) = mender.mend(of).await {
                tracing::debug!(user = %of.0, %error, "timelines are not repaired yet");
            }
        });
    }

    async fn mend(&self, of: &Of) -> Result<(), Unread> {
        if self.switch.mode() == Mode::On {
            return Ok(());
        }
        let (user, business) = (&of.0, of.1.as_ref());
        let all = Ask { user: user.clone(), business: business.cloned(), action: None, before: None, limit: 1 };
        // They vouch for a user, not for a business of his.
        let vouched = business.is_some() || self.held(user, None).await?.whole != Whole::Unknown;
        let number = self.numbers.next();
        let repair = if vouched { None } else { self.begin(user, &all, number).await? };
        // After it began: what the node had and lost before is in these rows.
        let seed = self.read(&Ask { limit: self.limits.keep.max(1), ..all.clone() }).await?;
        let mut lacks =
            self.held(user, business.map(CompactString::as_str)).await?.lacks(&seed.items, &self.limits);
        if repair.is_none() && !lacks {
            if !(seed.ended() && seed.readable && self.confirm(of, &seed.items).await) {
                self.known.lacks_nothing(of).await;
            }
            return Ok(());
        }
        let newest = seed.items.len();
        let (rows, ended) = self.all(&all, seed).await?;
        let mut taken = true;
        if lacks || self.lacks(user, &rows).await? {
            lacks = true;
            let (newest, older) = rows.split_at(newest);
            taken &= self.apply(user, older).await?;
            // Last: a repair that ends early leaves the timeline without these, and so is begun again.
            taken &= self.apply(user, newest).await?;
        }
        if let Some(repair) = repair.filter(|_| taken) {
            // Where the newest rows were all there, so were the others; unless it was a repair that brought them.
            let lost = lacks || repair != number;
            let whole = if ended || !lost { Whole::All } else { Whole::Timelines };
            self.in_time(user, self.timelines.end_repair(user, repair, whole)).await?;
        }
        if ended {
            self.confirm(of, &rows).await;
        }
        Ok(())
    }

    /// Begins to make a user whole, or takes part in that; none when there is nothing of it anywhere.
    async fn begin(&self, user: &str, all: &Ask, repair: u64) -> Result<Option<u64>, Unread> {
        let begun = self.in_time(user, self.timelines.begin_repair(user, repair)).await?;
        if begun.is_some() {
            return Ok(begun);
        }
        // Nothing is held of the user: one entry makes it an owner.
        let one = self.read(all).await?.items;
        if one.is_empty() {
            return Ok(None);
        }
        self.apply(user, &one).await?;
        self.in_time(user, self.timelines.begin_repair(user, repair)).await
    }

    async fn read(&self, ask: &Ask) -> Result<RowsPage, Unread> {
        self.rows.read(&self.rows_gate, ask, Deadline::after(self.rows_gate.patience())).await
    }

    /// The rows from `seed` on, newest first, and whether these are all and can be read.
    async fn all(&self, of: &Ask, seed: RowsPage) -> Result<(Vec<Item>, bool), Unread> {
        let RowsPage { items: mut all, mut next, mut readable } = seed;
        let mut read = self.limits.keep;
        while let Some(before) = next.take_if(|_| read < self.most) {
            read += AT_ONCE;
            let older = Ask { before: Some(before), limit: AT_ONCE, ..of.clone() };
            let page = self.read(&older).await?;
            readable &= page.readable;
            next = page.next;
            all.extend(page.items);
        }
        Ok((all, next.is_none() && readable))
    }

    /// Whether a timeline or the profile lacks one of `rows`, newest first, that it would have kept.
    async fn lacks(&self, user: &str, rows: &[Item]) -> Result<bool, Unread> {
        let businesses: BTreeSet<&str> = rows.iter().map(|row| row.business.as_str()).collect();
        for business in businesses {
            let rows: Vec<Item> = rows.iter().filter(|row| row.business == business).cloned().collect();
            if self.held(user, Some(business)).await?.lacks(&rows, &self.limits) {
                return Ok(true);
            }
        }
        let profile = self.in_time(user, self.timelines.profile(user)).await?;
        let (held, readable) = profile.map(of_profile).unwrap_or_default();
        let known = union(held.clone(), &of_items(rows, &self.limits), &self.limits);
        Ok(!readable || known != held)
    }

    async fn held(&self, user: &str, business: Option<&str>) -> Result<Held, Unread> {
        let gate = self.gate(user);
        let deadline = Deadline::after(gate.patience());
        Held::read(&self.timelines, gate, &self.limits, (user, business), self.limits.keep, deadline).await
    }

    /// Remembers that `rows` are all, if the timelines hold all of them; whether they do.
    pub(super) async fn confirm(&self, of: &Of, rows: &[Item]) -> bool {
        let all = kept(rows, &self.limits).into_iter().all(|kept| kept);
        if all {
            self.known.confirm(&of.0, of.1.as_ref(), rows).await;
        }
        all
    }

    /// Through the versioned write: what is newer there stays, what was counted is not counted again. Whether none was
    /// refused.
    async fn apply(&self, user: &str, items: &[Item]) -> Result<bool, Unread> {
        let mut taken = true;
        for items in items.chunks(AT_ONCE) {
            let actions: Vec<Cow<'_, str>> = items.iter().map(Item::action).collect();
            let entries: Vec<Entry<'_>> =
                items.iter().zip(&actions).map(|(item, action)| item.entry(user, action)).collect();
            let refused = self.in_time(user, self.timelines.apply(&entries)).await?;
            if let Some((_, reason)) = refused.first() {
                tracing::warn!(user, refused = refused.len(), %reason, "entries of a repair are refused");
                taken = false;
            }
        }
        Ok(taken)
    }

    /// A call about a user.
    async fn in_time<T>(&self, user: &str, call: BoxFuture<'_, Result<T, StoreError>>) -> Result<T, Unread> {
        let gate = self.gate(user);
        gate.call(Deadline::after(gate.patience()), call).await
    }

    fn gate(&self, user: &str) -> &ReadGate {
        &self.timelines_gates[self.timelines.node_of(user)]
    }

    fn queued(&self) -> std::sync::MutexGuard<'_, HashSet<Of>> {
        self.queued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A repair that waits or is under way; dropped, also by a panic, another may come.
struct Queued {
    mender: Arc<Mender>,
    of: Of,
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.mender.queued().remove(&self.of);
    }
}
