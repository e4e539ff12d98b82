//! Repair: bringing back into the timelines what they should hold, beside the requests.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use compact_str::CompactString;
use squall::guard::{Mode, Switch};
use squall::service::http::Deadline;
use squall::service::read::{ReadGate, Unread};
use squall::store::Timelines;
use squall::store::timeline::{Entry, Limits};
use tokio::sync::Semaphore;

use super::held::{Held, kept};
use super::known::Known;
use super::rows::{RowReader, RowsPage};
use super::{Ask, Item};

/// Rows that are read, and entries that are written, at a time.
const AT_ONCE: usize = 256;

/// Whose timelines are compared and repaired: those of a user, or of a user and business.
type Of = (CompactString, Option<CompactString>);

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
}

impl Mender {
    /// Has the timelines compared with the rows, and repaired, unless that is under way or too many wait: the next read
    /// finds the same again. `seed` are the newest rows, if they were read.
    pub(super) fn schedule(self: &Arc<Self>, ask: &Ask, seed: Option<Arc<RowsPage>>) {
        let of = (ask.user.clone(), ask.business.clone());
        let Ok(place) = self.queue.clone().try_acquire_owned() else { return };
        if !self.queued().insert(of.clone()) {
            return;
        }
        let queued = Queued { mender: self.clone(), of };
        tokio::spawn(async move {
            let _place = place;
            let Queued { mender, of } = &queued;
            let _one = mender.in_flight.acquire().await.expect("the semaphore is never closed");
            if let Err(error) = mender.mend(of, seed).await {
                tracing::debug!(user = %of.0, %error, "timelines are not repaired yet");
            }
        });
    }

    async fn mend(&self, of: &Of, seed: Option<Arc<RowsPage>>) -> Result<(), Unread> {
        if self.switch.mode() == Mode::On {
            return Ok(());
        }
        let (user, business) = (&of.0, of.1.as_ref());
        let newest = Ask { user: user.clone(), business: business.cloned(), action: None, before: None, limit: 1 };
        let seed = match seed {
            Some(seed) => seed,
            None => self.rows.page(&self.rows_gate, &newest, Deadline::after(self.rows_gate.patience())).await?,
        };
        let gate = self.gate(user);
        let deadline = Deadline::after(gate.patience());
        let whose = (user.as_str(), business.map(CompactString::as_str));
        let held = Held::read(&self.timelines, gate, &self.limits, whose, self.limits.keep, deadline).await?;
        let mut all = seed.items.clone();
        let (mut next, mut readable) = (seed.next.clone(), seed.readable);
        if held.lacks(&seed.items, &self.limits) {
            // A node that lost its data lost the profile as well, which counts what a timeline no longer keeps.
            while let Some(before) = next.take().filter(|_| all.len() < self.most) {
                let older = Ask { before: Some(before), limit: AT_ONCE, ..newest.clone() };
                let deadline = Deadline::after(self.rows_gate.patience());
                let page = self.rows.read(&self.rows_gate, &older, deadline).await?;
                self.apply(user, &page.items).await?;
                readable &= page.readable;
                next = page.next;
                all.extend(page.items);
            }
            // Last: a repair that ends early leaves the timeline without these, and so is begun again.
            self.apply(user, &seed.items).await?;
        }
        if next.is_none() && readable {
            self.confirm(of, &all).await;
        }
        Ok(())
    }

    /// Remembers that `rows` are all, if the timelines hold all of them.
    pub(super) async fn confirm(&self, of: &Of, rows: &[Item]) {
        if kept(rows, &self.limits).into_iter().all(|kept| kept) {
            self.known.confirm(&of.0, of.1.as_ref(), rows).await;
        }
    }

    /// Through the versioned write: what is newer there stays, what was counted is not counted again.
    async fn apply(&self, user: &str, items: &[Item]) -> Result<(), Unread> {
        for items in items.chunks(AT_ONCE) {
            let actions: Vec<Cow<'_, str>> = items.iter().map(Item::action).collect();
            let entries: Vec<Entry<'_>> =
                items.iter().zip(&actions).map(|(item, action)| item.entry(user, action)).collect();
            let gate = self.gate(user);
            let deadline = Deadline::after(gate.patience());
            let refused = gate.call(deadline, self.timelines.apply(&entries)).await?;
            if let Some((_, reason)) = refused.first() {
                tracing::warn!(user, refused = refused.len(), %reason, "entries of a repair are refused");
            }
        }
        Ok(())
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
