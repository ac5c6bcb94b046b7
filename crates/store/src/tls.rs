//! TLS for PostgreSQL: version 1.3, one named authority and its revocation lists, a client certificate. There is no other
//! way in.

use std::fs;
use std::future::Future;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream as Encrypted;

use crate::{PostgresConfig, StoreError};

/// What the last connection to a server agreed on, by registered names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encryption {
    /// Such as `TLSv1.3`.
    pub protocol: String,
    /// The group of the key exchange, such as `X25519`.
    pub group: String,
    /// Such as `TLS13_AES_256_GCM_SHA384`.
    pub cipher: String,
}

impl Encryption {
    fn of(connection: &rustls::CommonState) -> Option<Self> {
        Some(Self {
            protocol: connection.protocol_version()?.as_str()?.replace('_', "."),
            group: connection.negotiated_key_exchange_group()?.name().as_str()?.to_owned(),
            cipher: connection.negotiated_cipher_suite()?.suite().as_str()?.to_owned(),
        })
    }
}

/// Where a connection leaves what it agreed on. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Noted(Arc<Mutex<Option<Encryption>>>);

impl Noted {
    pub(crate) fn last(&self) -> Option<Encryption> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, encryption: Option<Encryption>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = encryption;
    }
}

/// Makes the encrypted side of a connection.
#[derive(Clone)]
pub(crate) struct Tls {
    config: Arc<ClientConfig>,
    noted: Noted,
}

impl Tls {
    /// Reads the files, now.
    pub(crate) fn read(config: &PostgresConfig, noted: &Noted) -> Result<Self, StoreError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&config.root_certificate)? {
            roots.add(certificate).map_err(|error| unusable(&config.root_certificate, &error))?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let own = Arc::new(SingleCertAndKey::from(pair(config, &provider)?));
        let mut judge = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        if let Some(path) = &config.revocation_list {
            judge = judge.with_crls(lists(path)?).enforce_revocation_expiration();
        }
        let judge = judge.build().map_err(|error| unusable(&config.root_certificate, &error))?;
        ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map(|builder| builder.with_webpki_verifier(judge).with_client_cert_resolver(own))
            .map(|config| Self { config: Arc::new(config), noted: noted.clone() })
            .map_err(|error| unusable(&config.certificate, &error))
    }
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Configuration(format!("cannot use {} for the database link: {error}", path.display()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, StoreError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = read.map_err(|error| unusable(path, &error))?;
    if found.is_empty() { Err(unusable(path, &"it holds no certificate")) } else { Ok(found) }
}

/// Our certificate with its key. Whoever renews them replaces first the one, then the other: meanwhile the new key lies beside
/// the old one, as `….next`.
fn pair(config: &PostgresConfig, provider: &CryptoProvider) -> Result<CertifiedKey, StoreError> {
    let coming = config.key.with_extension("pem.next");
    let read = |key: &Path| {
        private(key)?;
        let chain = certificates(&config.certificate)?;
        let der = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, &error))?;
        CertifiedKey::from_der(chain, der, provider).map_err(|error| unusable(&config.certificate, &error))
    };
    // Again at the end: the new key may have come to its place between the two looks.
    read(&config.key).or_else(|_| read(&coming)).or_else(|_| read(&config.key))
}

fn lists(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, StoreError> {
    let read = CertificateRevocationListDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = read.map_err(|error| unusable(path, &error))?;
    if found.is_empty() { Err(unusable(path, &"it holds no revocation list")) } else { Ok(found) }
}

/// A key that others can read is no longer a secret. (The group may, where root owns it: so are keys mounted for a service.)
fn private(path: &Path) -> Result<(), StoreError> {
    let data = fs::metadata(path).map_err(|error| unusable(path, &error))?;
    let others = if data.uid() == 0 { 0o037 } else { 0o077 };
    if data.mode() & others == 0 {
        Ok(())
    } else {
        Err(unusable(path, &"other users can read this private key; run chmod 600 on it"))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for Tls {
    type Stream = Stream<S>;
    type TlsConnect = Connect;
    type Error = io::Error;
    fn make_tls_connect(&mut self, host: &str) -> io::Result<Connect> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        Ok(Connect { tls: self.clone(), name })
    }
}

/// One handshake to come.
pub(crate) struct Connect {
    tls: Tls,
    name: ServerName<'static>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Connect {
    type Stream = Stream<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream<S>>> + Send>>;
    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let Self { tls, name } = self;
            let stream = TlsConnector::from(tls.config).connect(name, stream).await?;
            tls.noted.note(Encryption::of(stream.get_ref().1));
            Ok(Stream(stream))
        })
    }
}

/// The encrypted connection.
pub(crate) struct Stream<S>(Encrypted<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Stream<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, from)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
