//! One thing that a user did.
//!
//! A [`Behaviour`] is plain data that may break any rule; [`Behaviour::check`] says which. A [`Decoded`] has
//! passed the check and carries its canonical JSON, encoded once for all sinks: it is what flows through the
//! topology, behind an `Arc` when more than one sink takes it.
//!
//! | field | rule |
//! | --- | --- |
//! | `event_id`, `user_id` | 1–64 bytes |
//! | `app_id`, `business`, `action` | 1–32 bytes |
//! | `item_id` | 0–128 bytes |
//! | `channel` | `app`, `online` or `h5` |
//! | `occurred_at` | milliseconds, 0 to 2^53, at most five minutes ahead of the clock |
//! | `attributes` | at most 4096 bytes as canonical JSON; numbers of a magnitude below 2^63 |
//!
//! Texts are UTF-8 and compare as bytes. The texts outside `attributes` refuse NUL, which SQLite cannot
//! compare; inside, JSON escapes it.

mod attributes;
mod behaviour;
mod decoded;
mod encode;
mod event_id;
mod invalid;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

pub use attributes::{Attribute, Attributes};
pub use behaviour::{
    Behaviour, Channel, MAX_AHEAD_MS, MAX_ATTRIBUTES, MAX_ID, MAX_ITEM, MAX_NAME, MAX_OCCURRED_AT,
};
pub(crate) use behaviour::{NUMBER_RANGE, TIME_RANGE};
pub use decoded::Decoded;
pub use invalid::{Invalid, Reason};
