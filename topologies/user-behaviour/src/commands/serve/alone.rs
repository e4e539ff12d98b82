//! A process with services and no part of the topology.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use squall::service::connect::TimelinesKind;

use super::Shared;
use crate::commands::Failure;
use crate::commands::role::Roles;
use crate::commands::run::plain;
use crate::open::{follow_control, open_late, open_rows_patiently};
use crate::settings::Config;

/// Answers until told to stop. Log and stores need not be there at the start.
pub(crate) async fn serve_alone(config: &Config, data_dir: &Path, roles: Roles) -> Result<ExitCode, Failure> {
    if roles.query && config.timelines.kind == TimelinesKind::Memory {
        return Err("timelines.kind is memory, which only the process with the topology can read; \
                    run `--role all,query`, or keep timelines in Redis"
            .into());
    }
    let log = Arc::new(open_late(config, data_dir).await.map_err(plain)?);
    let control = follow_control(config, log.clone(), data_dir, &roles.name()).await;
    let stores = match roles.query {
        true => {
            let timelines = config.timelines.open_patiently(data_dir).await?;
            Some((timelines, open_rows_patiently(config, data_dir).await?))
        }
        false => None,
    };
    let shared = Shared::new(config, data_dir, &control);
    let mut services = shared.start(roles, log, stores).await.map_err(plain)?;
    eprintln!("running; Ctrl-C or SIGTERM stops");
    services.wait().await?;
    control.close().await;
    Ok(ExitCode::SUCCESS)
}
