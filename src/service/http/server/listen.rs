//! From an address to answers.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use hyper_util::server::graceful::GracefulShutdown;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::accept::Door;
use super::connection::{Speaker, builder};
use super::ended::{Ended, Tally};
use super::tls::Tls;
use crate::service::http::metrics::HttpMetrics;
use crate::service::http::{HttpError, HttpSettings, Readiness};

/// Connections that the system keeps until they are taken.
const BACKLOG: u32 = 1024;

/// Files that a process needs besides the connections of a server.
const OTHER_FILES: u64 = 1024;

/// An HTTP/1.1 server, in the clear or over TLS, that listens from its making on.
///
/// | a connection waits for | bound | then |
/// | --- | --- | --- |
/// | the handshake | `tls.handshake_timeout_ms` | cut |
/// | the headers, from their first byte or the start of the connection | `header_timeout_ms` | cut |
/// | the body | `body_timeout_ms`, in [`Shell`](crate::service::http::Shell) | `408`, then closed |
/// | the answer to be made | `request_timeout_ms`, in [`Shell`](crate::service::http::Shell) | `504` |
/// | the caller to take a byte of the answer | `write_timeout_ms` | cut |
/// | the caller to take the rest of the answer, however little at a time | `answer_timeout_ms` | cut |
/// | another request | `idle_timeout_ms` | cut |
/// | a refused caller to stop sending | `linger_ms` | closed |
///
/// Above `max_connections`, connections wait in the system's backlog: those ahead of them are cut within the times
/// above, so the wait is short where it can be, and a client's own time-out ends it where it cannot. Headers with too
/// many bytes or lines are answered by hyper, with a bare `431`. A certificate is followed: new connections get the new
/// one within `tls.reload_ms`, and a file that cannot be used leaves the old one in place.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    settings: Arc<HttpSettings>,
    tls: Option<(Arc<Tls>, u128)>,
    metrics: HttpMetrics,
    readiness: Readiness,
}

impl Server {
    /// Listens. Raises this process's soft limit of open files towards the hard one when the connections need it.
    ///
    /// # Errors
    /// [`HttpError`], with the address or the file and the remedy.
    pub async fn bind(settings: HttpSettings) -> Result<Self, HttpError> {
        let tls = settings.tls.as_ref().map(Tls::open).transpose()?;
        let failed = |source| HttpError::Listen { address: settings.listen, source };
        let listener = listen(settings.listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        raise_files(settings.max_connections as u64 + OTHER_FILES);
        let (metrics, readiness) = (HttpMetrics::detached(), Readiness::default());
        Ok(Self { listener, address, settings: Arc::new(settings), tls, metrics, readiness })
    }

    /// Counts connections there.
    #[must_use]
    pub fn with_metrics(mut self, metrics: HttpMetrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// Says there when it stops.
    #[must_use]
    pub fn with_readiness(mut self, readiness: Readiness) -> Self {
        self.readiness = readiness;
        self
    }

    /// Where it listens, with the port that it got.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests with `router`, usually what [`Shell::wrap`](super::super::Shell::wrap) gave, until `stop`
    /// resolves. Then it listens no more, lets every connection finish the request that runs, says `Connection: close`
    /// there, and returns when all are closed or the settings' `drain` is over, whichever is first.
    pub async fn run(self, router: Router, stop: impl Future<Output = ()>) -> Ended {
        let Self { listener, address, settings, tls, metrics, readiness } = self;
        let tally = Arc::new(Tally::default());
        let mut background = JoinSet::new();
        if let Some((tls, seen)) = &tls {
            background.spawn(tls.clone().follow(*seen, metrics.clone()));
        }
        let mut door = Door::new(listener, &settings, metrics.clone());
        let speaker = Arc::new(Speaker {
            http: builder(&settings),
            settings: settings.clone(),
            router,
            tls: tls.map(|(tls, _)| tls),
            metrics: metrics.clone(),
            tally: tally.clone(),
        });
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        let mut stop = pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(_) = connections.join_next() => {}
                visitor = door.next() => {
                    tally.connection();
                    let open = metrics.open();
                    let (speaker, watcher) = (speaker.clone(), graceful.watcher());
                    connections.spawn(async move {
                        let _held = (visitor.room, open);
                        speaker.serve(visitor.stream, visitor.remote, watcher).await;
                    });
                }
            }
        }
        readiness.stop();
        drop(door);
        drain(graceful, connections, &settings, &tally, address).await
    }
}

async fn drain(
    graceful: GracefulShutdown,
    mut connections: JoinSet<()>,
    settings: &HttpSettings,
    tally: &Tally,
    address: SocketAddr,
) -> Ended {
    let finished = async {
        graceful.shutdown().await;
        while connections.join_next().await.is_some() {}
    };
    let in_time = timeout(settings.drain, finished).await.is_ok();
    while connections.try_join_next().is_some() {}
    let ended = tally.ended(connections.len());
    if !in_time {
        tracing::warn!(
            %address,
            requests = ended.abandoned_requests,
            connections = ended.abandoned_connections,
            "the time to stop is up; what still ran was abandoned"
        );
    }
    connections.shutdown().await;
    ended
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart is not to wait for connections of the process before.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What is not allowed stays as it is: connections that find no file wait in the backlog.
fn raise_files(needed: u64) {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    let current = limit.current.unwrap_or(u64::MAX);
    if current < needed && current < most {
        let raised = Rlimit { current: Some(needed.min(most)), maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::debug!(%error, needed, "the limit of open files stays");
        }
    }
}
