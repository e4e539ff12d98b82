//! The outermost layer: what the sink did not store becomes durable elsewhere.
//!
//! A failure that finds the breaker of its node open, or opens it, is the node's: its rows are parked and no attempt of theirs is
//! counted. Otherwise the rows that find out whether a store works again, in a long outage the same few, would climb
//! to the longest levels and at last be given up for what was never their fault. Nor is a row given up by a node that
//! has stored nothing since that row failed first: it stays in the longest level, however often it was tried.
//!
//! A row whose record is meant for other sinks only ([`ONLY_SINKS`](crate::broker::addressed::ONLY_SINKS)) is passed over
//! as if it were stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{Codec, Parcel, Parked, SinkState, Topics};
use crate::broker::addressed::is_meant_for;
use crate::broker::dead_letter::append_letters;
use crate::broker::{Append, BrokerError, Producer};
use crate::guard::Levels;
use crate::topology::{Class, Data, Error, Origin, Rejected, Result, Sink, TaskInfo};

/// Where rows go that the sink did not store.
pub(super) struct Routes {
    pub(super) topics: Topics,
    pub(super) dead_letters: String,
    /// Whether rows may wait elsewhere; see [`DeliverySettings::divert`](super::DeliverySettings::divert).
    pub(super) divert: bool,
    pub(super) levels: Levels,
    pub(super) producer: Arc<dyn Producer>,
}

/// A sink that always takes its rows: what the inner one refuses or fails to store is written to a retry level, to the
/// parked records or to the dead letters, and counts as stored once that is durable.
///
/// A write that the inner sink calls poison as a whole is given back when it has more than one row: the runtime then
/// halves it until the row at fault stands alone.
pub struct Divert<S, T> {
    inner: S,
    state: Arc<SinkState>,
    routes: Arc<Routes>,
    codec: Codec<T>,
}

/// A row that was not stored, and why.
struct Failed<'a> {
    row: usize,
    class: Class,
    reason: &'a str,
}

impl<S, T> Divert<S, T> {
    pub(super) fn new(inner: S, state: Arc<SinkState>, routes: Arc<Routes>, codec: Codec<T>) -> Self {
        Self { inner, state, routes, codec }
    }
}

impl<S: Clone, T> Clone for Divert<S, T> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.state.clone(), self.routes.clone(), self.codec.clone())
    }
}

impl<S, T> Sink for Divert<S, T>
where
    T: Data + Sync,
    S: Sink<In = Arc<Parcel<T>>>,
{
    type In = Arc<Parcel<T>>;

    async fn prepare(&mut self, task: &TaskInfo) -> Result<()> {
        self.inner.prepare(task).await
    }

    async fn write(&mut self, rows: &[&Arc<Parcel<T>>]) -> Result<Rejected> {
        let name = self.state.name();
        let is_meant = |row: &&Arc<Parcel<T>>| is_meant_for(&row.record, name);
        if rows.iter().all(is_meant) {
            return self.write_all(rows).await;
        }
        let (at, meant): (Vec<usize>, Vec<&Arc<Parcel<T>>>) =
            rows.iter().copied().enumerate().filter(|(_, row)| is_meant(row)).unzip();
        if meant.is_empty() {
            return Ok(Rejected::none());
        }
        let rejected = self.write_all(&meant).await?;
        Ok(rejected.into_iter().map(|(row, error)| (at[row], error)).collect())
    }

    fn size_of(&self, tuple: &Arc<Parcel<T>>) -> usize {
        self.inner.size_of(tuple)
    }

    async fn close(&mut self) -> Result<()> {
        self.inner.close().await
    }
}

