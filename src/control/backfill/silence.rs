//! For how long leases have said nothing, by a clock that nobody sets.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::{Entry, State};

/// What each lease said last, and since when that is known.
///
/// The time in a lease is that of its worker. One whose clock is ahead by an hour would keep its chunk for an hour after its
/// death; so a lease of which nothing has been heard for as long as it lasts is over whatever it says. A claim for that
/// reason names what was heard last, and does not count where the log has more of the worker by then.
#[derive(Debug, Default)]
pub(super) struct Silence(BTreeMap<(String, u32), (u64, Instant)>);

impl Silence {
    /// Takes in what leases say now.
    pub(super) fn listen<'a>(&mut self, entries: impl Iterator<Item = &'a Entry>, now: Instant) {
        let mut heard = BTreeMap::new();
        for entry in entries {
            for (chunk, lease) in entry.leases() {
                let place = (entry.job().id.clone(), chunk);
                let known = self.0.get(&place).filter(|(last, _)| *last == lease.heard);
                heard.insert(place, (lease.heard, known.map_or(now, |(_, since)| *since)));
            }
        }
        self.0 = heard;
    }

    /// A chunk of a lease that is over so, and what was heard of it last.
    pub(super) fn offer(&self, entry: &Entry, now: Instant) -> Option<(u32, u64)> {
        let (job, lease_ms) = (entry.job(), Duration::from_millis(entry.job().lease_ms));
        let is_over = |chunk: u32, last: u64| {
            let known = self.0.get(&(job.id.clone(), chunk));
            known.is_some_and(|(heard, since)| *heard == last && now.duration_since(*since) > lease_ms)
        };
        let mut leases = entry.leases().filter(|_| entry.state() == State::Running);
        leases.find(|(chunk, lease)| is_over(*chunk, lease.heard)).map(|(chunk, lease)| (chunk, lease.heard))
    }
}
