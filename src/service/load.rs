//! Asks a store's server how busy it is, for the gauge of its sink.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::delivery::SinkState;
use crate::store::Rows;

/// Asks the server of `rows` every `every` how busy it is, and tells the gauge of its sink, as long as the task runs. A
/// server that cannot be asked says nothing: whether it is there at all is for the breaker to find out.
pub fn watch_load(rows: Arc<dyn Rows>, sink: Arc<SinkState>, every: Duration) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            let load = rows.load().await.unwrap_or_else(|error| {
                tracing::debug!(sink = sink.name(), error = %error, "the load of the store is not known");
                Default::default()
            });
            sink.set_server_load(load.threads_running, load.replication_lag);
            tokio::time::sleep(every).await;
        }
    })
}
