//! The operator's commands, shared by the binary `squall` and by every topology's own.
//!
//! | part | what it is |
//! | --- | --- |
//! | [`AdminCommand`] | the commands, to be flattened into a binary's own |
//! | [`AdminContext`] | what they work on |
//! | [`open_log`] | opens the log of a topology for a command line alone |
//!
//! A command prints a table for people, or one JSON object with `--json`. The status is 0 when all went well, 5 when a
//! change is made and some live worker, or some partition, has not applied it in time, 6 when a redrive was stopped because
//! its letters die again, 7 when a verification finds records missing, and 1 for errors, for letters that were asked for and
//! left as they are, and for a backfill whose end was waited for and that was cancelled or has lost records.

mod audit;
mod backfill;
mod change;
mod command;
mod context;
mod error;
mod lag;
mod letters;
mod limit;
mod list;
mod moment;
mod open;
mod output;
mod retry;
mod seek;
mod skip;
mod source;
mod spout;
mod switch;
mod time;
mod verify;
mod who;
mod workers;

#[cfg(test)]
mod tests;

pub use audit::AuditCommand;
pub use backfill::{BackfillCommand, BudgetArgs, ChangeJobArgs, CreateArgs, ShowJobArgs};
pub use change::ChangeArgs;
pub(in crate::service) use change::change;
pub use command::AdminCommand;
pub use context::AdminContext;
pub use error::AdminError;
pub use lag::LagArgs;
pub(in crate::service) use lag::{lag_as_json, lag_of};
pub use letters::{
    ActionArgs, DeadLettersCommand, DiscardArgs, FilterArgs, LettersListArgs, RedriveArgs, SelectArgs, ShowArgs,
};
pub use limit::{LimitCommand, SetLimitArgs};
pub use list::ListArgs;
pub(in crate::service) use list::list_as_json;
pub use open::open_log;
pub use retry::RetryCommand;
pub use seek::{MoveArgs, SeekArgs};
pub use skip::SkipArgs;
pub use spout::SpoutCommand;
pub use switch::SwitchCommand;
pub use verify::{VerifyArgs, WhereOutput, parse_since, show_found};
pub use workers::WorkersCommand;
