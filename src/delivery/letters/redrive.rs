//! Sending letters back, and discarding them.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;

use super::list::with_mark;
use super::plan::{Way, Ways};
use super::returns::Returns;
use super::{Letter, LetterId, Letters, LettersError, Mark, MarkState, Plan};
use crate::broker::{Append, Bounds, BrokerError, Scan};
use crate::delivery::headers::REDRIVEN;
use crate::guard::{LoopGuardSettings, Looped, Rate};

/// Letters that are sent, or marked, at once at most.
const BATCH: u64 = 500;
/// Bytes of payload of the letters that are sent at once.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// How long the last look waits for letters that are on their way.
const LAST_LOOK: Duration = Duration::from_millis(100);

/// How letters are sent back.
#[derive(Debug, Clone)]
pub struct Redrive {
    /// Letters a second.
    pub rate: u64,
    /// To the topic that they were first read from, also those that failed at a sink.
    pub to_source: bool,
    /// A new payload, for exactly one letter.
    pub payload: Option<Bytes>,
    /// Who does it.
    pub who: String,
    /// Why.
    pub reason: String,
    /// When it is a loop.
    pub guard: LoopGuardSettings,
}

/// What came of a redrive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redriven {
    /// How many were to be sent.
    pub of: u64,
    /// How many were sent, and marked.
    pub sent: u64,
    /// How many of those were dead again by the end.
    pub returned: u64,
    /// Those that are too large for the log now; they are as they were.
    pub too_large: Vec<LetterId>,
    /// Why it was stopped before the end.
    pub looped: Option<Looped>,
}

impl Letters {
    /// Sends the letters of a plan back and marks them: to the first retry level of their sink, due at once and with
    /// their attempts before them again; or to the topic that they were first read from, with the time of now, so that
    /// its retention counts from there. Their header [`REDRIVEN`] grows by one.
    ///
    /// Stops when most of those that were sent die again. `progress` is told how many are done.
    ///
    /// # Errors
    /// [`LettersError::NotOne`]; [`LettersError::NoMarks`]; [`LettersError::Interrupted`]; what the log says.
    pub async fn redrive(
        &self,
        plan: &Plan,
        how: &Redrive,
        mut progress: impl FnMut(u64),
    ) -> Result<Redriven, LettersError> {
        if how.payload.is_some() && plan.letters.len() != 1 {
            return Err(LettersError::NotOne { count: plan.letters.len() });
        }
        self.check_marks().await?;
        let (bounds, ways) = (self.bounds().await?, self.ways().await?);
        let marks = self.read_marks(&bounds).await?;
        let mut returns = Returns::from_now(self, how.guard).await?;
        let mut scan = self.scan_plan(plan, &bounds)?;
        let mut done = Redriven { of: plan.letters.len() as u64, ..Redriven::default() };
        let batch = (how.rate / 10).clamp(1, BATCH);
        let mut rate = Rate::new(how.rate, batch);
        while let Some(records) = scan.next().await.map_err(|error| done.interrupted(error))? {
            let planned = records.into_iter().map(|stored| with_mark(stored, &marks));
            let planned: Vec<_> = planned.filter(|letter| plan.has(letter)).collect();
            for letters in batches(&planned, batch as usize) {
                while let Err(wait) = rate.take(self.clock.now(), letters.len() as u64) {
                    sleep(wait).await;
                }
                done.looped = returns.look(Duration::ZERO).await.map_err(|error| done.interrupted(error))?;
                if done.looped.is_some() {
                    done.returned = returns.count();
                    return Ok(done);
                }
                self.send(letters, how, &ways, &mut returns, &mut done).await?;
                progress(done.sent);
            }
        }
        returns.look(LAST_LOOK).await.map_err(|error| done.interrupted(error))?;
        done.returned = returns.count();
        Ok(done)
    }

    /// Marks the letters of a plan as of no use. Returns how many they are.
    ///
    /// # Errors
    /// [`LettersError::NoMarks`]; [`LettersError::Interrupted`]; what the log says.
    pub async fn discard(&self, plan: &Plan, who: &str, reason: &str) -> Result<u64, LettersError> {
        self.check_marks().await?;
        let marks = self.read_marks(&self.bounds().await?).await?;
        let (letters, of) = (Vec::from_iter(&plan.letters), plan.letters.len() as u64);
        let mut done = 0;
        for letters in letters.chunks(BATCH as usize) {
            let mark = |&(&id, &died_ms): &(&LetterId, &i64)| {
                (id, self.next_mark(MarkState::Discarded, who, reason, died_ms, marks.of(id, died_ms)))
            };
            let marked = self.mark(letters.iter().map(mark)).await;
            marked.map_err(|error| LettersError::Interrupted { done, of, source: Box::new(error) })?;
            done += letters.len() as u64;
        }
        Ok(done)
    }

