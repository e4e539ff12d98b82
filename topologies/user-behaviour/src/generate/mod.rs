//! Realistic records, the same for the same [`GenerateSettings`] in every run of one program.
//!
//! Users and items are drawn from Zipf distributions. A user's visit is a burst of steps (search, view, …,
//! order, pay) that interleave with those of others, at the pace of the stream. On top come, by share:
//!
//! - *late* records, whose event time lies a minute to days before their place in the stream;
//! - *duplicates*, the same bytes as a recent record;
//! - *broken* records, which no decoder takes.
//!
//! Records of the channel `h5` come without `event_id`, as those of a careless client. Every record that is
//! not broken carries the [`Behaviour`](crate::record::Behaviour) that a decoder must make of it, so a
//! verifier runs the same generator again, with [`Generator::expected`], instead of keeping a list.

mod broken;
mod catalogue;
mod generator;
mod settings;
#[cfg(test)]
mod tests;
mod visit;

pub use broken::BrokenKind;
pub use generator::{Generated, Generator, Kind};
pub use settings::{GenerateSettings, SettingsError};
