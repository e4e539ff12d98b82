//! `[….http]`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::{set, set_ms};
use crate::service::http::{AccessLogSettings, HttpSettings, Network, TlsSettings};
use crate::topology::{Error, Result};

/// A server; see [`HttpSettings`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// Address and port; loopback unless told otherwise.
    pub listen: Option<SocketAddr>,
    /// Connections at once.
    pub max_connections: Option<usize>,
    /// Connections of one address at once; 0 = as many as of all.
    pub max_connections_per_peer: Option<usize>,
    /// How long the headers of a request may take.
    pub header_timeout_ms: Option<u64>,
    /// How long the body of a request may take.
    pub body_timeout_ms: Option<u64>,
    /// How long a caller may take nothing of an answer.
    pub write_timeout_ms: Option<u64>,
    /// How long an answer may take to leave, once the caller is slow.
    pub answer_timeout_ms: Option<u64>,
    /// How long a connection is kept without a request.
    pub idle_timeout_ms: Option<u64>,
    /// How long a request may take.
    pub request_timeout_ms: Option<u64>,
    /// How long what a refused caller still sends is read.
    pub linger_ms: Option<u64>,
    /// Bytes of request line and headers.
    pub max_header_bytes: Option<usize>,
    /// Headers of a request.
    pub max_headers: Option<usize>,
    /// Bytes of a body as it arrives.
    pub max_body_bytes: Option<usize>,
    /// Bytes of the bodies of all requests that are held at once.
    pub max_buffered_bytes: Option<usize>,
    /// How long a stop waits for requests that run.
    pub drain_ms: Option<u64>,
    /// Networks of the proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<String>,
    /// Whether `/metrics` is served.
    pub metrics: Option<bool>,
    /// TLS; none without it.
    pub tls: Option<TlsConfig>,
    /// Which requests are written down.
    pub access_log: AccessLogConfig,
}

/// `[….http.tls]`; see [`TlsSettings`].
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM file of the certificate and those between it and the authority.
    pub certificate: PathBuf,
    /// PEM file of its key.
    pub key: PathBuf,
    /// How often both are looked at.
    pub reload_ms: Option<u64>,
    /// How long a handshake may take.
    pub handshake_timeout_ms: Option<u64>,
}

/// `[….http.access_log]`; see [`AccessLogSettings`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccessLogConfig {
    /// Share of requests.
    pub sample: Option<f64>,
    /// From when on a request is slow.
    pub slow_ms: Option<u64>,
    /// Lines a second at most.
    pub max_per_second: Option<u32>,
}

impl HttpConfig {
    /// The settings; `key` is where the table stands, for errors, such as `query.http`.
    ///
    /// # Errors
    /// A value that is out of range, by its key.
    pub fn settings(&self, key: &str) -> Result<HttpSettings> {
        let mut settings = HttpSettings::default();
        set(&mut settings.listen, self.listen);
        set(&mut settings.max_connections, self.max_connections);
        settings.max_connections_per_peer = self.max_connections_per_peer.filter(|most| *most > 0);
        set_ms(&mut settings.header_timeout, self.header_timeout_ms);
        set_ms(&mut settings.body_timeout, self.body_timeout_ms);
        set_ms(&mut settings.write_timeout, self.write_timeout_ms);
        set_ms(&mut settings.answer_timeout, self.answer_timeout_ms);
        set_ms(&mut settings.idle_timeout, self.idle_timeout_ms);
        set_ms(&mut settings.request_timeout, self.request_timeout_ms);
        set_ms(&mut settings.linger, self.linger_ms);
        set(&mut settings.max_header_bytes, self.max_header_bytes);
        set(&mut settings.max_headers, self.max_headers);
        set(&mut settings.max_body_bytes, self.max_body_bytes);
        set(&mut settings.max_buffered_bytes, self.max_buffered_bytes);
        set_ms(&mut settings.drain, self.drain_ms);
        set(&mut settings.metrics, self.metrics);
        for (at, proxy) in self.trusted_proxies.iter().enumerate() {
            let network: Network =
                proxy.parse().map_err(|error| Error::fatal(format!("{key}.trusted_proxies[{at}]: {error}")))?;
            settings.trusted_proxies.push(network);
        }
        settings.tls = self.tls.as_ref().map(TlsConfig::settings);
        settings.access_log = self.access_log.settings();
        check(&settings, key)?;
        Ok(settings)
    }
}

impl TlsConfig {
    pub(super) fn settings(&self) -> TlsSettings {
        let mut settings = TlsSettings::new(&self.certificate, &self.key);
        set_ms(&mut settings.reload, self.reload_ms);
        set_ms(&mut settings.handshake_timeout, self.handshake_timeout_ms);
        settings
    }
}

impl AccessLogConfig {
    fn settings(&self) -> AccessLogSettings {
        let mut settings = AccessLogSettings::default();
        set(&mut settings.sample, self.sample);
        set_ms(&mut settings.slow, self.slow_ms);
        set(&mut settings.max_per_second, self.max_per_second);
        settings
    }
}

