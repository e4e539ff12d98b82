//! Where an answer comes from.
//!
//! # Lists
//!
//! 1. **The timelines** (Redis), unless their switch takes them out of the path. They answer alone when they fill the
//!    page, and when it is known that they hold all there is.
//! 2. **The rows** (MySQL) otherwise, merged with what the timelines hold, which may be newer: of two versions of an event
//!    the newer one. While the rows are away, what the timelines hold is the answer, marked as not complete; so it is
//!    when the rows have not answered a moment before the request's deadline, while the caller is still there.
//! 3. **The last answer** to the same question, when both are away and the caller allows a stale one.
//!
//! What is parked for a store, or waits in its retry levels, is in no answer from that store alone; `lag` counts what the
//! topology has not taken from its topic yet, not what waits for one store.
//!
//! # What proves that the timelines hold all
//!
//! No record that is in them: a node that lost its data and got one new record looks like a user with one record. So a list
//! that does not fill its page is compared with the rows, once; what is missing is repaired; and it is remembered for
//! `confirm_ms` how many there were, and which was the oldest. While the timelines have at least as many, the oldest among
//! them, and fewer than a timeline keeps, a list that ends there is the whole. Otherwise the node lost data, and the rows
//! are asked again at once. A user of whom neither store has anything is remembered for `negative_ms`. A timeline from which entries
//! were trimmed, by number or by age, is never the whole; what is older is in the rows.
//!
//! A list of all businesses is trusted down to the age at which its newest line is trimmed, and for as many entries as one
//! timeline keeps: below that, one business may be trimmed where another is not.
//!
//! # Repair
//!
//! Beside the requests, bounded in number, through [`Timelines::apply`](squall::store::Timelines::apply): whatever is
//! newer there stays. The entries are those that the topology would write, so that a timeline, and the profile of a user
//! with at most `repair_rows` records, become what they were; an event that was written in several versions is in a profile
//! by its newest alone.
//!
//! It begins when a timeline is found to lack an entry that its rules would have kept, and when a user is read for whom the
//! timelines do not vouch ([`Whole`](squall::store::timeline::Whole)): a page that is full, and a profile, would not show
//! what a node lost that has taken new records since. The mark is lost with the node, and set again by the repair; so each
//! user is compared once, on his first read, and once more after each start of the node. Until then the rows are asked too.
//!
//! What a node loses that was never in the rows, since these were away at the time, is not found here: it comes from the
//! log, by a backfill.
//!
//! # Herds
//!
//! Concurrent reads of the same rows are one query. How many queries are under way is bounded, also while the timelines are
//! away, and each interface has its own breaker for each node of each store.

mod derive;
mod found;
mod held;
mod item;
mod known;
mod last;
mod mend;
mod merge;
mod profile;
mod reader;
mod rows;
mod time;

pub use found::{Ask, Away, Body, Found, FoundProfile, Interface, Line, Origin, Unavailable};
pub use item::{Item, Place};
pub use reader::{Reader, Sources};
pub(in crate::query) use time::before_the_end;
