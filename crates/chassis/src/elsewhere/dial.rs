//! Connections to one instance, over mutual TLS, and what was learnt of it while they were made.
//!
//! Promises: a connection is made to that address and no other, by the name of the service and no other; it is given up
//! when it takes too long, or when it turns out meanwhile that nobody answers there.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::http::Uri;
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use pki::{Negotiated, Peer};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use vocabulary::Timestamp;

use super::standing::Condition;

/// Longest wait for a connection, the handshake included.
const CONNECTING: Duration = Duration::from_secs(1);

/// What handshakes with an instance have shown.
#[derive(Clone, Default)]
pub(super) struct Met {
    pub(super) negotiated: Option<Negotiated>,
    pub(super) peer: Option<Peer>,
    /// When the first of the certificates shown ends.
    pub(super) until: Option<Timestamp>,
}

/// Makes connections to one instance.
#[derive(Clone)]
pub(super) struct Dialer {
    pub(super) at: SocketAddr,
    pub(super) name: ServerName<'static>,
    pub(super) tls: TlsConnector,
    pub(super) condition: watch::Sender<Condition>,
    pub(super) met: Arc<Mutex<Met>>,
}

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

impl Dialer {
    async fn dial(self) -> io::Result<Stream> {
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no connection in time");
        let mut condition = self.condition.subscribe();
        tokio::select! {
            stream = tokio::time::timeout(CONNECTING, self.connect()) => stream.map_err(late)?,
            why = becomes(&mut condition, |now| now.silent) => Err(io::Error::other(why)),
        }
    }

    async fn connect(&self) -> io::Result<Stream> {
        let stream = TcpStream::connect(self.at).await?;
        // Without it each small write may wait 40 ms for the peer's acknowledgement (Nagle).
        stream.set_nodelay(true)?;
        let stream = TokioIo::new(TokioIo::new(stream));
        let stream = self.tls.connect(self.name.clone(), stream).await?;
        self.meet(stream.get_ref().1);
        Ok(stream.into())
    }

    fn meet(&self, connection: &rustls::CommonState) {
        let (negotiated, peer) = (Negotiated::of(connection), Peer::of(connection));
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        met.until = met.until.into_iter().chain(peer.as_ref().map(|peer| peer.life.until)).min();
        (met.negotiated, met.peer) = (negotiated, peer);
    }
}

/// Waits until it becomes as bad as that, and says why; one that is already may be about to mend.
pub(super) async fn becomes(condition: &mut watch::Receiver<Condition>, bad: fn(&Condition) -> bool) -> String {
    loop {
        if condition.changed().await.is_err() {
            return std::future::pending().await;
        }
        let now = condition.borrow_and_update();
        if bad(&now) {
            return now.why.clone().unwrap_or_default();
        }
    }
}

impl tower::Service<Uri> for Dialer {
    type Response = Stream;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        Box::pin(self.clone().dial())
    }
}
