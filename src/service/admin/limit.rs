//! `limit`

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::change::{ChangeArgs, carry_out};
use super::list::{ListArgs, list};
use super::{AdminContext, AdminError};
use crate::control::Key;
use crate::guard::Limit;

/// How many calls a service lets pass.
#[derive(Debug, Clone, Subcommand)]
pub enum LimitCommand {
    /// Show every limit, who changed it and how the workers have it.
    List(ListArgs),
    /// Let pass so many, such as `limit set query.ip 100/s burst 200`, or all with `off`.
    Set(SetLimitArgs),
    /// Let pass what the configuration says.
    Clear(ChangeArgs),
}

/// Which limit to set, and to what.
#[derive(Debug, Clone, Args)]
pub struct SetLimitArgs {
    #[command(flatten)]
    pub(super) change: ChangeArgs,
    /// `off`, `100/s`, or `100/s burst 200`: so many a second, and so many at once; without a burst a second's worth.
    #[arg(required = true, num_args = 1..=3, value_name = "LIMIT")]
    value: Vec<String>,
}

impl LimitCommand {
    pub(super) async fn run(&self, context: &AdminContext) -> Result<ExitCode, AdminError> {
        match self {
            Self::List(args) => list(context, "limit", args).await,
            Self::Set(args) => carry_out(context, args.key(), &args.value(), &args.change).await,
            Self::Clear(args) => {
                let key = Key::Limit(args.name.clone());
                let value = key.clear_value().expect("a limit has a value that clears it");
                carry_out(context, key, value, args).await
            }
        }
    }
}

impl SetLimitArgs {
    pub(super) fn key(&self) -> Key {
        Key::Limit(self.change.name.clone())
    }

    /// The limit as it is shown everywhere. What is none is left as it is: whoever makes the change refuses it.
    pub(super) fn value(&self) -> String {
        let text = self.value.join(" ");
        Limit::parse(&text).map_or(text, Limit::show)
    }
}
