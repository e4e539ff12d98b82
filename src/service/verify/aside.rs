//! Which records wait, and which are dead.

use std::collections::{BTreeMap, HashSet};

use super::{Range, Source, VerifyError};
use crate::control::Names;
use crate::delivery::letters::{Letter, Letters, LettersError, MarkState};
use crate::delivery::{Parked, Waiting};
use crate::guard::Clock;

/// Stands for a record that came to no sink.
const NO_SINK: u16 = u16::MAX;

/// The places of records of some ranges that wait for a sink, or are dead.
pub(super) struct Aside {
    topic: String,
    ranges: Vec<Range>,
    max: usize,
    sinks: Vec<String>,
    waiting: HashSet<(u16, u32, u64)>,
    dead: HashSet<(u16, u32, u64)>,
    queues: Waiting,
    letters: Letters,
    letters_from: BTreeMap<u32, u64>,
}

impl Aside {
    /// Holds at most `max` places.
    pub(super) fn new(source: &Source, ranges: &[Range], max: usize) -> Self {
        Self {
            topic: source.topic.clone(),
            ranges: ranges.to_vec(),
            max,
            sinks: Vec::new(),
            waiting: HashSet::new(),
            dead: HashSet::new(),
            queues: Waiting::new(source.broker.clone(), &source.topology),
            letters: letters_of(source),
            letters_from: BTreeMap::new(),
        }
    }

    /// Reads what came since the last time. First what waits: what does no longer may have died.
    pub(super) async fn refresh(&mut self) -> Result<(), VerifyError> {
        let Self { topic, ranges, max, sinks, waiting, dead, queues, letters, letters_from } = self;
        let place = |parked: &Parked| {
            let origin = &parked.record.origin;
            let meant = *origin.topic == **topic && ranges.iter().any(|r| r.has(origin.partition, origin.offset));
            meant.then_some((origin.partition, origin.offset))
        };
        let mut number = |sink: &str| match sinks.iter().position(|known| known == sink) {
            Some(at) => at as u16,
            None => {
                sinks.push(sink.to_owned());
                (sinks.len() - 1) as u16
            }
        };
        queues
            .read(|waits| {
                let Some((partition, offset)) = waits.parked.as_ref().ok().and_then(place) else { return };
                if waiting.len() <= *max {
                    waiting.insert((number(&waits.sink), partition, offset));
                }
            })
            .await?;
        let each = |letter: Letter| {
            let Some((partition, offset)) = letter.parked.as_ref().ok().and_then(place) else { return };
            let sink = letter.sink().map_or(NO_SINK, &mut number);
            if accounts(&letter) && dead.len() <= *max {
                dead.insert((sink, partition, offset));
            }
        };
        match letters.walk(letters_from, each).await {
            // Nothing ever died.
            Ok(()) | Err(LettersError::NoTopic { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        if waiting.len() + dead.len() > *max {
            return Err(VerifyError::TooMany { max: *max });
        }
        Ok(())
    }

    pub(super) fn waits(&self, sink: &str, partition: u32, offset: u64) -> bool {
        self.number(sink).is_some_and(|sink| self.waiting.contains(&(sink, partition, offset)))
    }

    /// Also when it died before it came to a sink.
    pub(super) fn is_dead(&self, sink: Option<&str>, partition: u32, offset: u64) -> bool {
        let sink = sink.and_then(|sink| self.number(sink)).unwrap_or(NO_SINK);
        self.dead.contains(&(sink, partition, offset)) || self.dead.contains(&(NO_SINK, partition, offset))
    }

    fn number(&self, sink: &str) -> Option<u16> {
        self.sinks.iter().position(|known| known == sink).map(|at| at as u16)
    }
}

/// Whether the record of a letter is where the letter is. One that was sent back to its sink has gone from there.
pub(super) fn accounts(letter: &Letter) -> bool {
    let sent_back = letter.mark.as_ref().is_some_and(|mark| mark.state == MarkState::Redriven);
    letter.sink().is_none() || !sent_back
}

pub(super) fn letters_of(source: &Source) -> Letters {
    let marks = Names::of(&source.topology).letters;
    Letters::new(source.broker.clone(), &source.topology, &source.dead_letters, &marks, Clock::new())
}
