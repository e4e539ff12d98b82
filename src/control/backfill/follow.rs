//! The task that reads the jobs and the ledger.

use std::convert::Infallible;
use std::sync::Arc;

use tokio::time::sleep;

use super::desk::Shared;
use super::job::PREFIX;
use super::{BackfillError, Event, Job, Ledger};
use crate::broker::{Append, Broker, BrokerError, Cursor, LogRecord};

/// Records of one fetch.
const FETCH: usize = 1_000;

/// Follows both topics for ever, through every outage of the log.
pub(super) async fn follow(shared: Arc<Shared>) {
    let mut away = false;
    loop {
        let Err(error) = session(&shared, &mut away).await;
        if !std::mem::replace(&mut away, true) {
            tracing::warn!(%error, "backfills cannot be followed, trying again until they can");
        }
        sleep(shared.settings.back_off).await;
    }
}

/// Reads both to their ends, then goes on record by record, until the log fails.
async fn session(shared: &Shared, away: &mut bool) -> Result<Infallible, BrokerError> {
    let (broker, names, look) = (&*shared.broker, &shared.names, shared.settings.look);
    let (_, end) = ends(broker, &names.backfill).await?;
    let mut jobs = Jobs::open(broker, &names.control).await?;
    jobs.read_on(shared).await?;
    let (earliest, _) = ends(broker, &names.backfill).await?;
    let known = shared.look(Ledger::next);
    if known > end {
        tracing::warn!(seen = known, end, "the ledger of the backfills begins anew");
        shared.change(|ledger| *ledger = Ledger::default());
        jobs = Jobs::open(broker, &names.control).await?;
        jobs.read_on(shared).await?;
    }
    let start = shared.look(Ledger::next).max(earliest);
    let mut cursor = broker.cursor(&names.backfill, &[(0, start)])?;
    while cursor.position(0).unwrap_or(start) < end {
        if let Some(fetched) = cursor.fetch(FETCH, look).await? {
            fold(shared, &mut jobs, &fetched.records).await?;
        }
    }
    shared.changed();
    bury(shared).await?;
    if std::mem::take(away) {
        tracing::warn!("backfills can be followed again");
    }
    loop {
        tokio::select! {
            fetched = cursor.fetch(FETCH, look) => if let Some(fetched) = fetched? {
                fold(shared, &mut jobs, &fetched.records).await?;
                shared.changed();
                bury(shared).await?;
            },
            fetched = jobs.cursor.fetch(FETCH, look) => if let Some(fetched) = fetched? {
                add(shared, &fetched.records);
                shared.changed();
            },
        }
    }
}

/// Adds the ends of jobs to their records. Every process does, so that one at least lives to do it.
async fn bury(shared: &Shared) -> Result<(), BrokerError> {
    let over = shared.look(Ledger::epitaphs);
    if over.is_empty() {
        return Ok(());
    }
    let record = |job: &Job| Append {
        partition: Some(0),
        key: Some(job.key().into()),
        value: Some(job.encode()),
        timestamp_ms: Some(shared.settings.clock.unix_ms()),
        ..Append::default()
    };
    shared.broker.producer()?.append(&shared.names.control, over.iter().map(record).collect()).await?;
    over.into_iter().for_each(|job| shared.change(|ledger| ledger.add(job)));
    Ok(())
}

/// The control topic, as far as it was read.
struct Jobs<'a> {
    broker: &'a dyn Broker,
    topic: &'a str,
    start: u64,
    cursor: Box<dyn Cursor>,
}

impl<'a> Jobs<'a> {
    async fn open(broker: &'a dyn Broker, topic: &'a str) -> Result<Self, BrokerError> {
        let (start, _) = ends(broker, topic).await?;
        Ok(Self { broker, topic, start, cursor: broker.cursor(topic, &[(0, start)])? })
    }

    /// Reads to the end as it is now.
    async fn read_on(&mut self, shared: &Shared) -> Result<(), BrokerError> {
        let (_, end) = ends(self.broker, self.topic).await?;
        while self.cursor.position(0).unwrap_or(self.start) < end {
            if let Some(fetched) = self.cursor.fetch(FETCH, shared.settings.look).await? {
                add(shared, &fetched.records);
            }
        }
        Ok(())
    }
}

/// Folds records of the ledger. A job's own record is durable before anything is said of it: of one that is not known
/// yet the control topic tells.
async fn fold(shared: &Shared, jobs: &mut Jobs<'_>, records: &[LogRecord]) -> Result<(), BrokerError> {
    for record in records {
        let event = record.value.as_deref().and_then(Event::decode);
        if let Some(event) = &event
            && !shared.look(|ledger| ledger.knows(event.job()))
        {
            jobs.read_on(shared).await?;
        }
        shared.change(|ledger| ledger.note(record.origin.offset, event.as_ref()));
        shared.changed_since_read();
    }
    Ok(())
}

/// Adds the jobs that are among control records.
fn add(shared: &Shared, records: &[LogRecord]) {
    for record in records {
        match job_of(record) {
            Some(Ok(job)) => shared.change(|ledger| ledger.add(job)),
            Some(Err(error)) => tracing::warn!(origin = %record.origin, %error, "a backfill is ignored"),
            None => {}
        }
    }
}

/// The job that a control record holds, if it is about one.
pub(super) fn job_of(record: &LogRecord) -> Option<Result<Job, BackfillError>> {
    let key = std::str::from_utf8(record.key.as_deref()?).ok()?;
    let id = key.strip_prefix(PREFIX)?;
    let job = Job::decode(record.value.as_deref()?);
    let same = |job: Job| match job.id == id {
        true => Ok(job),
        false => Err(BackfillError::Invalid { what: "id", valid: format!("that of its key is {id}") }),
    };
    Some(job.and_then(same))
}

/// The offsets that partition 0 holds.
async fn ends(broker: &dyn Broker, topic: &str) -> Result<(u64, u64), BrokerError> {
    let bounds = broker.bounds(topic).await?;
    let unknown = || BrokerError::UnknownPartition { topic: topic.to_owned(), partition: 0 };
    bounds.first().map(|bounds| (bounds.earliest, bounds.latest)).ok_or_else(unknown)
}
