//! Taking connections, within their bound.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::peers::{Peers, Place};
use crate::service::http::HttpSettings;
use crate::service::http::metrics::HttpMetrics;

/// How long nothing is taken after an error, most of which are a shortage: of files, of memory.
const BACK_OFF: Duration = Duration::from_millis(50);

/// Errors are said once in so many.
const SAID_EVERY: u64 = 100;

/// Where connections come from.
pub(super) struct Door {
    listener: TcpListener,
    room: Arc<Semaphore>,
    peers: Option<Peers>,
    metrics: HttpMetrics,
    errors: u64,
}

/// A connection and its place; the place is free again when this is dropped.
pub(super) struct Visitor {
    pub(super) stream: TcpStream,
    pub(super) remote: SocketAddr,
    pub(super) room: (OwnedSemaphorePermit, Option<Place>),
}

impl Door {
    pub(super) fn new(listener: TcpListener, settings: &HttpSettings, metrics: HttpMetrics) -> Self {
        Self {
            listener,
            room: Arc::new(Semaphore::new(settings.max_connections.min(Semaphore::MAX_PERMITS))),
            peers: settings.max_connections_per_peer.map(Peers::new),
            metrics,
            errors: 0,
        }
    }

    /// The next connection. May be dropped while it waits, without losing one.
    pub(super) async fn next(&mut self) -> Visitor {
        loop {
            let room = self.room.clone().acquire_owned().await.expect("the semaphore is never closed");
            let (stream, remote) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    if self.errors.is_multiple_of(SAID_EVERY) {
                        tracing::warn!(%error, "connections are not taken; is the limit of open files too low?");
                    }
                    self.errors += 1;
                    tokio::time::sleep(BACK_OFF).await;
                    continue;
                }
            };
            let place = match &self.peers {
                None => None,
                Some(peers) => match peers.place(remote.ip()) {
                    Some(place) => Some(place),
                    None => {
                        self.metrics.refused();
                        continue;
                    }
                },
            };
            // Answers are written whole; waiting for more to send only delays them. A socket that is gone fails later.
            let _gone = stream.set_nodelay(true);
            return Visitor { stream, remote, room: (room, place) };
        }
    }
}
