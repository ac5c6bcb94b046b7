//! The way into a program of one listener: plain HTTP for this machine alone, or HTTPS under an authority of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use pki::{Authority, Identity, PkiError};
use rustls::ServerConfig;
use vocabulary::{Chance, Clock};

use crate::{Listener, ListenerError, Shutdown};

/// An address that is taken and does not serve yet.
pub struct Front {
    listener: Listener,
    tls: Option<(Arc<ServerConfig>, PathBuf)>,
}

/// Why there is no way in.
#[derive(Debug, thiserror::Error)]
pub enum FrontError {
    /// The address.
    #[error(transparent)]
    Listener(#[from] ListenerError),
    /// The certificate.
    #[error(transparent)]
    Certificate(#[from] PkiError),
}

impl Front {
    /// Takes the address. With a folder for `keys` it serves HTTPS, and makes authority and certificate there when they
    /// are missing; without one plain HTTP, where nobody but this machine reaches it.
    pub async fn open(
        name: &str,
        address: SocketAddr,
        keys: Option<&Path>,
        clock: &Clock,
        chance: &Chance,
    ) -> Result<Self, FrontError> {
        let listener = Listener::bind(address).await?;
        let Some(keys) = keys else {
            listener.is_private()?;
            return Ok(Self { listener, tls: None });
        };
        let (authority, _) = Authority::open_or_create(keys, name, clock, chance)?;
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        let own = listener.address().ip();
        if !own.is_loopback() && !own.is_unspecified() {
            names.push(own.to_string());
        }
        let identity = Identity::open_or_issue(keys, "https", &authority, &pki::Request::https(names), clock, chance)?;
        let config = pki::server_config(&identity, None, clock)?;
        Ok(Self { listener, tls: Some((Arc::new(config), keys.join("ca.pem"))) })
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        let (scheme, address) = (if self.tls.is_some() { "https" } else { "http" }, self.listener.address());
        if address.ip().is_unspecified() {
            format!("{scheme}://localhost:{}", address.port())
        } else {
            format!("{scheme}://{address}")
        }
    }

    /// The certificate of the authority that clients have to trust, for HTTPS.
    pub fn ca(&self) -> Option<&Path> {
        self.tls.as_ref().map(|(_, ca)| ca.as_path())
    }

    /// Serves until `shutdown`, then waits for the answers under way, but not for ever.
    pub async fn serve(self, router: Router, shutdown: Shutdown) -> Result<(), FrontError> {
        match self.tls {
            Some((tls, _)) => self.listener.serve(router, tls, shutdown).await,
            None => self.listener.serve_plain(router, shutdown).await?,
        }
        Ok(())
    }
}
