//! The leader's side: the same message at every step, and what is put around it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use chassis::{Listener, ListenerError, Shutdown};
use rustls::ServerConfig;
use vocabulary::{Chance, Clock};

use crate::fernet::Keyring;

/// The message at `/`, sealed anew for each who asks when there are `keys`.
pub fn router(message: String, keys: Option<Keyring>, clock: Clock, chance: Chance) -> Router {
    let keys = Arc::new(keys);
    let answer = move || {
        let answer = match &*keys {
            None => Ok(message.clone()),
            Some(keys) => keys.seal(message.as_bytes(), &clock, &chance),
        };
        // aws-lc-rs says of a failure only that there was one.
        let answer = answer.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR);
        std::future::ready(([(header::CACHE_CONTROL, "no-store")], answer))
    };
    Router::new().route("/", get(answer))
}

/// An address that is taken; plain HTTP is refused where other machines reach it.
pub async fn listen(address: SocketAddr, plain: bool) -> Result<Listener, ListenerError> {
    let listener = Listener::bind(address).await?;
    if plain {
        listener.is_private()?;
    }
    Ok(listener)
}

/// Serves until it is told to stop.
pub async fn serve(
    listener: Listener,
    router: Router,
    tls: Option<ServerConfig>,
) -> Result<(), Box<dyn std::error::Error>> {
    let shutdown = Shutdown::default();
    shutdown.on_signals()?;
    match tls {
        Some(tls) => listener.serve(router, Arc::new(tls), shutdown).await,
        None => listener.serve_plain(router, shutdown).await?,
    }
    Ok(())
}