impl<S, T> Divert<S, T>
where
    T: Data + Sync,
    S: Sink<In = Arc<Parcel<T>>>,
{
    /// [`Sink::write`] of rows that are all meant for this sink.
    async fn write_all(&mut self, rows: &[&Arc<Parcel<T>>]) -> Result<Rejected> {
        let failed: Vec<(usize, Error)> = match self.inner.write(rows).await {
            Ok(rejected) => rejected.into_iter().collect(),
            Err(error) if error.class() == Class::Fatal => return Err(error),
            Err(error) if error.class() == Class::Poison && rows.len() > 1 => return Err(error),
            Err(error) => {
                let (class, reason) = (error.class(), error.chain());
                let failed = (0..rows.len()).map(|row| Failed { row, class, reason: &reason });
                self.divert(rows, failed).await?;
                return Ok(Rejected::none());
            }
        };
        self.count_stored(rows, &failed);
        if failed.is_empty() {
            return Ok(Rejected::none());
        }
        let (fatal, failed): (Vec<_>, Vec<_>) =
            failed.into_iter().partition(|(_, error)| error.class() == Class::Fatal);
        let reasons: Vec<String> = failed.iter().map(|(_, error)| error.chain()).collect();
        let failed = failed.iter().zip(&reasons);
        let failed = failed.map(|((row, error), reason)| Failed { row: *row, class: error.class(), reason });
        self.divert(rows, failed).await?;
        Ok(fatal.into_iter().collect())
    }

    fn count_stored(&self, rows: &[&Arc<Parcel<T>>], failed: &[(usize, Error)]) {
        let is_again = |row: usize| rows[row].past.first_failure_ms.is_some();
        let again = (0..rows.len()).filter(|row| is_again(*row)).count();
        if again > 0 {
            let failed = failed.iter().filter(|(row, _)| is_again(*row)).count();
            self.state.counters().recovered(again - failed);
        }
        self.state.fresh(rows.len() - again);
        let (now, mut failed) = (self.state.clock().unix_ms(), failed.iter().map(|(row, _)| *row).peekable());
        let stored = rows.iter().enumerate().filter(|(at, _)| failed.next_if_eq(at).is_none());
        // Of a store of one node the first says it all.
        let most = if self.state.nodes() == 1 { 1 } else { rows.len() };
        for (_, row) in stored.take(most) {
            self.state.node(self.codec.node_of(&row.value)).stored(now);
        }
    }

    /// Writes rows elsewhere, and returns once all of them are durable; fails before, when some may not wait there.
    async fn divert(&mut self, rows: &[&Arc<Parcel<T>>], failed: impl Iterator<Item = Failed<'_>>) -> Result<()> {
        let mut targets: BTreeMap<Target, Vec<Append>> = BTreeMap::new();
        let now = self.state.clock().unix_ms();
        let left_alone: Vec<bool> = (0..self.state.nodes()).map(|node| self.state.is_left_alone(node)).collect();
        for failed in failed {
            let node = self.codec.node_of(&rows[failed.row].value);
            let (target, parked) = self.route(rows[failed.row], &failed, now, (node, left_alone[node]));
            if !self.routes.divert && failed.class != Class::Poison {
                return Err(Error::retryable(failed.reason.to_owned()));
            }
            targets.entry(target).or_default().push(parked.to_append());
        }
        for (target, appends) in targets {
            let count = appends.len();
            match target {
                Target::Level(level) => {
                    let topic = &self.routes.topics.levels[level];
                    self.routes.append(topic, appends).await?;
                    self.state.counters().retried(count);
                }
                Target::Parked(node) => {
                    self.routes.append(&self.routes.topics.parked[node], appends).await?;
                    self.state.counters().parked(count);
                }
                Target::Dead => {
                    append_letters(&*self.routes.producer, &self.routes.dead_letters, appends).await?;
                    self.state.counters().dead(count);
                }
            }
        }
        Ok(())
    }

    /// Where a row of a node, which may be left alone, goes, and as what.
    fn route(
        &self,
        row: &Parcel<T>,
        failed: &Failed<'_>,
        now: i64,
        (node, left_alone): (usize, bool),
    ) -> (Target, Parked) {
        let past = row.past;
        // Nothing was attempted when it was refused, nothing that says anything about the row when the store is away.
        let is_parked = match failed.class {
            Class::Refused => true,
            Class::Retryable => left_alone,
            Class::Poison | Class::Fatal => false,
        };
        let attempts = past.attempts + u32::from(!is_parked);
        let (levels, first) = (&self.routes.levels, past.first_failure_ms.unwrap_or(now));
        let (target, not_before_ms) = match failed.class {
            _ if is_parked => (Target::Parked(node), 0),
            Class::Refused | Class::Retryable => {
                // A store that has stored nothing since is no reason to give a row up.
                let longest = levels
                    .delays()
                    .len()
                    .checked_sub(1)
                    .filter(|_| !self.state.node(node).has_stored_since(first));
                match levels.level_of(attempts).or(longest) {
                    Some(level) => {
                        let due = levels.due(attempts, now, entropy_of(&row.record.origin, attempts));
                        (Target::Level(level), due)
                    }
                    None => (Target::Dead, 0),
                }
            }
            Class::Poison | Class::Fatal => (Target::Dead, 0),
        };
        let mut record = row.record.clone();
        record.origin.attempt = attempts;
        let parked = Parked {
            record,
            sink: Some(self.state.name().to_owned()),
            class: failed.class,
            reason: failed.reason.to_owned(),
            version: self.codec.version_of(&row.value),
            not_before_ms,
            first_failure_ms: first,
            last_failure_ms: now,
            redriven: past.redriven,
        };
        (target, parked)
    }
}

impl Routes {
    /// Appends to a retry topic. A record that its headers make too large for the log can wait nowhere: it goes to the
    /// dead letters, which keep what fits.
    async fn append(&self, topic: &str, records: Vec<Append>) -> Result<()> {
        match self.producer.append(topic, records.clone()).await {
            Err(BrokerError::TooLarge { .. }) => {
                for record in records {
                    match self.producer.append(topic, vec![record.clone()]).await {
                        Err(BrokerError::TooLarge { .. }) => {
                            append_letters(&*self.producer, &self.dead_letters, vec![record]).await?;
                        }
                        result => drop(result?),
                    }
                }
                Ok(())
            }
            result => Ok(result.map(drop)?),
        }
    }
}

/// What the jitter of a retry is drawn from: the record and the try, so that rows that failed together spread, and a
/// schedule that is run again is the same.
fn entropy_of(origin: &Origin, attempts: u32) -> u64 {
    let place = (u64::from(origin.partition) << 48) ^ origin.offset;
    xxh3_64_with_seed(&place.to_le_bytes(), u64::from(attempts))
}

/// A place for rows that were not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Level(usize),
    /// For this node.
    Parked(usize),
    Dead,
}
