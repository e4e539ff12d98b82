//! For how long leases have said nothing, by a clock that nobody sets.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::{Entry, State};

/// What each lease said last, and since when.
///
/// The time in a lease is that of its worker. One whose clock is ahead by an hour would keep its chunk for an hour after its
/// death; so a lease of which nothing has been heard for as long as it lasts is over whatever it says. Whoever has not read
/// on for a while hears nothing of a living worker either: the claim comes after its renewals in the log, and does not count.
#[derive(Debug, Default)]
pub(super) struct Silence(BTreeMap<(String, u32), (Said, Instant)>);

/// Token, time and progress.
type Said = (u64, i64, u64);

impl Silence {
    /// Takes in what leases say now.
    pub(super) fn listen<'a>(&mut self, entries: impl Iterator<Item = &'a Entry>, now: Instant) {
        let mut heard = BTreeMap::new();
        for entry in entries {
            for (chunk, _) in entry.leases() {
                let Some(said) = said(entry, chunk) else { continue };
                let place = (entry.job().id.clone(), chunk);
                let since =
                    self.0.get(&place).filter(|(before, _)| *before == said).map_or(now, |(_, since)| *since);
                heard.insert(place, (said, since));
            }
        }
        self.0 = heard;
    }

    /// A chunk of a lease that is over so, and a time at which it is by what its worker said.
    pub(super) fn offer(&self, entry: &Entry, now: Instant) -> Option<(u32, i64)> {
        let (job, lease_ms) = (entry.job(), entry.job().lease_ms);
        let is_over = |chunk: u32| {
            let (before, since) = self.0.get(&(job.id.clone(), chunk))?;
            let is_silent = said(entry, chunk) == Some(*before);
            Some(is_silent && now.duration_since(*since) > Duration::from_millis(lease_ms))
        };
        let mut leases = entry.leases().filter(|_| entry.state() == State::Running);
        let (chunk, lease) = leases.find(|(chunk, _)| is_over(*chunk) == Some(true))?;
        Some((chunk, lease.renewed_ms.saturating_add_unsigned(lease_ms).saturating_add(1)))
    }
}

fn said(entry: &Entry, chunk: u32) -> Option<Said> {
    let lease = entry.lease(chunk)?;
    Some((lease.token, lease.renewed_ms, entry.chunk(chunk)?.next))
}
