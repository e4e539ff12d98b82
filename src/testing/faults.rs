//! Failures on request.

use std::any::Any;
use std::sync::{Mutex, PoisonError};

use crate::runtime::FaultScript;
use crate::topology::Class;
use crate::topology::plan::Fault;

type Matches = Box<dyn Fn(&dyn Any) -> bool + Send + Sync>;

struct Rule {
    operator: String,
    matches: Matches,
    fault: Fault,
    left: Mutex<u32>,
}

/// Says which tuples fail, in which operator, how, and how often. Rules are asked in the order in which they were added.
#[derive(Default)]
pub struct Faults {
    rules: Vec<Rule>,
    random: Option<Random>,
}

struct Random {
    state: Mutex<u64>,
    per_mille: u64,
}

impl Faults {
    /// The next `times` tries of tuples of `operator` that `matches` fail with `class`.
    #[must_use]
    pub fn fail<T: 'static>(
        self,
        operator: &str,
        matches: impl Fn(&T) -> bool + Send + Sync + 'static,
        class: Class,
        times: u32,
    ) -> Self {
        self.rule(operator, matches, Fault::Fail(class), times)
    }

    /// The next `times` tries of tuples of `operator` that `matches` panic.
    #[must_use]
    pub fn panic<T: 'static>(
        self,
        operator: &str,
        matches: impl Fn(&T) -> bool + Send + Sync + 'static,
        times: u32,
    ) -> Self {
        self.rule(operator, matches, Fault::Panic, times)
    }

    /// Any tuple fails retryably or panics, in any operator, with this chance, as `seed` decides.
    #[must_use]
    pub fn random(mut self, seed: u64, per_mille: u64) -> Self {
        self.random = Some(Random { state: Mutex::new(seed | 1), per_mille });
        self
    }

    fn rule<T: 'static>(
        mut self,
        operator: &str,
        matches: impl Fn(&T) -> bool + Send + Sync + 'static,
        fault: Fault,
        times: u32,
    ) -> Self {
        let matches: Matches = Box::new(move |tuple| tuple.downcast_ref::<T>().is_some_and(&matches));
        self.rules.push(Rule { operator: operator.to_owned(), matches, fault, left: Mutex::new(times) });
        self
    }
}

impl FaultScript for Faults {
    fn fault(&self, operator: &str, tuple: &dyn Any) -> Option<Fault> {
        for rule in self.rules.iter().filter(|rule| rule.operator == operator && (rule.matches)(tuple)) {
            let mut left = rule.left.lock().unwrap_or_else(PoisonError::into_inner);
            if *left > 0 {
                *left -= 1;
                return Some(rule.fault);
            }
        }
        let random = self.random.as_ref()?;
        let mut state = random.state.lock().unwrap_or_else(PoisonError::into_inner);
        let drawn = next_random(&mut state);
        let fault = if drawn & (1 << 40) == 0 { Fault::Fail(Class::Retryable) } else { Fault::Panic };
        (drawn % 1000 < random.per_mille).then_some(fault)
    }
}

/// The next number of an xorshift64* sequence (Marsaglia 2003, Vigna 2016). The state is never 0.
pub(super) fn next_random(state: &mut u64) -> u64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_f491_4f6c_dd1d)
}
