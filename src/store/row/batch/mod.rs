//! From cells laid end to end to statements: check, sort, merge, split.

mod check;
mod plan;
mod split;
#[cfg(test)]
mod tests;

pub(super) use check::{check_key, check_value};
pub(super) use plan::{Row, plan};
pub(super) use split::{padded, split};
