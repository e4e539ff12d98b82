//! What an operator does with dead letters: look at them, send them back, discard them.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`Letters`] | lists, shows, chooses, sends back and discards the dead letters of a topology |
//! | [`Letter`] [`LetterId`] | a dead letter, and where it stands: partition and offset in the dead-letter topic |
//! | [`Filter`] [`Which`] | which letters are meant |
//! | [`Plan`] [`Refusal`] | what an action would do, found out without doing it |
//! | [`Redrive`] [`Redriven`] | how letters are sent back, and what came of it |
//! | [`Mark`] | what was done with a letter |
//!
//! # What may be relied on
//!
//! - The dead-letter topic is only read. What was done with a letter is a record of a compacted topic, key
//!   [`LetterId`], value [`Mark`]; a letter without one is *open*. A mark names the letter's time too, so that those of a
//!   topic that was made anew are open.
//! - A letter is marked as redriven once its record is durable where it was sent. An action that is cut off between the
//!   two leaves the letter open, and the record may be sent twice: writes are guarded by their version.
//! - A redrive takes the letters that were there when it was planned. What dies meanwhile is a letter of its own, and
//!   says how often it was sent back.
//! - Of the letters themselves one fetch is held at a time; of a plan, ids and counts, bounded by the plan's maximum.
//!   Marks are held for the letters that the topic still has.

mod error;
mod filter;
mod id;
mod letter;
mod list;
mod mark;
mod plan;
mod redrive;
mod returns;

pub use error::LettersError;
pub use filter::{Filter, OriginFilter};
pub use id::LetterId;
pub use letter::Letter;
pub use list::{Letters, Listing, Tally};
pub use mark::{Mark, MarkState};
pub use plan::{Intent, Plan, Refusal, Which};
pub use redrive::{Redrive, Redriven};
