//! A spout over values, which replays what fails.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use crate::topology::{Data, Error, Outcome, Pulled, Result, Spout};

/// How often a run is replayed before the run ends with an error.
const REPLAYS: u32 = 100;

/// Emits values in order; a run that fails comes again, up to 100 times. With several tasks each emits all of them.
pub struct Values<T> {
    values: Arc<[T]>,
    at: usize,
    in_flight: BTreeMap<u64, Run>,
    again: VecDeque<Run>,
}

#[derive(Clone)]
struct Run {
    range: Range<usize>,
    tries: u32,
}

impl<T> Clone for Values<T> {
    fn clone(&self) -> Self {
        Self {
            values: self.values.clone(),
            at: self.at,
            in_flight: self.in_flight.clone(),
            again: self.again.clone(),
        }
    }
}

/// A spout of the given values.
pub fn values<T: Data + Clone>(values: impl IntoIterator<Item = T>) -> Values<T> {
    Values { values: values.into_iter().collect(), at: 0, in_flight: BTreeMap::new(), again: VecDeque::new() }
}

/// A spout of numbers.
pub fn numbers(range: Range<u64>) -> Values<u64> {
    values(range)
}

impl<T: Data + Clone> Spout for Values<T> {
    type Out = T;

    async fn next_batch(&mut self, max: usize) -> Result<Option<Pulled<T>>> {
        let run = match self.again.pop_front() {
            Some(run) => run,
            None if self.at < self.values.len() => {
                let range = self.at..self.values.len().min(self.at + max);
                self.at = range.end;
                Run { range, tries: 0 }
            }
            None => return Ok(None),
        };
        let (end, tuples) = (run.range.end as u64, self.values[run.range.clone()].to_vec());
        self.in_flight.insert(end, run);
        Ok(Some(Pulled { partition: 0, epoch: 0, end, tuples }))
    }

    async fn settle(&mut self, outcomes: &[Outcome]) -> Result<()> {
        for outcome in outcomes {
            let Some(mut run) = self.in_flight.remove(&outcome.end) else { continue };
            if outcome.failed.is_none() {
                continue;
            }
            run.tries += 1;
            if run.tries > REPLAYS {
                let Range { start, end } = run.range;
                return Err(Error::fatal(format!("values {start}..{end} failed {REPLAYS} times")));
            }
            self.again.push_back(run);
        }
        Ok(())
    }
}