/// A time of zero would let nobody in, and one of years is no bound.
fn check(settings: &HttpSettings, key: &str) -> Result<()> {
    let tls = settings.tls.as_ref();
    let times = [
        ("header_timeout_ms", Some(settings.header_timeout)),
        ("body_timeout_ms", Some(settings.body_timeout)),
        ("write_timeout_ms", Some(settings.write_timeout)),
        ("answer_timeout_ms", Some(settings.answer_timeout)),
        ("idle_timeout_ms", Some(settings.idle_timeout)),
        ("request_timeout_ms", Some(settings.request_timeout)),
        ("tls.reload_ms", tls.map(|tls| tls.reload)),
        ("tls.handshake_timeout_ms", tls.map(|tls| tls.handshake_timeout)),
    ];
    let day = Duration::from_secs(86_400);
    for (name, time) in times {
        let fits = time.is_none_or(|time| !time.is_zero() && time <= day);
        range(key, name, "1 to 86400000", fits)?;
    }
    range(key, "linger_ms", "at most 86400000", settings.linger <= day)?;
    range(key, "drain_ms", "at most 86400000", settings.drain <= day)?;
    range(key, "max_connections", "1 to 1000000", (1..=1_000_000).contains(&settings.max_connections))?;
    let headers = (1024..=1 << 20).contains(&settings.max_header_bytes);
    range(key, "max_header_bytes", "1024 to 1048576", headers)?;
    range(key, "max_headers", "1 to 1000", (1..=1000).contains(&settings.max_headers))?;
    range(key, "max_body_bytes", "1 to 1073741824", (1..=1 << 30).contains(&settings.max_body_bytes))?;
    let buffered = settings.max_buffered_bytes >= settings.max_body_bytes;
    range(key, "max_buffered_bytes", "max_body_bytes or more", buffered)?;
    let sample = (0.0..=1.0).contains(&settings.access_log.sample);
    range(key, "access_log.sample", "0 to 1", sample)?;
    range(key, "access_log.max_per_second", "1 or more", settings.access_log.max_per_second > 0)
}

fn range(key: &str, name: &str, allowed: &str, holds: bool) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::fatal(format!("{key}.{name} is out of range; allowed is {allowed}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Result<HttpSettings, String> {
        let config: HttpConfig = toml::from_str(text).map_err(|error| error.to_string())?;
        config.settings("query.http").map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        assert_eq!(settings("").unwrap(), HttpSettings::default());
        assert!(HttpSettings::default().listen.ip().is_loopback());
    }

    #[test]
    fn every_key_arrives() {
        let text = "listen = '[::1]:9000'\nmax_connections = 1\nmax_connections_per_peer = 2\nheader_timeout_ms = 3\n\
                    body_timeout_ms = 4\nwrite_timeout_ms = 5\nanswer_timeout_ms = 18\nidle_timeout_ms = 6\nrequest_timeout_ms = 7\n\
                    linger_ms = 8\nmax_header_bytes = 2048\nmax_headers = 10\nmax_body_bytes = 11\nmax_buffered_bytes = 17\ndrain_ms = 12\n\
                    trusted_proxies = ['10.0.0.0/8']\nmetrics = false\n\
                    tls = { certificate = 'c', key = 'k', reload_ms = 13, handshake_timeout_ms = 14 }\n\
                    access_log = { sample = 0.5, slow_ms = 15, max_per_second = 16 }";
        let ms = Duration::from_millis;
        let tls = TlsSettings { reload: ms(13), handshake_timeout: ms(14), ..TlsSettings::new("c", "k") };
        let expected = HttpSettings {
            listen: "[::1]:9000".parse().unwrap(),
            max_connections: 1,
            max_connections_per_peer: Some(2),
            header_timeout: ms(3),
            body_timeout: ms(4),
            write_timeout: ms(5),
            answer_timeout: ms(18),
            idle_timeout: ms(6),
            request_timeout: ms(7),
            linger: ms(8),
            max_header_bytes: 2048,
            max_headers: 10,
            max_body_bytes: 11,
            max_buffered_bytes: 17,
            drain: ms(12),
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
            metrics: false,
            tls: Some(tls),
            access_log: AccessLogSettings { sample: 0.5, slow: ms(15), max_per_second: 16 },
        };
        assert_eq!(settings(text).unwrap(), expected);
        assert_eq!(settings("max_connections_per_peer = 0").unwrap().max_connections_per_peer, None);
    }

    #[test]
    fn what_bounds_nothing_or_lets_nobody_in_is_refused_by_its_key() {
        for (text, key) in [
            ("max_connections = 0", "query.http.max_connections "),
            ("header_timeout_ms = 0", "query.http.header_timeout_ms "),
            ("body_timeout_ms = 86400001", "query.http.body_timeout_ms "),
            ("write_timeout_ms = 0", "query.http.write_timeout_ms "),
            ("answer_timeout_ms = 0", "query.http.answer_timeout_ms "),
            ("idle_timeout_ms = 0", "query.http.idle_timeout_ms "),
            ("request_timeout_ms = 0", "query.http.request_timeout_ms "),
            ("linger_ms = 86400001", "query.http.linger_ms "),
            ("drain_ms = 86400001", "query.http.drain_ms "),
            ("max_header_bytes = 100", "query.http.max_header_bytes "),
            ("max_headers = 0", "query.http.max_headers "),
            ("max_body_bytes = 0", "query.http.max_body_bytes "),
            ("max_body_bytes = 9\nmax_buffered_bytes = 8", "query.http.max_buffered_bytes "),
            ("trusted_proxies = ['::1', 'x']", "query.http.trusted_proxies[1]: `x`"),
            ("tls = { certificate = 'c', key = 'k', reload_ms = 0 }", "query.http.tls.reload_ms "),
            ("access_log.sample = 1.5", "query.http.access_log.sample "),
            ("access_log.sample = nan", "query.http.access_log.sample "),
            ("access_log.max_per_second = 0", "query.http.access_log.max_per_second "),
        ] {
            let error = settings(text).unwrap_err();
            assert!(error.starts_with(key), "{text}: {error}");
        }
        assert!(settings("liste = 1").unwrap_err().contains("unknown field"));
    }
}
