//! The collector, opened as a configuration says it.

use std::path::Path;
use std::sync::Arc;

use squall::Error;
use squall::broker::{Broker, Producer};
use squall::guard::Clock;
use squall::service::spill::DurableProducer;

use crate::collector::Collector;
use crate::open::open_late;
use crate::settings::Config;

/// Opens the collector of a process that has no log open. The log need not be there: until it is, records go to the disk.
///
/// Serve [`router`](crate::collector::router) over it; at the end, once no request is under way, close its
/// [`producer`](Collector::producer).
///
/// # Errors
/// A value that is out of range, a spill that is in use or cannot be read, a log that waiting does not bring.
pub async fn open(config: &Config, data_dir: &Path) -> squall::Result<Collector> {
    let log = open_late(config, data_dir).await?;
    open_over(config, data_dir, log.producer()?).await
}

/// [`open`] over a log that this process has open.
///
/// # Errors
/// A value that is out of range, a spill that is in use or cannot be read.
pub async fn open_over(config: &Config, data_dir: &Path, log: Arc<dyn Producer>) -> squall::Result<Collector> {
    let settings = config.collector.settings(data_dir)?;
    let (drain_wait, (delivery, key)) = (settings.durable.drain_wait, config.broker.delivery_timeout());
    if drain_wait <= delivery {
        return Err(Error::fatal(format!(
            "collector.spill.drain_wait_ms is {}, and {key} is {}: the first must be longer, for it is the log that gives up an \
             append, and not the drain",
            drain_wait.as_millis(),
            delivery.as_millis()
        )));
    }
    // The time of day as it is: how far a record lies ahead has to agree with other machines.
    let clock = Clock::wall();
    let producer = DurableProducer::open(log, settings.durable.clone(), clock).await?;
    Ok(Collector::new(Arc::new(producer), &config.source.topic, settings, clock))
}
