//! What `read <user_id>` prints.
//!
//! A table for people, JSON for programs. Tables are aligned by the width that a terminal gives to a text
//! (a Chinese character takes two columns), and nothing in a record can reach the terminal as a control
//! sequence. Times are UTC.

mod json;
mod profile;
mod table;
#[cfg(test)]
mod tests;
mod time;
mod timeline;

pub use profile::{profile_json, profile_table};
pub(crate) use time::{day, moment};
pub use timeline::{timeline_json, timeline_table};
