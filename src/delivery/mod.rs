//! What surrounds a sink: a second queue for what failed, dead letters, a switch, a breaker, a time-out.
//!
//! The runtime knows only sinks. Resilience is a stack of layers round a sink, each a small [`Sink`](crate::Sink) of
//! its own, put together in one order by [`Guard::over`], outermost first:
//!
//! ```text
//! divert ─ switch ─ pressure ─┬─ breaker ─ timeout ─ trace ─ a node of the store
//!                             └─ …
//! ```
//!
//! A store that has several nodes ([`Codec::nodes`]) has a breaker and parked records for each: one that is away keeps no
//! row of the others waiting, once its breaker is open.
//!
//! Inner layers only *refuse* ([`Class::Refused`](crate::Class::Refused)) or pass on what the store said. The outermost
//! alone absorbs it, by writing the record somewhere durable before the tuple settles:
//!
//! | what happened | where the record goes |
//! | --- | --- |
//! | refused: switched off, breaker open | the *parked* topic of the node, until it takes rows again |
//! | retryable, and the breaker is or becomes open | the same: it is the store that fails, not the record |
//! | retryable | a *retry level* of the sink: 1 s, 10 s, 1 min, 10 min; each level is a topic of its own |
//! | retryable, once more than the attempts allow | the dead letters |
//! | poison | the dead letters, at once |
//!
//! When none of these can be written the write fails, is tried again within the sink's bound, and then stops the run:
//! nothing is dropped, nothing is acknowledged that is not durable.
//!
//! [`Retry`] is the topology that brings records back: it reads levels and parked records as a consumer group of its
//! own, and writes them through the **same stack** of the sink that failed, and only that one. Records wait by pausing
//! their partition ([`Gate`](crate::broker::Gate)), never by leaving the group, so that a wait holds no memory.
//!
//! Retries have a budget ([`Share`](crate::guard::Share)): beside fresh rows they take at most a fifth of the writes.
//! Parked records come back at a rate of their own, ramped up after the store returns.
//!
//! What an operator does with dead letters is in [`letters`]; [`queues`] tells what waits where.

mod automatic;
mod breaker;
mod by_node;
mod codec;
mod counts;
mod divert;
mod drain;
mod gates;
mod guard;
mod headers;
pub mod letters;
mod node;
mod parked;
mod pressure;
mod queues;
mod retry;
mod settings;
mod state;
mod switch;
#[cfg(test)]
mod tests;
mod timeout;
mod topics;
mod traced;
mod waiting;

pub use codec::{Codec, Parcel, Past};
pub use counts::Counts;
pub use divert::Divert;
pub use guard::{Delivery, Guard};
pub use headers::{FIRST_FAILURE, LAST_FAILURE, NOT_BEFORE, REDRIVEN, SINK, VERSION};
pub use parked::{Parked, Unreadable};
pub use queues::{Queue, queues};
pub use retry::{Gap, Pending, Retry};
pub use settings::{DeliverySettings, SinkSettings};
pub use state::{Accepts, SinkState};
pub use topics::{Place, Topics, place_of};
pub use waiting::{Waiting, Waits};
