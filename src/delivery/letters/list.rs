//! Looking at letters.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::letter::id_of;
use super::mark::Marks;

use super::{Filter, Letter, LetterId, LettersError};
use crate::broker::{Bounds, Broker, BrokerError, LogRecord, Scan};
use crate::guard::Clock;

/// The dead letters of a topology. Holds nothing: every call reads the log.
#[derive(Clone)]
pub struct Letters {
    pub(super) broker: Arc<dyn Broker>,
    pub(super) topology: String,
    pub(super) topic: String,
    pub(super) marks: String,
    pub(super) clock: Clock,
}

/// How many letters there are of a sink and a class. The sink is empty for letters that came to none.
pub type Tally = BTreeMap<(String, &'static str), u64>;

/// Letters, and how many there are of which kind.
#[derive(Debug, Default)]
pub struct Listing {
    /// The newest of them, oldest first, without their payloads.
    pub letters: Vec<Letter>,
    /// All of them, counted.
    pub tally: Tally,
}

impl Listing {
    /// How many there are, also those that are not listed.
    pub fn total(&self) -> u64 {
        self.tally.values().sum()
    }
}

impl Letters {
    /// The dead letters of `topology` in `topic`, with the topic that notes what is done with them.
    pub fn new(broker: Arc<dyn Broker>, topology: &str, topic: &str, marks: &str, clock: Clock) -> Self {
        Self { broker, topology: topology.to_owned(), topic: topic.to_owned(), marks: marks.to_owned(), clock }
    }

    /// The newest `limit` letters that the filter takes, with a count of all.
    ///
    /// # Errors
    /// [`LettersError::NoTopic`]; what the log says.
    pub async fn list(&self, filter: &Filter, limit: usize) -> Result<Listing, LettersError> {
        let bounds = self.bounds().await?;
        let marks = self.read_marks(&bounds).await?;
        let mut scan = self.scan(&bounds, filter).await?;
        let (mut newest, mut tally) = (BTreeMap::new(), Tally::new());
        while let Some(records) = scan.next().await? {
            for stored in records {
                let letter = with_mark(stored, &marks);
                if !filter.takes(&letter) {
                    continue;
                }
                count(&mut tally, &letter);
                let letter = letter.without_payload();
                newest.insert((letter.stored.timestamp_ms, letter.id()), letter);
                if newest.len() > limit {
                    newest.pop_first();
                }
            }
        }
        Ok(Listing { letters: newest.into_values().collect(), tally })
    }

    /// Shows every letter from `from` on, by partition, whatever was done with it, up to the end of now; then `from` says
    /// where a later call goes on. Of a partition that it does not name, all letters.
    ///
    /// # Errors
    /// [`LettersError::NoTopic`]; what the log says.
    pub async fn walk(
        &self,
        from: &mut BTreeMap<u32, u64>,
        mut each: impl FnMut(Letter),
    ) -> Result<(), LettersError> {
        let bounds = self.bounds().await?;
        let start = |bounds: &Bounds| from.get(&bounds.partition).copied().unwrap_or(bounds.earliest);
        let mut scan = Scan::new(&*self.broker, &self.topic, &bounds, start)?;
        // Most often nothing came since the last call, and then nobody asks for marks.
        let mut marks = None;
        while let Some(records) = scan.next().await? {
            let marks = match &mut marks {
                Some(marks) => marks,
                none => none.insert(self.read_marks(&bounds).await?),
            };
            records.into_iter().for_each(|stored| each(with_mark(stored, marks)));
        }
        from.extend(bounds.iter().map(|bounds| (bounds.partition, bounds.latest)));
        Ok(())
    }

    /// One letter, whatever was done with it.
    ///
    /// # Errors
    /// [`LettersError::Unknown`], saying what there is; [`LettersError::NoTopic`]; what the log says.
    pub async fn find(&self, id: LetterId) -> Result<Letter, LettersError> {
        let bounds = self.bounds().await?;
        let marks = self.read_marks(&bounds).await?;
        self.find_in(id, &bounds, &marks).await
    }

    pub(super) async fn find_in(
        &self,
        id: LetterId,
        bounds: &[Bounds],
        marks: &Marks,
    ) -> Result<Letter, LettersError> {
        let unknown = |why: String| LettersError::Unknown { id, why };
        let Some(own) = bounds.iter().find(|bounds| bounds.partition == id.partition) else {
            return Err(unknown(format!("{} has {} partition(s), counted from 0", self.topic, bounds.len())));
        };
        if own.earliest == own.latest {
            return Err(unknown(format!("partition {} holds none", own.partition)));
        }
        if !(own.earliest..own.latest).contains(&id.offset) {
            let (partition, first, last) = (own.partition, own.earliest, own.latest - 1);
            return Err(unknown(format!("partition {partition} holds {first} to {last}")));
        }
        let one = Bounds { latest: id.offset + 1, ..*own };
        let mut scan = Scan::new(&*self.broker, &self.topic, &[one], |_| id.offset)?;
        while let Some(records) = scan.next().await? {
            if let Some(stored) = records.into_iter().find(|record| record.origin.offset == id.offset) {
                return Ok(with_mark(stored, marks));
            }
        }
        Err(unknown("nothing stands there any more".to_owned()))
    }

    /// What the topic holds.
    pub(super) async fn bounds(&self) -> Result<Vec<Bounds>, LettersError> {
        if self.broker.topic(&self.topic).await?.is_none() {
            return Err(LettersError::NoTopic { topic: self.topic.clone() });
        }
        Ok(self.broker.bounds(&self.topic).await?)
    }

    /// Reads what a filter may take, from its time on.
    pub(super) async fn scan(&self, bounds: &[Bounds], filter: &Filter) -> Result<Scan, BrokerError> {
        let starts = match filter.since_ms {
            Some(since_ms) => self.broker.offsets_at(&self.topic, since_ms).await?,
            None => Vec::new(),
        };
        let start = |bounds: &Bounds| starts.get(bounds.partition as usize).copied().unwrap_or(bounds.earliest);
        Scan::new(&*self.broker, &self.topic, bounds, start)
    }
}

pub(super) fn with_mark(stored: LogRecord, marks: &Marks) -> Letter {
    let mark = marks.of(id_of(&stored), stored.timestamp_ms).cloned();
    Letter::new(stored, mark)
}

pub(super) fn count(tally: &mut Tally, letter: &Letter) {
    *tally.entry((letter.sink().unwrap_or_default().to_owned(), letter.class())).or_default() += 1;
}
