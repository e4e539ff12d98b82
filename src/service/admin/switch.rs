//! `switch`

use std::process::ExitCode;

use clap::Subcommand;

use super::change::{ChangeArgs, carry_out};
use super::list::{ListArgs, list};
use super::{AdminContext, AdminError};
use crate::control::Key;

/// Take a store out of the path, or put it back.
#[derive(Debug, Clone, Subcommand)]
pub enum SwitchCommand {
    /// Show every switch, who turned it and how the workers have it.
    List(ListArgs),
    /// Take the store out of the path; its share is parked.
    On(ChangeArgs),
    /// Put the store into the path, whatever its state.
    Off(ChangeArgs),
    /// Let each worker decide by how the store does.
    Auto(ChangeArgs),
}

impl SwitchCommand {
    pub(super) async fn run(&self, context: &AdminContext) -> Result<ExitCode, AdminError> {
        let (value, args) = match self {
            Self::List(args) => return list(context, "switch", args).await,
            Self::On(args) => ("on", args),
            Self::Off(args) => ("off", args),
            Self::Auto(args) => ("auto", args),
        };
        carry_out(context, Key::Switch(args.name.clone()), value, args).await
    }
}
