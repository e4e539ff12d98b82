//! `backfill`

mod bound;
mod budget;
mod command;
mod create;
mod program;
mod ranges;
mod text;
mod watch;

#[cfg(test)]
mod tests;

pub use budget::BudgetArgs;
pub use command::{BackfillCommand, ChangeJobArgs, ShowJobArgs};
pub use create::CreateArgs;
pub(super) use create::warn_if_nobody_brings;
