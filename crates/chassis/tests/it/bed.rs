//! An authority with its list of what it took back, services under it, and the network between them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aaa::Transport;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::get;
use chassis::{Limits, Listener, Shutdown, State, Way, elsewhere};
use http::StatusCode;
use http_body_util::BodyExt;
use pki::{
    Algorithm, Bounds, Folder, Identity, Link, Passphrase, Plan, PrivateKey, Profile, Reason, SigningRequest, Trust,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use vocabulary::{Chance, Clock};

pub(crate) struct Bed {
    folder: Folder,
    pub(crate) clock: Clock,
    dir: tempfile::TempDir,
}

impl Bed {
    /// Making an authority takes a second, for its passphrase: all of now are copies of one.
    pub(crate) fn new() -> Self {
        static FIRST: LazyLock<Bed> = LazyLock::new(|| Bed::at(Clock::system()));
        let dir = tempfile::tempdir().unwrap();
        copy(&FIRST.dir.path().join("pki"), &dir.path().join("pki"));
        Self { folder: Folder::open(&dir.path().join("pki")).unwrap(), clock: Clock::system(), dir }
    }

    pub(crate) fn at(clock: Clock) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let plan = Plan {
            name: "Test",
            root_key: PrivateKey::generate(Algorithm::P256).unwrap(),
            intermediate_key: PrivateKey::generate(Algorithm::P256).unwrap(),
            passphrase: &Passphrase::new("velvet anchor tumbles south".to_owned()).unwrap(),
            root_key_file: None,
            bounds: &Bounds::default(),
        };
        let folder = Folder::init(&dir.path().join("pki"), plan, &clock, &Chance::system()).unwrap();
        Self { folder, clock, dir }
    }

    pub(crate) fn identity(&mut self, service: &str) -> Identity {
        let key = PrivateKey::generate(Algorithm::P256).unwrap();
        let asked = SigningRequest::read(&SigningRequest::make(&key, service, &[]).unwrap()).unwrap();
        let request = Profile::Service.request(service, vec![service.into()]);
        let chain = self.folder.sign(&asked, &request, &self.clock, &Chance::system()).unwrap();
        Identity::from_pem(&chain, &key.pem()).unwrap()
    }

    pub(crate) fn link(&mut self, service: &str) -> Link {
        let identity = self.identity(service);
        Link::new(identity, self.trust(), &self.clock).unwrap()
    }

    /// What is believed now: the authority, and its list as it is.
    pub(crate) fn trust(&self) -> Trust {
        Trust::of(&self.folder.root_pem().unwrap()).unwrap().with_lists(&self.folder.list_pem().unwrap()).unwrap()
    }

    pub(crate) fn revoke(&mut self, service: &str) {
        let entry = self.folder.issued().iter().rfind(|one| one.common_name == service).unwrap();
        let serial = entry.serial.clone();
        self.folder.revoke(&serial, Reason::KeyCompromise, &self.clock, &Chance::system()).unwrap();
    }

    /// An instance of the service `back`, at a free port.
    pub(crate) async fn back(&mut self, router: Router) -> Back {
        self.back_at("127.0.0.1:0".parse().unwrap(), router).await
    }

    pub(crate) async fn back_at(&mut self, at: SocketAddr, router: Router) -> Back {
        self.back_within(at, router, Limits::between_services()).await
    }

    pub(crate) async fn back_within(&mut self, at: SocketAddr, router: Router, limits: Limits) -> Back {
        let link = self.link("back");
        let listener = Listener::bind(at).await.unwrap().with(limits);
        let (at, shutdown) = (listener.address(), Shutdown::default());
        let task = tokio::spawn(listener.serve_mutual(router, link.clone(), shutdown.clone()).unwrap());
        Back { at, link, shutdown, task }
    }

    /// The way from `own` to `service`.
    pub(crate) fn way(&mut self, own: &str, service: &str, at: &[SocketAddr]) -> Way {
        way(&self.link(own), service, at)
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    std::fs::set_permissions(to, std::fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            std::fs::copy(from, to).unwrap();
        }
    }
}

pub(crate) fn way(link: &Link, service: &str, at: &[SocketAddr]) -> Way {
    let addresses: Vec<_> = at.iter().map(|at| format!("https://{at}")).collect();
    elsewhere(service, &addresses, link, Chance::seeded(7)).unwrap()
}

/// A running instance.
pub(crate) struct Back {
    pub(crate) at: SocketAddr,
    pub(crate) link: Link,
    pub(crate) shutdown: Shutdown,
    pub(crate) task: JoinHandle<()>,
}

impl Back {
    pub(crate) async fn stop(self) {
        self.shutdown.begin();
        self.task.await.unwrap();
    }
}

/// Says its name to whoever asks anything, and that it lives.
pub(crate) fn named(name: &'static str) -> Router {
    Router::new().route("/health/live", get(|| async { "{}" })).fallback(move || async move { name })
}

pub(crate) fn request(method: &str, path: &str) -> Request {
    Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
}

pub(crate) async fn ask(way: &Transport, request: Request) -> (StatusCode, String) {
    let (parts, body) = way.send(request).await.unwrap().into_parts();
    (parts.status, String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap())
}

/// Looks again and again until it is so; a test that waits in vain says for what.
pub(crate) async fn eventually(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let mut looks = tokio::time::interval(Duration::from_millis(5));
    let waited = tokio::time::timeout(Duration::from_secs(20), async {
        while !so().await {
            looks.tick().await;
        }
    });
    assert!(waited.await.is_ok(), "waited in vain: {what}");
}

pub(crate) async fn until(way: &Way, at: SocketAddr, state: State) {
    let now = || way.standings().into_iter().find(|standing| standing.at == Some(at));
    eventually(&format!("{at} {state:?}"), async || now().is_some_and(|standing| standing.state == state)).await;
}

/// A stretch of network before an address, on which everything can get lost.
pub(crate) struct Wire {
    pub(crate) at: SocketAddr,
    frozen: watch::Sender<bool>,
    open: Arc<AtomicUsize>,
    _task: JoinSet<()>,
}

impl Wire {
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (at, frozen, open) =
            (socket.local_addr().unwrap(), watch::Sender::new(false), Arc::<AtomicUsize>::default());
        let (gate, count) = (frozen.clone(), Arc::clone(&open));
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut pairs = JoinSet::new();
            while let Ok((near, _)) = socket.accept().await {
                let (gate, count) = (gate.clone(), Arc::clone(&count));
                pairs.spawn(async move {
                    count.fetch_add(1, Ordering::SeqCst);
                    let far = TcpStream::connect(target).await;
                    if let Ok(far) = far {
                        let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                        tokio::join!(
                            carry(near_in, far_out, gate.subscribe()),
                            carry(far_in, near_out, gate.subscribe())
                        );
                    }
                    count.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { at, frozen, open, _task: task }
    }

    /// From now on nothing arrives any more, or everything again.
    pub(crate) fn freeze(&self, frozen: bool) {
        self.frozen.send_replace(frozen);
    }

    /// Connections that stand.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut frozen: watch::Receiver<bool>,
) {
    let mut bytes = [0; 4096];
    while let Ok(read) = from.read(&mut bytes).await {
        let _ = frozen.wait_for(|frozen| !*frozen).await;
        if read == 0 || to.write_all(&bytes[..read]).await.is_err() {
            break;
        }
    }
}
