//! Where single records are, with everything that is known of each.

use std::collections::{BTreeMap, VecDeque};

use super::aside::{accounts, letters_of};
use super::known::Known;
use super::{AtSink, Expect, Found, InLog, Letter, Range, Source, Standing, Subject, Verdict, VerifyError, Wait};
use crate::broker::{Bounds, BrokerError, LogRecord, Scan};
use crate::delivery::letters::LettersError;
use crate::delivery::{Parked, Waiting};

/// Places that are held of records that wait or are dead: those of the records that are asked for.
const MAX_ASIDE: usize = 100_000;

/// A record's place, and the sink of what is told of it.
type Key = (u32, u64, Option<String>);

/// What is told of the records that are asked for.
#[derive(Default)]
struct Traces {
    waits: BTreeMap<Key, Vec<Wait>>,
    letters: BTreeMap<Key, Vec<Letter>>,
}

/// Finds records, and says where they are.
pub struct Tracer<'a, E> {
    source: Source,
    expect: &'a E,
}

impl<'a, E: Expect> Tracer<'a, E> {
    /// A tracer of these records in these stores.
    pub fn new(source: Source, expect: &'a E) -> Self {
        Self { source, expect }
    }

    /// The record at an offset; the one after it where the log has a hole.
    ///
    /// # Errors
    /// [`VerifyError::Range`] for a place that the log does not have, saying what it has.
    pub async fn at(&self, partition: u32, offset: u64) -> Result<Vec<Subject<E::Item>>, VerifyError> {
        let bounds = self.bounds().await?;
        let Source { broker, topic, .. } = &self.source;
        let Some(own) = bounds.iter().find(|own| own.partition == partition) else {
            let last = bounds.len().saturating_sub(1);
            return Err(VerifyError::Range(format!(
                "{topic} has no partition {partition}, valid are 0 to {last}"
            )));
        };
        let Bounds { earliest, latest, .. } = *own;
        if !(earliest..latest).contains(&offset) {
            let valid = match latest.checked_sub(1) {
                Some(last) if earliest <= last => format!("valid are {earliest} to {last}"),
                _ => "it holds none".to_owned(),
            };
            let skipped = super::skipped::Skipped::read(&self.source).await?;
            let told = skipped.of(partition, offset).map(|skip| format!("; it was passed over {}", skip.by));
            return Err(VerifyError::Range(format!(
                "partition {partition} of {topic} has no offset {offset}, {valid}{}",
                told.unwrap_or_default()
            )));
        }
        let mut scan = Scan::new(&**broker, topic, &[*own], |_| offset)?;
        let records = scan.next().await?.unwrap_or_default();
        Ok(records.into_iter().take(1).map(|record| self.subject(&record)).collect())
    }

