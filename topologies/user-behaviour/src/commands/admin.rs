//! The operator's commands.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use squall::broker::Broker;
use squall::control::SpoutSource;
use squall::service::admin::{AdminCommand, AdminContext, open_log};

use super::Failure;
use crate::settings::Config;
use crate::topology::SPOUT;

/// Carries out a command on the log of this topology, which must be there.
pub(super) async fn admin(config: &Config, data_dir: &Path, command: &AdminCommand) -> Result<ExitCode, Failure> {
    let broker = open_log(&config.broker, data_dir).await?;
    // A log of an earlier version has no control topics yet.
    squall::control::ensure(&*broker, &config.name, config.source.replication).await?;
    Ok(command.run(&context(config, broker)).await?)
}

/// What the commands work on.
pub(super) fn context(config: &Config, broker: Arc<dyn Broker>) -> AdminContext {
    let source = &config.source;
    let (spout, topic, group) = (SPOUT.to_owned(), source.topic.clone(), source.group.clone());
    AdminContext {
        broker,
        topology: config.name.clone(),
        dead_letters: Some(source.dead_letters.clone()),
        topic: Some(topic.clone()),
        spouts: vec![SpoutSource { spout, topic, group }],
    }
}
