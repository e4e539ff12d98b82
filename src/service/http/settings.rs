//! What a server and what surrounds its routes are given. Checked: [`HttpConfig`](crate::service::connect::HttpConfig)
//! makes them from a configuration.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::Network;

/// A server: where it listens, and the bounds of everything that a caller can use of it.
///
/// With the defaults a connection whose caller is slow on purpose is cut within 10 s, whatever it is slow at: 3 s for
/// headers and 6 s for a body, or 8 s in which no byte of an answer is taken; over TLS after 5 s more for the handshake. One
/// that takes its answer byte by byte has a minute for it, and one that sends the next request so has 30 s to begin it.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpSettings {
    /// Address; port 0 takes a free one. Default 127.0.0.1:8080.
    pub listen: SocketAddr,
    /// Connections at once. More wait in the system's backlog, at most 1024 of them, and then do not get in. Default
    /// 10 000.
    pub max_connections: usize,
    /// Connections of one address at once; more are closed at once. Default none, which is right behind a proxy.
    pub max_connections_per_peer: Option<usize>,
    /// From the first byte of a request, or from the start of a connection, to the end of its headers. Default 3 s.
    pub header_timeout: Duration,
    /// From the end of the headers to the end of the body. Default 6 s.
    pub body_timeout: Duration,
    /// How long the caller may take no byte of an answer. Default 8 s.
    pub write_timeout: Duration,
    /// How long an answer may take to leave, counted from when the caller first takes nothing of it. Default 60 s.
    pub answer_timeout: Duration,
    /// How long a connection is kept without a request. Default 30 s.
    pub idle_timeout: Duration,
    /// From the end of the headers to the answer, which a caller may lower with `x-request-timeout-ms`. Default 10 s.
    pub request_timeout: Duration,
    /// How long what a refused caller still sends is thrown away before the connection is closed, so that it can read
    /// why. Default 1 s.
    pub linger: Duration,
    /// Bytes of request line and headers. Default 16 KiB.
    pub max_header_bytes: usize,
    /// Headers of a request. Default 100.
    pub max_headers: usize,
    /// Bytes of a body as it arrives, before any decompression. Default 2 MiB.
    pub max_body_bytes: usize,
    /// Bytes of the bodies of all requests that are held at once; one that finds no room is a `503`. Default 256 MiB.
    pub max_buffered_bytes: usize,
    /// How long a stop waits for requests that run. Default 10 s.
    pub drain: Duration,
    /// Proxies that are believed when they say for whom they call. Default none.
    pub trusted_proxies: Vec<Network>,
    /// Whether `/metrics` is among the routes. Default yes.
    pub metrics: bool,
    /// TLS; default none.
    pub tls: Option<TlsSettings>,
    /// What is written of requests.
    pub access_log: AccessLogSettings,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            max_connections: 10_000,
            max_connections_per_peer: None,
            header_timeout: Duration::from_secs(3),
            body_timeout: Duration::from_secs(6),
            write_timeout: Duration::from_secs(8),
            answer_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(10),
            linger: Duration::from_secs(1),
            max_header_bytes: 16 * 1024,
            max_headers: 100,
            max_body_bytes: 2 * 1024 * 1024,
            max_buffered_bytes: 256 * 1024 * 1024,
            drain: Duration::from_secs(10),
            trusted_proxies: Vec::new(),
            metrics: true,
            tls: None,
            access_log: AccessLogSettings::default(),
        }
    }
}

/// Certificate and key of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// PEM file with the certificate and those between it and the authority.
    pub certificate: PathBuf,
    /// PEM file with its private key.
    pub key: PathBuf,
    /// How often both files are looked at. Default 10 s.
    pub reload: Duration,
    /// How long a handshake may take. Default 5 s.
    pub handshake_timeout: Duration,
}

impl TlsSettings {
    /// With the defaults.
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self {
            certificate: certificate.into(),
            key: key.into(),
            reload: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(5),
        }
    }
}

/// Which requests are written to the access log.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AccessLogSettings {
    /// Share of all requests, from 0 to 1. Default 0.01.
    pub sample: f64,
    /// From which duration on one is always written. Default 1 s.
    pub slow: Duration,
    /// Lines a second at most; how many were left out is said in the next. Default 1000.
    pub max_per_second: u32,
}

impl Default for AccessLogSettings {
    fn default() -> Self {
        Self { sample: 0.01, slow: Duration::from_secs(1), max_per_second: 1000 }
    }
}
