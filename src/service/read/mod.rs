//! Reading from stores that may be away, for services that must answer anyway.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`ReadGate`] | a call to a store within its time: a bound on how many, a breaker for each interface that calls |
//! | [`Unread`] | why a store gave no answer |
//! | [`Flights`] | concurrent reads of one thing become one |
//! | [`LagWatch`] | how far a topology is behind, looked up in the background |

mod flight;
mod gate;
mod lag;
#[cfg(test)]
mod tests;

pub use flight::Flights;
pub use gate::{GateSettings, ReadGate, Unread};
pub use lag::{LagStanding, LagWatch};
