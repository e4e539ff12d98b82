//! What a worker sees to about the spout that it reads with, beside reading.

mod made;
mod skip;

#[cfg(test)]
mod tests;

pub use made::{SeekWatch, watch_seeks};
pub use skip::{SkipWatch, watch_lag};
