//! The operator's commands.

use std::path::Path;
use std::process::ExitCode;

use squall::service::admin::{AdminCommand, AdminContext, open_log};

use super::Failure;
use crate::settings::Config;
use crate::topology::NAME;

/// Carries out a command on the log of this topology, which must be there.
pub(super) async fn admin(config: &Config, data_dir: &Path, command: &AdminCommand) -> Result<ExitCode, Failure> {
    let broker = open_log(&config.broker, data_dir).await?;
    // A log of an earlier version has no control topics yet.
    squall::control::ensure(&*broker, NAME, config.source.replication).await?;
    let context =
        AdminContext { broker, topology: NAME.to_owned(), dead_letters: Some(config.source.dead_letters.clone()) };
    Ok(command.run(&context).await?)
}
