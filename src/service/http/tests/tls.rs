//! Certificates: who is believed, and how one follows another.

#![allow(clippy::unwrap_used, reason = "parts of tests: what they expect must hold")]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::world::{Caller, World, routes, settings};
use crate::service::http::{HttpError, HttpSettings, Server, TlsSettings};

/// An authority that signs what a test needs.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Puts a certificate for `host` and its key into the files that [`tls`] names, and gives it.
    fn issue(&self, folder: &Path, host: &str, last_year: i32) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(last_year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        replace(folder, "key.pem", &key.serialize_pem());
        replace(folder, "certificate.pem", &certificate.pem());
        certificate.der().clone()
    }

    /// A client that believes this authority.
    fn client(&self) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        TlsConnector::from(Arc::new(config))
    }
}

/// Gives a file its contents at once, as those that renew certificates do.
fn replace(folder: &Path, name: &str, text: &str) {
    let new = folder.join("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, folder.join(name)).unwrap();
}

/// A certificate that is good for longer than any test runs.
const GOOD: i32 = 4000;

fn tls(folder: &TempDir) -> HttpSettings {
    let files = TlsSettings::new(folder.path().join("certificate.pem"), folder.path().join("key.pem"));
    let tls =
        TlsSettings { reload: Duration::from_millis(10), handshake_timeout: Duration::from_secs(60), ..files };
    HttpSettings { tls: Some(tls), ..settings() }
}

async fn connect(
    world: &World,
    client: &TlsConnector,
    host: &'static str,
) -> Result<TlsStream<TcpStream>, String> {
    let stream = TcpStream::connect(world.address).await.unwrap();
    let name = ServerName::try_from(host).unwrap();
    client.connect(name, stream).await.map_err(|error| error.to_string())
}

/// What the server shows to a new connection.
async fn shown(world: &World, client: &TlsConnector) -> CertificateDer<'static> {
    let stream = connect(world, client, "localhost").await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

#[tokio::test]
async fn requests_are_answered_over_it() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    authority.issue(folder.path(), "localhost", GOOD);
    let world = World::new(tls(&folder), routes()).await;
    let mut caller = Caller::new(connect(&world, &authority.client(), "localhost").await.unwrap());
    for _ in 0..2 {
        assert_eq!(caller.get("/hello").await.body, "hello");
        assert_eq!(caller.post("/length", &"x".repeat(1 << 20)).await.body, "1048576");
    }
    // In the clear there is nothing but an alert.
    let mut clear = world.call().await;
    clear.send("GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut said = Vec::new();
    let _reset = tokio::io::AsyncReadExt::read_to_end(&mut clear.stream, &mut said).await;
    assert!(!said.starts_with(b"HTTP"));
}

#[tokio::test]
async fn clients_refuse_what_they_must() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    authority.issue(folder.path(), "localhost", GOOD);
    let world = World::new(tls(&folder), routes()).await;
    let wrong_authority = connect(&world, &Authority::new().client(), "localhost").await.unwrap_err();
    assert!(
        wrong_authority.contains("UnknownIssuer") || wrong_authority.contains("BadSignature"),
        "{wrong_authority}"
    );
    let wrong_host = connect(&world, &authority.client(), "example.com").await.unwrap_err();
    assert!(wrong_host.contains("not valid for name"), "{wrong_host}");
    drop(world);
    authority.issue(folder.path(), "localhost", 2021);
    let world = World::new(tls(&folder), routes()).await;
    let expired = connect(&world, &authority.client(), "localhost").await.unwrap_err();
    assert!(expired.contains("expired"), "{expired}");
}

#[tokio::test]
async fn a_new_certificate_is_taken_and_a_broken_one_is_not() {
    let reloads =
        |result: &str| format!("squall_http_certificate_reloads_total{{server=\"test\",result=\"{result}\"}}");
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let first = authority.issue(folder.path(), "localhost", GOOD);
    let world = World::new(tls(&folder), routes()).await;
    let client = authority.client();
    let mut before = Caller::new(connect(&world, &client, "localhost").await.unwrap());
    assert_eq!(shown(&world, &client).await, first);
    replace(folder.path(), "certificate.pem", "broken");
    world.until(&reloads("refused"), 1).await;
    assert_eq!(shown(&world, &client).await, first);
    fs::remove_file(folder.path().join("certificate.pem")).unwrap();
    world.until(&reloads("refused"), 2).await;
    assert_eq!(shown(&world, &client).await, first);
    // Key and certificate change one after the other: whatever is seen in between, the pair is taken in the end.
    let second = authority.issue(folder.path(), "localhost", GOOD);
    world.until(&reloads("taken"), 1).await;
    assert_eq!(shown(&world, &client).await, second);
    assert_eq!(before.get("/hello").await.status, 200, "connections from before go on");
}

#[tokio::test]
async fn a_handshake_has_its_time() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    authority.issue(folder.path(), "localhost", GOOD);
    let mut settings = tls(&folder);
    settings.tls.as_mut().unwrap().handshake_timeout = Duration::from_millis(100);
    let world = World::new(settings, routes()).await;
    assert_eq!(world.call().await.closed().await, "");
    world.until("squall_http_connections_cut_total{server=\"test\",phase=\"handshake\"}", 1).await;
}

#[tokio::test]
async fn slow_callers_are_cut_over_it_too() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    authority.issue(folder.path(), "localhost", GOOD);
    let settings = HttpSettings { header_timeout: Duration::from_millis(300), ..tls(&folder) };
    let world = World::new(settings, routes()).await;
    let mut caller = Caller::new(connect(&world, &authority.client(), "localhost").await.unwrap());
    caller.send("GET /hel").await;
    assert_eq!(caller.closed().await, "");
    world.until("squall_http_connections_cut_total{server=\"test\",phase=\"headers\"}", 1).await;
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named_at_the_start() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let refused = async || match Server::bind(tls(&folder)).await {
        Err(error @ HttpError::Tls { .. }) => error.to_string(),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was taken"),
    };
    let text = refused().await;
    assert!(text.contains("certificate.pem: ") && text.contains("`tls.certificate`"), "{text}");
    authority.issue(folder.path(), "localhost", GOOD);
    replace(folder.path(), "key.pem", &KeyPair::generate().unwrap().serialize_pem());
    let text = refused().await;
    assert!(text.contains("KeyMismatch"), "{text}");
    replace(folder.path(), "key.pem", "none");
    assert!(refused().await.contains("key.pem: "));
    replace(folder.path(), "certificate.pem", "");
    assert!(refused().await.contains("no certificate is in it"));
}
