//! How many calls may pass in a time: GCRA limits, for one thing or for each of many.
//!
//! The arithmetic is that of the crate `governor`. Its limiters are built round a clock of their own and a limit that
//! never changes, and its keyed stores grow with every new key; so here time is a parameter, the limit is a
//! [`LiveLimit`] that is read at every call, and the store of [`Keyed`] is bounded.
//!
//! | part | what it is |
//! | --- | --- |
//! | [`Limit`] | so many a second, so many at once |
//! | [`LiveLimit`] | a handle of a limit, or of none, that is changed while it holds |
//! | [`Direct`] | lets as many pass as the limit says |
//! | [`Keyed`] | the same for each key on its own, within bounded memory |
//! | [`Exceeded`] | a refusal, and how long to wait |
//!
//! # What may be relied on
//!
//! - Over any time `t` at most `burst + per_second · t` calls pass, for each key; those that were refused do not count.
//! - A limit that is changed holds at once, and what has passed before counts on: who has used up the burst of the old
//!   limit waits for the first call of the new one, at most one interval of it, so that a limit that is raised helps at
//!   once. From a change on the rule above holds anew.
//! - Without a limit all pass and nothing is remembered.

mod direct;
mod exceeded;
mod gcra;
mod keyed;
mod live;
mod shard;
mod value;

pub use direct::Direct;
pub use exceeded::Exceeded;
pub use keyed::{Keyed, KeyedSettings};
pub use live::LiveLimit;
pub use value::{Limit, UnknownLimit};
