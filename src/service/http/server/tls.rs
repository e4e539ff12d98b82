//! Certificates, and what follows their files.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use xxhash_rust::xxh3::xxh3_128;

use crate::service::http::metrics::HttpMetrics;
use crate::service::http::{HttpError, TlsSettings};

/// The certificate that new connections get.
pub(super) struct Tls {
    pub(super) settings: TlsSettings,
    current: ArcSwap<ServerConfig>,
}

/// What both files hold. The fingerprint tells whether they have changed without the key being kept.
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Tls {
    /// Reads both files.
    ///
    /// # Errors
    /// [`HttpError::Tls`]
    pub(super) fn open(settings: &TlsSettings) -> Result<(Arc<Self>, u128), HttpError> {
        let files = Files::read(settings)?;
        let current = ArcSwap::from(files.config(settings)?);
        Ok((Arc::new(Self { settings: settings.clone(), current }), files.fingerprint()))
    }

    /// The one for a connection that begins now.
    pub(super) fn current(&self) -> Arc<ServerConfig> {
        self.current.load_full()
    }

    /// Looks at the files for ever. What cannot be used is said once, and the certificate before it stays: files that are
    /// replaced one after the other do not agree for a moment.
    pub(super) async fn follow(self: Arc<Self>, mut seen: u128, metrics: HttpMetrics) {
        let mut ticks = interval(self.settings.reload);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        let mut unreadable = false;
        loop {
            ticks.tick().await;
            let settings = self.settings.clone();
            let read = tokio::task::spawn_blocking(move || Files::read(&settings)).await;
            let files = match read {
                Ok(Ok(files)) => files,
                Ok(Err(error)) => {
                    if !std::mem::replace(&mut unreadable, true) {
                        metrics.certificate(false);
                        tracing::error!(%error, "the certificate is not followed while its files cannot be read");
                    }
                    continue;
                }
                // The runtime is going down.
                Err(_) => return,
            };
            unreadable = false;
            if std::mem::replace(&mut seen, files.fingerprint()) == seen {
                continue;
            }
            match files.config(&self.settings) {
                Ok(config) => {
                    self.current.store(config);
                    metrics.certificate(true);
                    tracing::info!(file = %self.settings.certificate.display(), "new connections get a new certificate");
                }
                Err(error) => {
                    metrics.certificate(false);
                    tracing::error!(%error, "the new certificate cannot be used; the old one stays");
                }
            }
        }
    }
}

impl Files {
    fn read(settings: &TlsSettings) -> Result<Self, HttpError> {
        let read = |file: &Path| fs::read(file).map_err(|error| refused(file, error));
        Ok(Self { certificate: read(&settings.certificate)?, key: read(&settings.key)? })
    }

    fn fingerprint(&self) -> u128 {
        xxh3_128(&self.certificate) ^ xxh3_128(&self.key).rotate_left(1)
    }

    fn config(&self, settings: &TlsSettings) -> Result<Arc<ServerConfig>, HttpError> {
        let of_certificate = |reason: &dyn std::fmt::Display| refused(&settings.certificate, reason);
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<_, _>>()
            .map_err(|error| of_certificate(&error))?;
        if chain.is_empty() {
            return Err(of_certificate(&"no certificate is in it"));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|error| refused(&settings.key, error))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| of_certificate(&error))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| of_certificate(&error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn refused(file: &Path, reason: impl std::fmt::Display) -> HttpError {
    HttpError::Tls { file: file.to_owned(), reason: reason.to_string() }
}
