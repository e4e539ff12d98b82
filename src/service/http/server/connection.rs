//! One connection.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::Watcher;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use super::arriving::Arriving;
use super::ended::Tally;
use super::guarded::guarded;
use super::leaving::{Leaving, RunningRequest};
use super::progress::{Over, Progress};
use super::tls::Tls;
use super::watched::Watched;
use crate::service::http::HttpSettings;
use crate::service::http::metrics::{Cut, HttpMetrics};

/// The other end of the connection that a request came over, among its extensions: a proxy's, if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remote(pub SocketAddr);

/// Bytes that hyper keeps of a connection at most, unless headers may be larger.
const BUFFER: usize = 64 * 1024;

/// hyper's own number of headers, for which it needs no allocation.
const HEADERS: usize = 100;

/// What all connections of a server share.
pub(super) struct Speaker {
    pub(super) settings: Arc<HttpSettings>,
    pub(super) router: Router,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) metrics: HttpMetrics,
    pub(super) tally: Arc<Tally>,
    pub(super) http: http1::Builder,
}

/// hyper with the bounds that it has itself. Its header time-out counts from the end of the request before, so it is
/// there for what [`Progress`] cannot see: headers that came with the bytes of that request.
pub(super) fn builder(settings: &HttpSettings) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new());
    http.header_read_timeout(settings.idle_timeout + settings.header_timeout);
    http.max_header_size(settings.max_header_bytes);
    http.max_buf_size(BUFFER.max(settings.max_header_bytes));
    if settings.max_headers != HEADERS {
        http.max_headers(settings.max_headers);
    }
    http
}

impl Speaker {
    /// Serves a connection to its end, or to the bound that it passes.
    pub(super) async fn serve(self: Arc<Self>, stream: TcpStream, remote: SocketAddr, watcher: Watcher) {
        let progress = Progress::new(&self.settings);
        let stream = Watched::new(stream, progress.clone());
        let Some(tls) = self.tls.clone() else {
            return self.speak(stream, remote, watcher, progress).await;
        };
        let handshake = TlsAcceptor::from(tls.current()).accept(stream);
        match timeout(tls.settings.handshake_timeout, handshake).await {
            Ok(Ok(stream)) => {
                progress.shaken();
                self.speak(stream, remote, watcher, progress).await;
            }
            Ok(Err(error)) => tracing::debug!(%error, %remote, "a handshake failed"),
            Err(_) => self.cut(Cut::Handshake, remote),
        }
    }

    async fn speak<S>(self: Arc<Self>, stream: S, remote: SocketAddr, watcher: Watcher, progress: Progress)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let speaker = self.clone();
        let of_requests = progress.clone();
        let service = service_fn(move |request| speaker.answer(request, remote, &of_requests));
        let connection = self.http.serve_connection(TokioIo::new(stream), service);
        match guarded(watcher.watch(connection), &progress).await {
            Ok(Ok(())) | Err(Over::Lingered) => {}
            // The caller broke off, or said what is no HTTP.
            Ok(Err(error)) => tracing::debug!(%error, %remote, "a connection ended early"),
            Err(Over::Cut(cut)) => self.cut(cut, remote),
        }
    }

    fn answer(
        &self,
        request: Request<Incoming>,
        remote: SocketAddr,
        progress: &Progress,
    ) -> impl Future<Output = Result<Response<Leaving>, Infallible>> + use<> {
        let running = RunningRequest::begin(self.tally.clone(), progress.clone());
        let mut request = request.map(|body| Body::new(Arriving::new(body, progress.clone())));
        request.extensions_mut().insert(Remote(remote));
        let answer = self.router.clone().oneshot(request);
        async move { Ok(answer.await?.map(|body| Leaving::new(body, running))) }
    }

    fn cut(&self, cut: Cut, remote: SocketAddr) {
        self.metrics.cut(cut);
        tracing::debug!(phase = cut.as_str(), %remote, "a connection was cut: its caller is too slow");
    }
}
