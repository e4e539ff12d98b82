//! What `verify` and `where` need to know of this topology: how a record decodes, and how it stands in both stores.

mod expect;
mod rows;
#[cfg(test)]
mod tests;
mod timelines;
mod user;

pub use expect::Stores;
pub use user::{of_event, of_user};
