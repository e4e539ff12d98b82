//! What an action would do.

use std::collections::BTreeMap;
use std::fmt;

use super::list::{count, with_mark};
use super::{Filter, Letter, LetterId, Letters, LettersError, MarkState, Tally};
use crate::broker::BrokerError;
use crate::delivery::topics::{Place, place_of};

/// The letters that somebody means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// These.
    Ids(Vec<LetterId>),
    /// All that the filter takes.
    Matching(Filter),
}

/// What is to be done with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// Discard them.
    Discard,
    /// Send them back.
    Redrive {
        /// To the topic that they were first read from, also those that failed at a sink.
        to_source: bool,
        /// They get a new payload.
        new_payload: bool,
        /// Those that were sent back as often as this are refused.
        max_redrives: u32,
    },
}

/// Why a letter is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// It is to be sent back, and something was done with it before.
    Marked(MarkState),
    /// It is to be discarded, and something was done with it before.
    Closed(MarkState),
    /// It was sent back this often and died again.
    Loops(u32),
    /// Its payload is not whole.
    Truncated,
    /// It is no dead letter of a topology.
    Unreadable,
    /// No topic takes it.
    NoWay(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Marked(state) => write!(f, "{} before; --force does it again", state.as_str()),
            Self::Closed(state) => {
                write!(
                    f,
                    "{} before; `dead-letters list --all` shows such, only open ones can be discarded",
                    state.as_str()
                )
            }
            Self::Loops(times) => {
                write!(f, "sent back {times} times or more and dead again; --force sends it once more")
            }
            Self::Truncated => {
                f.write_str("the end of its payload was cut off; --edit or --replace gives it a whole one")
            }
            Self::Unreadable => f.write_str("it does not say where it comes from; it can only be discarded"),
            Self::NoWay(topic) => write!(f, "there is no topic {topic} to send it to; start the topology once"),
        }
    }
}

/// What an action would do.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The letters to which it would be done, with the log's time of each in milliseconds since the Unix epoch.
    pub letters: BTreeMap<LetterId, i64>,
    /// The same, counted by sink and class.
    pub tally: Tally,
    /// Why others are refused: the first of them, and how many.
    pub refused: BTreeMap<Refusal, (LetterId, u64)>,
    /// How many more there are than were asked for at most.
    pub beyond: u64,
}

impl Plan {
    /// Whether it is one of them; another letter at the same place is not.
    pub(super) fn has(&self, letter: &Letter) -> bool {
        self.letters.get(&letter.id()) == Some(&letter.stored.timestamp_ms)
    }
}

impl Letters {
    /// Finds out what an action would do, to at most `max` letters. Changes nothing.
    ///
    /// `force` takes also letters with which something was done before, when they are named, and those that loop.
    ///
    /// # Errors
    /// [`LettersError::Unknown`] for an id that there is not; [`LettersError::NoTopic`]; what the log says.
    pub async fn plan(
        &self,
        which: &Which,
        intent: Intent,
        force: bool,
        max: usize,
    ) -> Result<Plan, LettersError> {
        let bounds = self.bounds().await?;
        let (marks, ways) = (self.read_marks(&bounds).await?, self.ways().await?);
        let mut plan = Plan::default();
        let mut note = |letter: &Letter| match ways.refusal(letter, intent, force) {
            Some(refusal) => plan.refused.entry(refusal).or_insert((letter.id(), 0)).1 += 1,
            None if plan.letters.contains_key(&letter.id()) => {}
            None if plan.letters.len() >= max => plan.beyond += 1,
            None => {
                plan.letters.insert(letter.id(), letter.stored.timestamp_ms);
                count(&mut plan.tally, letter);
            }
        };
        match which {
            Which::Ids(ids) => {
                for id in ids {
                    note(&self.find_in(*id, &bounds, &marks).await?);
                }
            }
            Which::Matching(filter) => {
                let mut scan = self.scan(&bounds, filter).await?;
                while let Some(records) = scan.next().await? {
                    let letters = records.into_iter().map(|stored| with_mark(stored, &marks));
                    letters.filter(|letter| filter.takes(letter)).for_each(|letter| note(&letter));
                }
            }
        }
        Ok(plan)
    }

    pub(super) async fn ways(&self) -> Result<Ways, BrokerError> {
        let mut ways = Ways { topology: self.topology.clone(), ..Ways::default() };
        for topic in self.broker.topics().await? {
            if let Some((sink, Place::Level(delay))) = place_of(&self.topology, &topic.name) {
                let first = ways.sinks.entry(sink.to_owned()).or_insert((delay, topic.name.clone()));
                if delay < first.0 {
                    *first = (delay, topic.name.clone());
                }
            }
            ways.topics.insert(topic.name, topic.partitions);
        }
        Ok(ways)
    }
}

/// Where letters can be sent.
#[derive(Debug, Default)]
pub(super) struct Ways {
    topology: String,
    /// By sink: its first retry level.
    sinks: BTreeMap<String, (std::time::Duration, String)>,
    /// All topics, with their partitions.
    topics: BTreeMap<String, u32>,
}

/// Where a letter goes.
pub(super) enum Way<'a> {
    /// To its sink, by this retry level.
    Sink(&'a str),
    /// To the topic that it was first read from, which has this many partitions.
    Source(&'a str, u32),
}

impl Ways {
    /// The way of a letter.
    pub(super) fn of<'a>(&'a self, letter: &'a Letter, to_source: bool) -> Result<Way<'a>, Refusal> {
        let Ok(parked) = &letter.parked else { return Err(Refusal::Unreadable) };
        match &parked.sink {
            Some(sink) if !to_source => match self.sinks.get(sink) {
                Some((_, topic)) => Ok(Way::Sink(topic)),
                None => Err(Refusal::NoWay(format!("squall.{}.{sink}.retry-*", self.topology))),
            },
            _ => {
                let topic = parked.record.origin.topic.as_ref();
                let partitions = self.topics.get(topic).ok_or_else(|| Refusal::NoWay(topic.to_owned()))?;
                Ok(Way::Source(topic, *partitions))
            }
        }
    }

    fn refusal(&self, letter: &Letter, intent: Intent, force: bool) -> Option<Refusal> {
        if let (Some(mark), false) = (&letter.mark, force) {
            return Some(match intent {
                Intent::Discard => Refusal::Closed(mark.state),
                Intent::Redrive { .. } => Refusal::Marked(mark.state),
            });
        }
        let Intent::Redrive { to_source, new_payload, max_redrives } = intent else { return None };
        if let Err(refusal) = self.of(letter, to_source) {
            return Some(refusal);
        }
        if letter.is_truncated() && !new_payload {
            return Some(Refusal::Truncated);
        }
        (letter.redriven() >= max_redrives && !force).then_some(Refusal::Loops(max_redrives))
    }
}