    /// The newest `limit` records by their place in the log that came at `since_ms` or later and that `wanted` takes.
    /// `progress` is told how many records were looked at, of how many.
    ///
    /// # Errors
    /// What the log says.
    pub async fn search(
        &self,
        since_ms: i64,
        limit: usize,
        wanted: impl Fn(&E::Item) -> bool,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Vec<Subject<E::Item>>, VerifyError> {
        let bounds = self.bounds().await?;
        let Source { broker, topic, .. } = &self.source;
        let starts = broker.offsets_at(topic, since_ms).await?;
        let start = |own: &Bounds| starts.get(own.partition as usize).copied().unwrap_or(own.earliest);
        let total = bounds.iter().map(|own| own.latest.saturating_sub(start(own))).sum();
        let (mut scan, mut found, mut read) = (Scan::new(&**broker, topic, &bounds, start)?, VecDeque::new(), 0);
        while let Some(records) = scan.next().await? {
            read += records.len() as u64;
            for record in &records {
                let Ok(item) = self.expect.decode(record) else { continue };
                if wanted(&item) {
                    found.push_back(Subject { log: Some(in_log(record)), item: Ok(item) });
                }
                if found.len() > 2 * limit {
                    keep_newest(&mut found, limit);
                }
            }
            progress(read, total);
        }
        keep_newest(&mut found, limit);
        Ok(found.into())
    }

    /// Says where each record is.
    ///
    /// # Errors
    /// What log and stores say.
    pub async fn trace(&self, subjects: &[Subject<E::Item>]) -> Result<Vec<Found>, VerifyError> {
        let places = subjects.iter().filter_map(|subject| subject.log);
        let one = |log: InLog| Range { partition: log.partition, from: log.offset, to: log.offset + 1 };
        let ranges: Vec<Range> = places.map(one).collect();
        let known = Known::of(&self.source, &ranges, MAX_ASIDE).await?;
        let traces = self.traces(&ranges).await?;
        let mut found: Vec<Found> = subjects.iter().map(|subject| self.found(subject, &known, &traces)).collect();
        let items: Vec<&E::Item> = subjects.iter().filter_map(|subject| subject.item.as_ref().ok()).collect();
        for sink in self.expect.sinks() {
            let mut standings = self.expect.look(sink, &items).await?.into_iter();
            for (subject, found) in subjects.iter().zip(&mut found).filter(|(subject, _)| subject.item.is_ok()) {
                let standing = standings.next().unwrap_or(Standing::Absent);
                let verdict = match subject.log {
                    Some(log) => Some(known.judge(Some(sink), (log.partition, log.offset), standing)),
                    None => beyond_the_log(standing),
                };
                found.sinks.push(traces.at(subject.log, Some(sink), verdict));
            }
        }
        Ok(found)
    }

    fn found(&self, subject: &Subject<E::Item>, known: &Known, traces: &Traces) -> Found {
        let name = subject.item.as_ref().ok().map(|item| self.expect.name(item));
        let place = subject.log.map(|log| (log.partition, log.offset));
        let judge = |place| traces.at(subject.log, None, Some(known.judge(None, place, Standing::Absent)));
        Found {
            log: subject.log,
            committed: place.map(|(partition, offset)| offset < known.committed(partition)),
            sinks: if name.is_none() { place.map(judge).into_iter().collect() } else { Vec::new() },
            name,
            undecodable: subject.item.as_ref().err().cloned(),
            skip: place.and_then(|(partition, offset)| known.skip(partition, offset).cloned()),
        }
    }

    fn subject(&self, record: &LogRecord) -> Subject<E::Item> {
        Subject { log: Some(in_log(record)), item: self.expect.decode(record) }
    }

    /// Everything that retry topics and dead letters say of the records at these places.
    async fn traces(&self, ranges: &[Range]) -> Result<Traces, VerifyError> {
        let mut traces = Traces::default();
        let place = |parked: &Parked| {
            let origin = &parked.record.origin;
            let meant = *origin.topic == *self.source.topic;
            (meant && ranges.iter().any(|range| range.has(origin.partition, origin.offset)))
                .then_some((origin.partition, origin.offset))
        };
        Waiting::new(self.source.broker.clone(), &self.source.topology)
            .read(|waits| {
                let Ok(parked) = &waits.parked else { return };
                let Some((partition, offset)) = place(parked) else { return };
                let key = (partition, offset, Some(waits.sink));
                traces.waits.entry(key).or_default().push(wait(waits.place.label(), parked));
            })
            .await?;
        let (letters, mut from) = (letters_of(&self.source), BTreeMap::new());
        let walked = letters.walk(&mut from, |letter| {
            let Some((partition, offset)) = letter.parked.as_ref().ok().and_then(place) else { return };
            let key = (partition, offset, letter.sink().map(ToOwned::to_owned));
            traces.letters.entry(key).or_default().push(Letter {
                letter: letter.id().to_string(),
                class: letter.class().to_owned(),
                reason: letter.reason(),
                died_ms: letter.stored.timestamp_ms,
                holds: accounts(&letter),
                mark: letter.mark,
            });
        });
        match walked.await {
            Ok(()) | Err(LettersError::NoTopic { .. }) => Ok(traces),
            Err(error) => Err(error.into()),
        }
    }

    async fn bounds(&self) -> Result<Vec<Bounds>, VerifyError> {
        let Source { broker, topic, .. } = &self.source;
        match broker.bounds(topic).await {
            Err(BrokerError::UnknownTopic { .. }) => Err(VerifyError::NoTopic { topic: topic.clone() }),
            result => Ok(result?),
        }
    }
}

impl Traces {
    fn at(&self, log: Option<InLog>, sink: Option<&str>, verdict: Option<Verdict>) -> AtSink {
        let of = |sink: Option<&str>| log.map(|log| (log.partition, log.offset, sink.map(ToOwned::to_owned)));
        let waits = of(sink).and_then(|key| self.waits.get(&key)).cloned().unwrap_or_default();
        let letters = [of(sink), of(None).filter(|_| sink.is_some())].into_iter().flatten();
        let letters = letters.filter_map(|key| self.letters.get(&key)).flatten().cloned();
        AtSink { sink: sink.map(ToOwned::to_owned), verdict, waits, letters: letters.collect() }
    }
}

fn wait(queue: String, parked: &Parked) -> Wait {
    Wait {
        queue,
        due_ms: parked.not_before_ms,
        attempts: parked.record.origin.attempt,
        first_failure_ms: parked.first_failure_ms,
        last_failure_ms: parked.last_failure_ms,
        error: parked.reason.clone(),
    }
}

/// A record that some store knows and that was not found in the log.
fn beyond_the_log(standing: Standing) -> Option<Verdict> {
    match standing {
        Standing::Stored => Some(Verdict::Stored),
        Standing::Newer => Some(Verdict::Newer),
        Standing::Expired => Some(Verdict::Expired),
        Standing::Absent => None,
    }
}

fn in_log(record: &LogRecord) -> InLog {
    let origin = &record.origin;
    InLog { partition: origin.partition, offset: origin.offset, time_ms: record.timestamp_ms }
}

/// Keeps the newest by the log's time, oldest first.
fn keep_newest<I>(found: &mut VecDeque<Subject<I>>, limit: usize) {
    let order = |subject: &Subject<I>| subject.log.map(|log| (log.time_ms, log.partition, log.offset));
    found.make_contiguous().sort_by_key(order);
    found.drain(..found.len().saturating_sub(limit));
}
