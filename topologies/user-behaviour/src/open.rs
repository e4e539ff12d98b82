//! Opens what the configuration names, and makes it ready.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use squall::broker::{Broker, LateBroker, TopicSpec};
use squall::control::{Control, ControlSettings};
use squall::delivery::Topics;
use squall::store::{Rows, StoreError, Timelines};

use crate::schema::{TABLE, migrator_mysql, migrator_sqlite, renamed, table_named};
use crate::settings::Config;
use crate::topology::{Handles, Parts, ROWS, TIMELINES};

/// How long a service waits for the log at its start before it goes on without.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two tries to open a log that is away.
const RETRY: Duration = Duration::from_secs(1);
/// Bytes of the name of a table: with what is added to it, it fits every server.
const MAX_TABLE: usize = 40;

/// Opens the log and the stores, creates topics that are missing and applies migrations that are missing. A schema
/// that this program does not know is refused.
///
/// # Errors
/// The first thing that is not as it must be, with the remedy.
pub async fn open(config: &Config, data_dir: &Path) -> squall::Result<Parts> {
    create_data_dir(data_dir)?;
    let broker = config.broker.open(data_dir).await?;
    ensure_topics(&*broker, config).await?;
    let timelines = open_timelines(config, data_dir).await?;
    let rows = open_rows(config, data_dir).await?;
    rows.migrate().await?;
    let topics = topics(&*broker).await?;
    Ok(Parts { broker, timelines, rows, topics })
}

/// [`open`], also while the servers of the stores are away: their guards park until they are back. One that `joins` uses
/// an embedded log that another process has open.
///
/// # Errors
/// What waiting cannot mend, and a log that cannot be reached.
pub async fn open_patiently(config: &Config, data_dir: &Path, joins: bool) -> squall::Result<Parts> {
    create_data_dir(data_dir)?;
    let broker = match joins {
        true => config.broker.open_or_join(data_dir).await?,
        false => config.broker.open(data_dir).await?,
    };
    ensure_topics(&*broker, config).await?;
    let timelines = config.timelines.open_patiently(data_dir).await?;
    let rows = open_rows_patiently(config, data_dir).await?;
    let topics = topics(&*broker).await?;
    Ok(Parts { broker, timelines, rows, topics })
}

/// The log, opened in the background as long as it takes: for services, which start without it. Its topics are created
/// then.
///
/// # Errors
/// What waiting cannot mend.
pub async fn open_late(config: &Config, data_dir: &Path) -> squall::Result<LateBroker> {
    create_data_dir(data_dir)?;
    let (address, owned) = (config.broker.address(data_dir), Arc::new((config.clone(), data_dir.to_owned())));
    let open = move || {
        let owned = owned.clone();
        async move {
            let (config, data_dir) = &*owned;
            let log: Arc<dyn Broker> = config.broker.join(data_dir).await?;
            ensure_topics(&*log, config).await?;
            Ok(log)
        }
    };
    LateBroker::start(address, PATIENCE, RETRY, open).await
}

/// Opens the timelines alone.
///
/// # Errors
/// What the store says.
pub async fn open_timelines(config: &Config, data_dir: &Path) -> Result<Arc<dyn Timelines>, StoreError> {
    config.timelines.open(data_dir).await
}

/// Opens the rows alone, as they are.
///
/// # Errors
/// What the store says.
pub async fn open_rows(config: &Config, data_dir: &Path) -> Result<Arc<dyn Rows>, StoreError> {
    let table = table_name(config)?;
    let (mysql, sqlite) = (renamed(migrator_mysql(), table), renamed(migrator_sqlite(), table));
    config.rows.open(data_dir, table_named(table), mysql, sqlite).await
}

/// [`open_rows`], also while their server is away.
///
/// # Errors
/// What waiting cannot mend.
pub async fn open_rows_patiently(config: &Config, data_dir: &Path) -> Result<Arc<dyn Rows>, StoreError> {
    let table = table_name(config)?;
    let (mysql, sqlite) = (renamed(migrator_mysql(), table), renamed(migrator_sqlite(), table));
    config.rows.open_patiently(data_dir, table_named(table), mysql, sqlite).await
}

/// Name of the table of the rows, which is part of statements.
fn table_name(config: &Config) -> Result<&str, StoreError> {
    let table = config.rows.table.as_deref().unwrap_or(TABLE);
    let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let begins = table.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    match begins && table.len() <= MAX_TABLE && table.bytes().all(valid) {
        true => Ok(table),
        false => Err(StoreError::Config {
            store: "rows",
            reason: format!(
                "rows.table `{table}` is no name of a table; it is a letter and up to 39 of a-z, 0-9 and _"
            ),
        }),
    }
}

