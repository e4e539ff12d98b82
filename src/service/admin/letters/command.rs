//! The commands.

use std::process::ExitCode;

use clap::Subcommand;

use super::{DiscardArgs, LettersListArgs, RedriveArgs, ShowArgs};
use crate::service::admin::{AdminContext, AdminError};

/// What was given up: look at it, send it back, discard it.
#[derive(Debug, Clone, Subcommand)]
pub enum DeadLettersCommand {
    /// Show the newest letters, and how many there are of each sink and class.
    List(LettersListArgs),
    /// Show all of one letter.
    Show(ShowArgs),
    /// Send letters back to the sink that failed, or to their source when they came to no sink.
    Redrive(Box<RedriveArgs>),
    /// Mark letters as of no use; they are listed with --all only.
    Discard(DiscardArgs),
}

impl DeadLettersCommand {
    pub(in crate::service::admin) async fn run(&self, context: &AdminContext) -> Result<ExitCode, AdminError> {
        match self {
            Self::List(args) => args.run(context).await,
            Self::Show(args) => args.run(context).await,
            Self::Redrive(args) => args.run(context).await,
            Self::Discard(args) => args.run(context).await,
        }
    }
}