    /// Sends letters, then marks those that are durable.
    async fn send(
        &self,
        letters: &[Letter],
        how: &Redrive,
        ways: &Ways,
        returns: &mut Returns,
        done: &mut Redriven,
    ) -> Result<(), LettersError> {
        let mut by_topic: BTreeMap<&str, Vec<(&Letter, Append)>> = BTreeMap::new();
        for letter in letters {
            // What cannot be sent (any more) was refused by the plan.
            let Ok(way) = ways.of(letter, how.to_source) else { continue };
            let (topic, append) = append_of(letter, &way, how.payload.as_ref());
            by_topic.entry(topic).or_default().push((letter, append));
        }
        for (topic, sends) in by_topic {
            let sent =
                self.append(topic, sends, how, returns, done).await.map_err(|error| done.interrupted(error))?;
            let mark = |letter: &&Letter| {
                let (died_ms, before) = (letter.stored.timestamp_ms, letter.mark.as_ref());
                (letter.id(), self.next_mark(MarkState::Redriven, &how.who, &how.reason, died_ms, before))
            };
            self.mark(sent.iter().map(mark)).await.map_err(|error| done.interrupted(error))?;
            done.sent += sent.len() as u64;
        }
        Ok(())
    }

    /// Appends to one topic; those that are too large are left out.
    async fn append<'a>(
        &self,
        topic: &str,
        sends: Vec<(&'a Letter, Append)>,
        how: &Redrive,
        returns: &mut Returns,
        done: &mut Redriven,
    ) -> Result<Vec<&'a Letter>, BrokerError> {
        let producer = self.broker.producer()?;
        let all = sends.iter().map(|(_, append)| append.clone()).collect();
        let (mut sent, mut positions) = (Vec::new(), Vec::new());
        match producer.append(topic, all).await {
            Ok(all) => (sent, positions) = (sends.iter().map(|(letter, _)| *letter).collect(), all),
            Err(BrokerError::TooLarge { .. }) => {
                for (letter, append) in sends {
                    match producer.append(topic, vec![append]).await {
                        Ok(position) => {
                            sent.push(letter);
                            positions.extend(position);
                        }
                        Err(BrokerError::TooLarge { .. }) => done.too_large.push(letter.id()),
                        Err(error) => return Err(error),
                    }
                }
            }
            Err(error) => return Err(error),
        }
        for (letter, position) in sent.iter().zip(positions) {
            match &letter.parked {
                Ok(parked) if parked.sink.is_some() && !how.to_source => returns.sent_to_sink(parked),
                _ => returns.sent_to_source(topic, position),
            }
        }
        Ok(sent)
    }

    /// Reads the letters of a plan, and what stands between them.
    fn scan_plan(&self, plan: &Plan, bounds: &[Bounds]) -> Result<Scan, BrokerError> {
        let mut spans: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
        for id in plan.letters.keys() {
            spans.entry(id.partition).or_insert((id.offset, id.offset)).1 = id.offset;
        }
        let within = bounds.iter().filter_map(|own| {
            let (first, last) = spans.get(&own.partition)?;
            Some(Bounds { earliest: own.earliest.max(*first), latest: last + 1, ..*own })
        });
        Scan::new(&*self.broker, &self.topic, &within.collect::<Vec<_>>(), |bounds| bounds.earliest)
    }

    fn next_mark(&self, state: MarkState, who: &str, reason: &str, died_ms: i64, before: Option<&Mark>) -> Mark {
        let (who, reason, when_ms) = (who.to_owned(), reason.to_owned(), self.clock.unix_ms());
        let times = before.map_or(0, |mark| mark.times).saturating_add(1);
        Mark { state, who, when_ms, reason, times, died_ms }
    }
}

impl Redriven {
    fn interrupted(&self, source: BrokerError) -> LettersError {
        LettersError::Interrupted { done: self.sent, of: self.of, source: Box::new(source) }
    }
}

/// The record that is sent, and the topic.
fn append_of<'a>(letter: &Letter, way: &Way<'a>, payload: Option<&Bytes>) -> (&'a str, Append) {
    let mut parked = letter.parked.clone().expect("a letter without a readable head has no way");
    if let Some(payload) = payload {
        parked.record.value = Some(payload.clone());
    }
    parked.redriven = parked.redriven.saturating_add(1);
    match way {
        Way::Sink(topic) => {
            (parked.record.origin.attempt, parked.not_before_ms) = (0, 0);
            (topic, parked.to_append())
        }
        Way::Source(topic, partitions) => {
            let record = parked.record;
            let headers = record.headers.with(REDRIVEN, parked.redriven.to_string());
            let partition = Some(record.origin.partition).filter(|partition| partition < partitions);
            (topic, Append { partition, key: record.key, value: record.value, headers, timestamp_ms: None })
        }
    }
}

/// Runs of letters of at most `most`, and of a bounded size unless one alone is larger.
fn batches(letters: &[Letter], most: usize) -> impl Iterator<Item = &[Letter]> {
    let mut rest = letters;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = rest.iter().take(most).take_while(|letter| {
            bytes += letter.stored.value.as_ref().map_or(0, Bytes::len);
            bytes <= BATCH_BYTES
        });
        let length = fits.count().max(1).min(rest.len());
        let (batch, after) = rest.split_at(length);
        rest = after;
        (!batch.is_empty()).then_some(batch)
    })
}
