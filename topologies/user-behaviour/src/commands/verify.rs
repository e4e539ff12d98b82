//! `verify`: is every record of the log where it should be?

use std::path::Path;
use std::process::ExitCode;

use squall::service::admin::{VerifyArgs, open_log};
use squall::service::verify::Source;

use super::Failure;
use super::run::plain;
use crate::settings::Config;

use crate::verify::Stores;

/// Reconciles a range of the log with both stores.
pub(super) async fn verify(config: &Config, data_dir: &Path, args: &VerifyArgs) -> Result<ExitCode, Failure> {
    let source = source(config, data_dir).await?;
    Ok(args.run(source, &Stores::open(config, data_dir).await.map_err(plain)?).await?)
}

/// The log, which must be there, and what the topology reads of it.
pub(super) async fn source(config: &Config, data_dir: &Path) -> Result<Source, Failure> {
    Ok(Source {
        broker: open_log(&config.broker, data_dir).await?,
        topology: config.name.clone(),
        topic: config.source.topic.clone(),
        group: config.source.group.clone(),
        dead_letters: config.source.dead_letters.clone(),
    })
}