/// Starts to follow what the operator wants, with the names that this topology has: the switches of its stores and its
/// spout. Close it at the end of the run. A switch that no operator has set is as its guard is configured.
pub async fn open_control(config: &Config, broker: Arc<dyn Broker>, data_dir: &Path, role: &str) -> Control {
    let control = follow_control(config, broker, data_dir, role).await;
    // Known to the operator from the first heartbeat on.
    Handles::of(&control, &config.source);
    control
}

/// [`open_control`] for a process without the topology: it has no handles yet. The log may be away.
pub async fn follow_control(config: &Config, broker: Arc<dyn Broker>, data_dir: &Path, role: &str) -> Control {
    let guards = [(TIMELINES, &config.guards.timelines), (ROWS, &config.guards.rows)];
    let positions = guards.map(|(name, guard)| (name.to_owned(), guard.switch.unwrap_or_default()));
    let settings = ControlSettings { positions: positions.into(), ..ControlSettings::new(data_dir, role) };
    Control::start(broker, &config.name, settings).await
}

/// Creates the topics that are missing, those of delivery and control included.
///
/// # Errors
/// What the log says; a topic with another number of partitions is taken as it is. A configuration that is out of range.
pub async fn ensure_topics(broker: &dyn Broker, config: &Config) -> squall::Result<()> {
    let source = &config.source;
    for (name, partitions) in [(&source.topic, source.partitions), (&source.dead_letters, 1)] {
        if broker.topic(name).await?.is_none() {
            let spec = TopicSpec { replication: source.replication, ..TopicSpec::new(name, partitions) };
            broker.create_topic(&spec).await?;
        }
    }
    let delivery = config.delivery()?;
    for (sink, nodes) in [(TIMELINES, config.timelines.nodes()), (ROWS, 1)] {
        Topics::of(&config.name, sink, nodes, &delivery.levels.delays).ensure(broker, &delivery).await?;
    }
    squall::control::ensure(broker, &config.name, source.replication).await?;
    Ok(())
}

async fn topics(broker: &dyn Broker) -> squall::Result<Vec<String>> {
    Ok(broker.topics().await?.into_iter().map(|topic| topic.name).collect())
}

/// Creates the data directory.
///
/// # Errors
/// When it cannot be created, naming it.
pub fn create_data_dir(data_dir: &Path) -> squall::Result<()> {
    std::fs::create_dir_all(data_dir)
        .map_err(|error| squall::Error::fatal(format!("--data-dir {}: {error}", data_dir.display())))
}

#[cfg(test)]
mod tests {
    use squall::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
    use squall::control::{Applied, Operator, ensure};
    use squall::guard::{Clock, Mode};
    use squall::service::config::{Source, load};

    use super::*;
    use crate::topology::NAME;

    #[tokio::test(start_paused = true)]
    async fn a_worker_is_known_by_the_switches_of_its_stores_and_by_its_spout() {
        let dir = tempfile::tempdir().unwrap();
        let broker = EmbeddedBroker::open(&dir.path().join("log"), EmbeddedSettings::for_tests()).unwrap();
        let broker: Arc<dyn Broker> = Arc::new(broker);
        ensure(&*broker, NAME, 1).await.unwrap();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/user-behaviour.embedded.toml");
        let config: Config = load(&Source::File(file), &["guards.rows.switch=auto".to_owned()]).unwrap();
        let control = open_control(&config, broker.clone(), dir.path(), "worker").await;
        let operator = Operator::new(broker, NAME, Clock::new());
        tokio::time::sleep(Duration::from_secs(10)).await;
        let worker = operator.workers().await.unwrap().remove(0);
        let names = |applied: &[Applied]| applied.iter().map(|one| one.name.clone()).collect::<Vec<_>>();
        assert_eq!(worker.heartbeat.role, "worker");
        assert_eq!(names(&worker.heartbeat.switches), ["rows", "timelines"]);
        assert_eq!(names(&worker.heartbeat.spouts), ["behaviour"]);
        let switches = Handles::of(&control, &config.source);
        assert_eq!((switches.rows.mode(), switches.timelines.mode()), (Mode::Auto, Mode::Off));
        control.close().await;
        assert!(operator.workers().await.unwrap().is_empty());
    }
}
