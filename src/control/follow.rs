//! The task that follows the control topic.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::sleep;

use super::ControlError;
use super::backfill;
use super::outage::Outage;
use super::shared::Shared;
use super::state::State;
use crate::broker::{Bounds, BrokerError, LogRecord};

/// Unknown kinds of keys that are warned about before that ends.
const MAX_WARNED: usize = 32;
/// Difference between the clock here and that of who made a change, from which on it is warned about, in
/// milliseconds. A record is read some milliseconds after it is made, and what expires is seldom meant to the second.
const MAX_SKEW_MS: i64 = 5_000;

/// Follows for ever, through every outage of the log. Says when the log was read to its end for the first time.
pub(super) async fn follow(shared: Arc<Shared>, caught_up: watch::Sender<bool>) {
    let mut outage = Outage::of("follow the control topic", &shared.settings);
    let mut follower =
        Follower { shared, caught_up, read: false, warned: BTreeSet::new(), skewed: false, disk_full: false };
    loop {
        let Err(error) = follower.session(&mut outage).await;
        sleep(outage.failed(&error)).await;
    }
}

struct Follower {
    shared: Arc<Shared>,
    caught_up: watch::Sender<bool>,
    /// Whether the state comes from the log; until then it comes from the file.
    read: bool,
    /// Kinds of keys that were warned about.
    warned: BTreeSet<String>,
    /// Whether a difference of clocks was warned about.
    skewed: bool,
    /// Whether the last write of the file failed.
    disk_full: bool,
}

impl Follower {
    /// Reads to the end, applies what is newest there, then goes on record by record, until the log fails.
    async fn session(&mut self, outage: &mut Outage) -> Result<Infallible, BrokerError> {
        let topic = self.shared.names.control.clone();
        let bounds = self.shared.broker.bounds(&topic).await?;
        let unknown = || BrokerError::UnknownPartition { topic: topic.clone(), partition: 0 };
        let bounds = *bounds.first().ok_or_else(unknown)?;
        let (mut state, lost) = self.begin(bounds);
        let anew = lost.is_some();
        let mut cursor = self.shared.broker.cursor(&topic, &[(0, state.next)])?;
        let (max, wait) = (self.shared.settings.fetch, self.shared.settings.follow_wait);
        // Older values of a key are passed over unseen: a switch does not flap through its history.
        while cursor.position(0).unwrap_or(state.next) < bounds.latest {
            if let Some(fetched) = cursor.fetch(max, wait).await? {
                self.fold(&mut state, &fetched.records);
            }
        }
        state.next = bounds.latest.max(state.next);
        if let Some(lost) = lost {
            state.keep(&lost);
        }
        self.apply(state, anew).await;
        self.read = true;
        outage.over();
        self.caught_up.send_replace(true);
        loop {
            if let Some(fetched) = cursor.fetch(max, wait).await? {
                let mut state = self.shared.state();
                let next = state.next;
                self.fold(&mut state, &fetched.records);
                self.warn_skew(&state, next);
                self.apply(state, false).await;
            }
        }
    }

    /// What to fold on, and the state of an earlier log if this one begins anew: then that state stays until it is
    /// changed.
    fn begin(&self, bounds: Bounds) -> (State, Option<State>) {
        let known = self.shared.state();
        if known.next > bounds.latest {
            let (seen, end) = (known.next, bounds.latest);
            tracing::warn!(seen, end, "the control topic begins anew; what it does not say stays as it was");
            return (State { next: bounds.earliest, ..State::default() }, Some(known));
        }
        if self.read && known.next >= bounds.earliest {
            return (known, None);
        }
        (State { next: bounds.earliest, ..State::default() }, None)
    }

    fn fold(&mut self, state: &mut State, records: &[LogRecord]) {
        for record in records {
            match state.note(record) {
                Ok(()) => {}
                Err(ControlError::UnknownKey { key }) => self.warn_unknown(&key),
                Err(error) => {
                    let (origin, key) = (&record.origin, record.key.as_deref().unwrap_or_default());
                    let key = String::from_utf8_lossy(key);
                    tracing::warn!(%origin, %key, %error, "a control record is ignored");
                }
            }
        }
    }

    fn warn_unknown(&mut self, key: &str) {
        if key.starts_with(backfill::PREFIX) {
            return;
        }
        let kind = key.split('/').next().unwrap_or_default();
        if self.warned.len() < MAX_WARNED && self.warned.insert(kind.to_owned()) {
            tracing::warn!(key, "this program does not know such control records; they are ignored");
        }
    }

    /// Warns once when a change that was made just now was made at another time by the clock here.
    fn warn_skew(&mut self, state: &State, next: u64) {
        let now_ms = self.shared.now_ms();
        if let Some((key, skew_ms)) =
            state.skew(next, now_ms).filter(|(_, ms)| !self.skewed && ms.abs() > MAX_SKEW_MS)
        {
            self.skewed = true;
            tracing::warn!(
                %key, skew_ms,
                "the clock of who made this change differs from the clock here, which judges when it expires; set both \
                 by one time server"
            );
        }
    }

    async fn apply(&mut self, state: State, anew: bool) {
        self.shared.apply(state.clone());
        self.store(state, anew).await;
        self.shared.stored();
    }

    /// Writes the last-known-good file. The switches are turned already: a disk that fails is a warning.
    async fn store(&mut self, state: State, anew: bool) {
        let file = self.shared.file.clone();
        let written = tokio::task::spawn_blocking(move || file.write(&state, anew)).await;
        let written = written.unwrap_or_else(|_| Err(std::io::Error::other("the process is ending")));
        match written {
            Ok(()) => self.disk_full = false,
            Err(error) if !self.disk_full => {
                self.disk_full = true;
                let path = self.shared.file.path().display();
                tracing::warn!(%path, %error, "the last known switches cannot be written; they work until a restart");
            }
            Err(_) => {}
        }
    }
}
