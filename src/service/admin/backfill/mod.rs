//! `backfill`

mod bound;
mod command;
mod create;
mod program;
mod text;
mod watch;

#[cfg(test)]
mod tests;

pub use command::{BackfillCommand, ChangeJobArgs, ShowJobArgs};
pub use create::CreateArgs;
