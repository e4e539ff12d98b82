//! Requests over connections that stay open: at a rate, whatever the answers take, or as fast as the answers come.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::http::header::HOST;
use axum::http::{HeaderValue, Request, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::latency::Latencies;

/// What is asked, and what must be answered.
pub(crate) trait Work: Send + Sync + 'static {
    /// What an answer is judged by.
    type Asked: Send;

    /// The next request.
    fn ask(&self) -> (Request<Full<Bytes>>, Self::Asked);

    /// Panics at an answer that is wrong.
    fn judge(&self, asked: Self::Asked, status: StatusCode, body: &Bytes);
}

/// How many requests, and over how many connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    pub(crate) requests: u64,
}

/// What came of a load.
pub(crate) struct Outcome {
    /// From the first request, as it was due, to the last answer.
    pub(crate) took: Duration,
    pub(crate) latencies: Latencies,
}

impl Load {
    /// `rate` requests a second. A latency is the time from when a request was **due** to the end of its answer: one that
    /// waits for a connection waits as a caller would, and no request is left out.
    pub(crate) async fn open<W: Work>(self, work: &Arc<W>, address: &str, rate: f64) -> Outcome {
        let connections = self.connect(address).await;
        let (due, next) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicU64::new(0)));
        let began = Instant::now() + Duration::from_millis(10);
        let at = move |n: u64| began + Duration::from_secs_f64(n as f64 / rate);
        let mut workers = JoinSet::new();
        for mut connection in connections {
            let (work, due, next) = (work.clone(), due.clone(), next.clone());
            workers.spawn(async move {
                let mut latencies = Latencies::default();
                loop {
                    due.acquire().await.expect("it is never closed").forget();
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= self.requests {
                        return latencies;
                    }
                    connection.serve(&*work).await;
                    latencies.note(at(n).elapsed());
                }
            });
        }
        // Timers of the runtime are no finer than a millisecond, those of a thread are.
        std::thread::spawn(move || {
            for n in 0..self.requests {
                std::thread::sleep(at(n).saturating_duration_since(Instant::now()));
                due.add_permits(1);
            }
            due.add_permits(self.connections);
        });
        Self::outcome(workers, began).await
    }

    /// The next request of each connection when it has its answer.
    pub(crate) async fn closed<W: Work>(self, work: &Arc<W>, address: &str) -> Outcome {
        let connections = self.connect(address).await;
        let next = Arc::new(AtomicU64::new(0));
        let began = Instant::now();
        let mut workers = JoinSet::new();
        for mut connection in connections {
            let (work, next) = (work.clone(), next.clone());
            workers.spawn(async move {
                let mut latencies = Latencies::default();
                while next.fetch_add(1, Ordering::Relaxed) < self.requests {
                    let sent = Instant::now();
                    connection.serve(&*work).await;
                    latencies.note(sent.elapsed());
                }
                latencies
            });
        }
        Self::outcome(workers, began).await
    }

    async fn connect(self, address: &str) -> Vec<Connection> {
        let mut connections = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            connections.push(Connection::open(address).await);
        }
        connections
    }

    async fn outcome(mut workers: JoinSet<Latencies>, began: Instant) -> Outcome {
        let mut latencies = Latencies::default();
        while let Some(of_one) = workers.join_next().await {
            latencies.add(&of_one.expect("a right answer to every request"));
        }
        Outcome { took: began.elapsed(), latencies }
    }
}

/// A connection that stays open.
struct Connection {
    host: HeaderValue,
    requests: SendRequest<Full<Bytes>>,
}

impl Connection {
    async fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("the service listens");
        stream.set_nodelay(true).expect("a fresh connection");
        let (requests, connection) = handshake(TokioIo::new(stream)).await.expect("a fresh connection");
        tokio::spawn(connection);
        Self { host: HeaderValue::from_str(address).expect("an address is ASCII"), requests }
    }

    async fn serve<W: Work>(&mut self, work: &W) {
        let (mut request, asked) = work.ask();
        request.headers_mut().insert(HOST, self.host.clone());
        self.requests.ready().await.expect("the service keeps the connection");
        let answer = self.requests.send_request(request).await.expect("an answer");
        let status = answer.status();
        let body = answer.into_body().collect().await.expect("a whole answer").to_bytes();
        work.judge(asked, status, &body);
    }
}
