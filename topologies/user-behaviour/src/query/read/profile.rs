//! Reads a profile from whichever store can answer.
//!
//! The timelines keep it ready. The rows only hold what it is made of: while the timelines are away it is derived from the
//! newest `profile_rows` of the user, which is the whole for most, and marked as not complete for the others. A profile for
//! which the timelines do not vouch is answered together with what the rows say, and repaired beside.

use std::sync::Arc;
use std::time::Duration;

use compact_str::CompactString;
use squall::service::http::Deadline;
use squall::service::read::Unread;
use squall::store::timeline::{Profile, Whole};

use super::derive::{Lines, of_items, of_profile, union};
use super::time::{before_the_end, first_half};
use super::{Ask, Away, FoundProfile, Interface, Item, Origin, Reader, Unavailable};

impl Reader {
    /// A user's profile; with `stale` also an earlier answer that is not older.
    ///
    /// # Errors
    /// Both stores are away, or the time of the request was over.
    pub async fn profile(
        &self,
        user: &CompactString,
        stale: Option<Duration>,
        deadline: Deadline,
    ) -> Result<FoundProfile, Unavailable> {
        let deadline = if stale.is_some() { before_the_end(deadline) } else { deadline };
        let found = self.fresh_profile(user, deadline).await;
        match (&found, stale) {
            (Ok(fresh), _) if fresh.complete => self.last.keep_profile(user, fresh).await,
            (Ok(part), _) if !part.lines.is_empty() => {}
            (_, Some(stale)) => {
                if let Some(last) = self.last.profile(user, stale).await {
                    return Ok(FoundProfile { source: Origin::Stale, complete: false, ..last });
                }
            }
            _ => {}
        }
        found
    }

    async fn fresh_profile(&self, user: &CompactString, deadline: Deadline) -> Result<FoundProfile, Unavailable> {
        let as_of = self.now_ms();
        let found = |lines, source, complete| Ok(FoundProfile { lines: Arc::new(lines), source, complete, as_of });
        let held = match self.held_profile(user, deadline).await {
            Ok(Some(profile)) if profile.whole != Whole::Unknown => {
                let all = profile.whole == Whole::All;
                let (lines, readable) = of_profile(profile);
                return found(lines, Origin::Redis, all && readable);
            }
            held => held,
        };
        let nothing_held = !matches!(held, Ok(Some(_)));
        if nothing_held && self.known.nothing(user, None).await {
            let source = if held.is_ok() { Origin::Redis } else { Origin::Mysql };
            return found(Lines::new(), source, true);
        }
        let newest = Ask { user: user.clone(), business: None, action: None, before: None, limit: 1 };
        let deadline = if held.is_ok() { before_the_end(deadline) } else { deadline };
        match (held, self.rows_of(&newest, deadline).await) {
            (held, Ok((items, complete))) => {
                if held.is_ok() && !(nothing_held && items.is_empty()) {
                    self.mender.schedule((user.clone(), None));
                } else if items.is_empty() && complete {
                    self.mender.confirm(&(user.clone(), None), &[]).await;
                }
                let limits = &self.sources.limits;
                let held = held.ok().flatten().map(|profile| of_profile(profile).0).unwrap_or_default();
                found(union(held, &of_items(&items, limits), limits), Origin::Mysql, complete)
            }
            (Ok(held), Err(error)) => {
                tracing::debug!(%error, "answering from the timelines alone");
                let lines = held.map(|profile| of_profile(profile).0).unwrap_or_default();
                found(lines, Origin::Redis, false)
            }
            (Err(timelines), Err(rows)) => Err(Unavailable { timelines, rows }),
        }
    }

    async fn held_profile(&self, user: &str, deadline: Deadline) -> Result<Option<Profile>, Away> {
        self.in_path()?;
        let gate = self.timelines_gate(Interface::Profile, user);
        Ok(gate.call(first_half(deadline), self.sources.timelines.profile(user)).await?)
    }

    /// The newest rows of a user, and whether these are all. Pages are joined with those that others read.
    async fn rows_of(&self, newest: &Ask, deadline: Deadline) -> Result<(Vec<Item>, bool), Unread> {
        let gate = self.rows_gates.of(Interface::Profile);
        let first = self.rows.page(gate, newest, deadline).await?;
        let (mut items, mut next, mut readable) = (first.items.clone(), first.next.clone(), first.readable);
        while items.len() < self.settings.profile_rows
            && let Some(before) = next.take()
        {
            let limit = (self.settings.profile_rows - items.len()).min(500);
            let older = Ask { before: Some(before), limit, ..newest.clone() };
            let page = self.rows.page(gate, &older, deadline).await?;
            items.extend_from_slice(&page.items);
            readable &= page.readable;
            next = page.next.clone();
        }
        items.truncate(self.settings.profile_rows.max(first.items.len()));
        Ok((items, next.is_none() && readable))
    }
}
