//! As much work at once as a service can do, and a fast refusal of what is beyond.
//!
//! tower's `ConcurrencyLimit` with `LoadShed` has no queue that is bounded, and serves whoever waits longest first. Under
//! a load that lasts that is whoever is about to give up: the work is done for nobody. Here at most
//! [`max_in_flight`](ShedSettings::max_in_flight) requests are at work; a few more wait for a short time, and the one that
//! came last goes first, since its caller waits longest from now on. When no more may wait, the one that has waited
//! longest is refused for the new one. So at any load what is answered is answered in time, and what is not answered is
//! refused after [`max_wait`](ShedSettings::max_wait) at the latest, or when its [`Deadline`] passes.

mod queue;
mod service;
#[cfg(test)]
mod tests;

pub use queue::{Shed, ShedSettings, ShedStanding, Slot};
pub use service::{ShedLayer, Shedding};

#[cfg(doc)]
use super::Deadline;
