//! `verify` and what `where` prints.
//!
//! Both need the topology's own decoder, so they are commands of its binary and not of `squall`; all but the decoder and
//! the look into the stores is here.

mod args;
mod bound;
mod found;
mod report;
#[cfg(test)]
mod tests;

pub use args::VerifyArgs;
pub use bound::parse_since;
pub use found::{WhereOutput, show_found};
