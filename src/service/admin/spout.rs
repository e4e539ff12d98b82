//! `spout`

use std::process::ExitCode;

use clap::Subcommand;

use super::change::{ChangeArgs, carry_out};
use super::list::{ListArgs, list};
use super::{AdminContext, AdminError};
use crate::control::Key;

/// Pause reading, or go on.
#[derive(Debug, Clone, Subcommand)]
pub enum SpoutCommand {
    /// Show every spout, who paused it and how the workers have it.
    List(ListArgs),
    /// Read nothing more; what is in flight is finished.
    Pause(ChangeArgs),
    /// Read on.
    Resume(ChangeArgs),
}

impl SpoutCommand {
    pub(super) async fn run(&self, context: &AdminContext) -> Result<ExitCode, AdminError> {
        let (value, args) = match self {
            Self::List(args) => return list(context, "spout", args).await,
            Self::Pause(args) => ("paused", args),
            Self::Resume(args) => ("running", args),
        };
        carry_out(context, Key::Spout(args.name.clone()), value, args).await
    }
}
