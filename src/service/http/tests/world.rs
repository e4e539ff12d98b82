//! A server that runs, and callers with full control of what they send.

#![allow(clippy::unwrap_used, reason = "parts of tests: what they expect must hold")]

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::service::http::metrics::Exporter;
use crate::service::http::{Ended, HttpSettings, Readiness, Server, Shell};

/// How long anything that must happen is waited for: long enough for any machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Loopback and a free port; times that no test comes near unless it sets them.
pub(super) fn settings() -> HttpSettings {
    HttpSettings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        header_timeout: PATIENCE,
        body_timeout: PATIENCE,
        write_timeout: PATIENCE,
        idle_timeout: PATIENCE,
        request_timeout: PATIENCE,
        drain: PATIENCE,
        ..HttpSettings::default()
    }
}

/// A few routes.
pub(super) fn routes() -> Router {
    Router::new()
        .route("/hello", get(async || "hello"))
        .route("/length", post(async |body: Bytes| body.len().to_string()))
        .route("/things/{thing}", get(async || "a thing"))
        .route("/panic", get(async || -> &'static str { panic!("a secret") }))
        .route("/never", get(std::future::pending::<&'static str>))
}

/// A server that runs until it is stopped.
pub(super) struct World {
    pub(super) address: SocketAddr,
    pub(super) exporter: Exporter,
    pub(super) readiness: Readiness,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Ended>,
}

impl World {
    pub(super) async fn new(settings: HttpSettings, routes: Router) -> Self {
        Self::with(settings, routes, |shell| shell).await
    }

    pub(super) async fn with(settings: HttpSettings, routes: Router, shape: impl FnOnce(Shell) -> Shell) -> Self {
        let (exporter, readiness) = (Exporter::new(), Readiness::default());
        let shell = shape(Shell::new("test", &settings, exporter.clone(), readiness.clone()));
        let server = Server::bind(settings).await.unwrap();
        let server = server.with_metrics(exporter.http("test")).with_readiness(readiness.clone());
        let address = server.local_addr();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.run(shell.wrap(routes), async {
            let _dropped = stopped.await;
        }));
        Self { address, exporter, readiness, stop, task }
    }

    pub(super) async fn call(&self) -> Caller<TcpStream> {
        Caller::new(TcpStream::connect(self.address).await.unwrap())
    }

    /// One request on a connection of its own.
    pub(super) async fn get(&self, path: &str) -> Answer {
        self.call().await.get(path).await
    }

    /// The value of a series, 0 if it is not there.
    pub(super) fn series(&self, series: &str) -> u64 {
        let text = self.exporter.text();
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        line.map_or(0, |rest| rest.trim().parse::<f64>().unwrap() as u64)
    }

    /// Waits until a series has this value.
    pub(super) async fn until(&self, series: &str, value: u64) {
        let reached = async {
            while self.series(series) != value {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = timeout(PATIENCE, reached).await;
        assert!(waited.is_ok(), "{series} is {} instead of {value}", self.series(series));
    }

    /// Begins to stop; the end comes with the task.
    pub(super) fn stopping(self) -> JoinHandle<Ended> {
        self.stop.send(()).unwrap();
        self.task
    }

    pub(super) async fn stop(self) -> Ended {
        timeout(PATIENCE, self.stopping()).await.unwrap().unwrap()
    }
}

/// An answer as it was read.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The code of the problem document that it is.
    pub(super) fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert_eq!(self.json()["status"], self.status);
        self.json()["code"].as_str().unwrap().to_owned()
    }
}

/// One connection.
pub(super) struct Caller<S> {
    pub(super) stream: S,
    unused: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Caller<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, unused: Vec::new() }
    }

    pub(super) async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    pub(super) async fn get(&mut self, path: &str) -> Answer {
        self.get_with(path, "").await
    }

    /// `headers` are lines that end with `\r\n`.
    pub(super) async fn get_with(&mut self, path: &str, headers: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: x\r\n{headers}\r\n")).await;
        self.answer().await
    }

    pub(super) async fn post(&mut self, path: &str, body: &str) -> Answer {
        let length = body.len();
        self.send(&format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}")).await;
        self.answer().await
    }

    /// The next answer, by its `content-length`.
    pub(super) async fn answer(&mut self) -> Answer {
        let end = loop {
            if let Some(at) = self.unused.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.more().await, "closed before an answer: {:?}", String::from_utf8_lossy(&self.unused));
        };
        let head = String::from_utf8(self.unused.drain(..end).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer { status, head, body: String::new() };
        let length: usize = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        while self.unused.len() < length {
            assert!(self.more().await, "closed within an answer: {answer:?}");
        }
        answer.body = String::from_utf8(self.unused.drain(..length).collect()).unwrap();
        answer
    }

    /// Waits until the server closes the connection, and gives what it sent before that.
    pub(super) async fn closed(&mut self) -> String {
        while self.more().await {}
        String::from_utf8(std::mem::take(&mut self.unused)).unwrap()
    }

    /// False when the connection is closed, also when it is by a reset.
    async fn more(&mut self) -> bool {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.unused)).await;
        read.expect("the server neither answers nor closes").is_ok_and(|bytes| bytes > 0)
    }
}
