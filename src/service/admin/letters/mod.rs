//! `dead-letters`: look at what was given up, send it back, discard it.

mod command;
mod discard;
mod list;
mod plan;
mod redrive;
mod select;
mod show;
#[cfg(test)]
mod tests;
mod text;

pub use command::DeadLettersCommand;
pub use discard::DiscardArgs;
pub use list::LettersListArgs;
pub use plan::ActionArgs;
pub use redrive::RedriveArgs;
pub use select::{FilterArgs, SelectArgs};
pub use show::ShowArgs;
pub(super) use text::escape;
