//! The commands.

use std::process::ExitCode;

use clap::Subcommand;

use super::{
    AdminContext, AdminError, AuditCommand, BackfillCommand, DeadLettersCommand, LagArgs, LimitCommand,
    RetryCommand, SeekArgs, SkipArgs, SpoutCommand, SwitchCommand, WorkersCommand,
};

/// What an operator can ask for.
///
/// ```
/// use clap::{Parser, Subcommand};
/// use squall::service::admin::AdminCommand;
///
/// #[derive(Parser)]
/// struct Cli {
///     #[command(subcommand)]
///     command: Command,
/// }
///
/// #[derive(Subcommand)]
/// enum Command {
///     /// Run the topology.
///     Run,
///     #[command(flatten)]
///     Admin(AdminCommand),
/// }
///
/// let cli = Cli::parse_from(["own", "switch", "on", "rows", "--for", "30m", "--reason", "upgrade"]);
/// assert!(matches!(cli.command, Command::Admin(AdminCommand::Switch(_))));
/// ```
#[derive(Debug, Clone, Subcommand)]
pub enum AdminCommand {
    /// Take a store out of the path, or put it back.
    #[command(subcommand)]
    Switch(SwitchCommand),
    /// Pause reading, or go on.
    #[command(subcommand)]
    Spout(SpoutCommand),
    /// How many calls a service lets pass.
    #[command(subcommand)]
    Limit(Box<LimitCommand>),
    /// How far each partition is behind, how fast it is read, and when it will have caught up.
    Lag(LagArgs),
    /// Have a spout go on elsewhere, while it runs.
    Seek(SeekArgs),
    /// Have a spout go on with the newest records now, and what it passes over brought by a backfill job.
    Skip(Box<SkipArgs>),
    /// The processes that run the topology.
    #[command(subcommand)]
    Workers(WorkersCommand),
    /// What was given up: look at it, send it back, discard it.
    #[command(subcommand)]
    DeadLetters(Box<DeadLettersCommand>),
    /// Process a range of the log (again) beside the live stream.
    #[command(subcommand)]
    Backfill(BackfillCommand),
    /// What waits to be tried again.
    #[command(subcommand)]
    Retry(RetryCommand),
    /// Who changed what, when and why.
    #[command(subcommand)]
    Audit(AuditCommand),
}

impl AdminCommand {
    /// Carries it out and prints what came of it; the status for the process.
    ///
    /// # Errors
    /// What kept it from being carried out: one line, with the remedy.
    pub async fn run(&self, context: &AdminContext) -> Result<ExitCode, AdminError> {
        match self {
            Self::Switch(command) => command.run(context).await,
            Self::Spout(command) => command.run(context).await,
            Self::Limit(command) => command.run(context).await,
            Self::Lag(args) => args.run(context).await,
            Self::Seek(args) => args.run(context).await,
            Self::Skip(args) => args.run(context).await,
            Self::Workers(command) => command.run(context).await,
            Self::DeadLetters(command) => command.run(context).await,
            Self::Backfill(command) => command.run(context).await,
            Self::Retry(command) => command.run(context).await,
            Self::Audit(command) => command.run(context).await,
        }
    }
}
