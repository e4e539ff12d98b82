//! The log, for a command line that runs no topology.

use std::path::Path;
use std::sync::Arc;

use super::AdminError;
use crate::broker::Broker;
use crate::service::connect::{BrokerConfig, BrokerKind};

/// Opens the log, or joins the process that has it open. Does not create one: an embedded log that is not there is a wrong `--data-dir`.
///
/// # Errors
/// [`AdminError::NoLog`]; what the log says: unreachable, in use by a process that does not share it, damaged.
pub async fn open_log(config: &BrokerConfig, data_dir: &Path) -> Result<Arc<dyn Broker>, AdminError> {
    let path = config.address(data_dir);
    if config.kind == BrokerKind::Embedded && !Path::new(&path).exists() {
        return Err(AdminError::NoLog { path });
    }
    Ok(config.open_or_join(data_dir).await?)
}
