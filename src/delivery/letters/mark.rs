//! What was done with letters.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{LetterId, Letters, LettersError};
use crate::broker::{Append, Bounds, BrokerError, Scan};

/// What was done with a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MarkState {
    /// Its record was sent back.
    Redriven,
    /// It is of no use.
    Discarded,
}

/// What was done with a letter last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// What.
    pub state: MarkState,
    /// Who did it.
    pub who: String,
    /// When, in milliseconds since the Unix epoch.
    pub when_ms: i64,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// How often something was done with it.
    pub times: u32,
    /// The log's time of the letter. A letter of another time at the same place, as after its topic was made anew, is
    /// another one, and this mark says nothing of it.
    pub died_ms: i64,
}

/// The marks of the letters that a topic still has.
#[derive(Debug, Default)]
pub(super) struct Marks(BTreeMap<LetterId, Mark>);

impl Marks {
    /// The mark of the letter that stands there since `died_ms`.
    pub(super) fn of(&self, id: LetterId, died_ms: i64) -> Option<&Mark> {
        self.0.get(&id).filter(|mark| mark.died_ms == died_ms)
    }
}

impl MarkState {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Redriven => "redriven",
            Self::Discarded => "discarded",
        }
    }
}

impl Letters {
    /// The marks of the letters within `bounds`. A topic for them that does not exist has none.
    pub(super) async fn read_marks(&self, bounds: &[Bounds]) -> Result<Marks, BrokerError> {
        let mut marks = Marks::default();
        if self.broker.topic(&self.marks).await?.is_none() {
            return Ok(marks);
        }
        let own = self.broker.bounds(&self.marks).await?;
        let mut scan = Scan::new(&*self.broker, &self.marks, &own, |bounds| bounds.earliest)?;
        while let Some(records) = scan.next().await? {
            for record in records {
                let Some(Ok(key)) = record.key.as_deref().map(std::str::from_utf8) else { continue };
                let Ok(id) = key.parse::<LetterId>() else { continue };
                let there = bounds.iter().any(|b| b.partition == id.partition && b.earliest <= id.offset);
                // What does not decode is as if it were not there.
                match record.value.as_deref().map(serde_json::from_slice) {
                    Some(Ok(mark)) if there => drop(marks.0.insert(id, mark)),
                    None => drop(marks.0.remove(&id)),
                    Some(_) => {}
                }
            }
        }
        Ok(marks)
    }

    /// Notes what was done with letters; durable when it returns.
    pub(super) async fn mark(&self, marks: impl Iterator<Item = (LetterId, Mark)>) -> Result<(), BrokerError> {
        let now_ms = self.clock.unix_ms();
        let append = |(id, mark): (LetterId, Mark)| Append {
            partition: Some(0),
            key: Some(id.to_string().into()),
            value: Some(serde_json::to_vec(&mark).expect("texts and numbers are always JSON").into()),
            timestamp_ms: Some(now_ms),
            ..Append::default()
        };
        self.broker.producer()?.append(&self.marks, marks.map(append).collect()).await.map(drop)
    }

    /// Refuses an action whose trace could not be kept.
    pub(super) async fn check_marks(&self) -> Result<(), LettersError> {
        match self.broker.topic(&self.marks).await? {
            Some(_) => Ok(()),
            None => Err(LettersError::NoMarks { topic: self.marks.clone() }),
        }
    }
}
