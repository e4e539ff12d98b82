//! The collector, opened as a configuration says it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use squall::broker::{Broker, Producer};
use squall::guard::Clock;
use squall::service::spill::{DurableProducer, LateProducer};

use crate::collector::Collector;
use crate::open::{create_data_dir, ensure_topics};
use crate::settings::Config;

/// How long a start waits for the log before it goes on without.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two tries to open a log that is away.
const RETRY: Duration = Duration::from_secs(1);

/// Opens the collector of a process that has no log open. The log need not be there: it is opened in the background, and
/// its topics are created then; until then records go to the disk.
///
/// Serve [`router`](crate::collector::router) over it; at the end, once no request is under way, close its
/// [`producer`](Collector::producer).
///
/// # Errors
/// A value that is out of range, a spill that is in use or cannot be read, a log that waiting does not bring.
pub async fn open(config: &Config, data_dir: &Path) -> squall::Result<Collector> {
    create_data_dir(data_dir)?;
    let (address, owned) = (config.broker.address(data_dir), Arc::new((config.clone(), data_dir.to_owned())));
    let open_log = move || {
        let owned = owned.clone();
        async move {
            let (config, data_dir) = &*owned;
            let broker: Arc<dyn Broker> = config.broker.open_or_join(data_dir).await?;
            ensure_topics(&*broker, config).await?;
            Ok(broker)
        }
    };
    let late = LateProducer::start(address, PATIENCE, RETRY, open_log).await?;
    open_over(config, data_dir, Arc::new(late)).await
}

/// [`open`] over a log that this process has open.
///
/// # Errors
/// A value that is out of range, a spill that is in use or cannot be read.
pub async fn open_over(config: &Config, data_dir: &Path, log: Arc<dyn Producer>) -> squall::Result<Collector> {
    let settings = config.collector.settings(data_dir)?;
    // The time of day as it is: how far a record lies ahead has to agree with other machines.
    let clock = Clock::wall();
    let producer = DurableProducer::open(log, settings.durable.clone(), clock).await?;
    Ok(Collector::new(Arc::new(producer), &config.source.topic, settings, clock))
}
