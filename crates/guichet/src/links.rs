//! The certificates of one process's links: how it gets them, and how they stay fresh while it runs.
//!
//! Promises: private keys are made here and stay here; a certificate is renewed at about two thirds of its life, with a
//! new key, and is in use the moment it is there; what the authority takes back is known here within seconds; what
//! cannot be fetched or read changes nothing, the last good ones stay. Must not know what is said over the links.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aaa::{Caller, Directory, Problem};
use axum::Router;
use chassis::{Listener, Rules, Shutdown, Way};
use contracts::authority::{self, Certificates, GetLists, Join, Renew};
use contracts::peers;
use futures_util::future::BoxFuture;
use pki::files::{self, Readers};
use pki::{Identity, Life, Link, PkiError, PrivateKey, SigningRequest, Token, Trust};
use tokio::sync::{Mutex, Notify};
use tokio::time::Instant;
use vocabulary::{Chance, Clock, Timestamp};
use zeroize::Zeroizing;

use crate::cli::ServiceName;
use crate::rooms::rounds;
use crate::{Failure, broker};

/// The public's certificate: it names the bank, not the process.
const HTTPS: &str = "https";
/// Where the authority was when this process joined.
const AUTHORITY: &str = "authority.url";
/// The digest of the token by which it did.
const USED: &str = "joined.sha256";
/// How often it is looked whether anything is due.
const LOOK: Duration = Duration::from_secs(1);
/// How often files and lists of certificates taken back are read again.
const READING: Duration = Duration::from_secs(10);
/// Longest wait for an answer of the authority.
const ANSWERING: Duration = Duration::from_secs(10);
/// The wait before the authority is asked to join again: this much and up to as much more.
const AGAIN: Duration = Duration::from_millis(250);
/// How TLS says that it does not believe a server.
const NOT_BELIEVED: &str = "invalid peer certificate";
/// How TLS says that the clocks of both sides disagree, or that somebody slept for long.
const OUT_OF_TIME: [&str; 2] = ["certificate expired", "certificate not valid yet"];
/// Longest wait before a renewal that failed is tried again.
const LONGEST: Duration = Duration::from_mins(1);

/// Where a process's certificates are: `NAME.pem` and `NAME-key.pem`, `ca.pem`, `crl.pem`, and `https.pem` with its key.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    /// Whose they are.
    pub(crate) name: String,
    /// Whether there is a certificate for browsers too.
    pub(crate) https: bool,
}

/// What lets a process join: a token, or a file in which one lies whenever it is needed.
#[derive(Clone, Debug)]
pub(crate) enum Invitation {
    /// At hand.
    Token(Token),
    /// Looked for when it is needed.
    File(PathBuf),
}

impl std::str::FromStr for Invitation {
    type Err = PkiError;

    fn from_str(text: &str) -> Result<Self, PkiError> {
        match text.strip_prefix('@') {
            Some(path) => Ok(Self::File(path.into())),
            None => Ok(Self::Token(text.parse()?)),
        }
    }
}

impl Invitation {
    /// As an argument. What it was is not shown when it is refused: a token is a secret, mistyped or not.
    pub(crate) fn argument() -> impl clap::builder::TypedValueParser<Value = Self> {
        Argument
    }

    fn token(&self) -> Result<Option<Token>, Failure> {
        match self {
            Self::Token(token) => Ok(Some(token.clone())),
            Self::File(path) => match std::fs::read_to_string(path).map(Zeroizing::new) {
                Ok(text) if text.trim().is_empty() => Ok(None),
                Ok(text) => Ok(Some(text.parse()?)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(Failure::file("read the join token from", path, &error)),
            },
        }
    }
}

/// See [`Invitation::argument`].
#[derive(Clone)]
struct Argument;

impl clap::builder::TypedValueParser for Argument {
    type Value = Invitation;

    fn parse_ref(
        &self,
        command: &clap::Command,
        _: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<Invitation, clap::Error> {
        let read = value.to_str().unwrap_or_default().parse();
        read.map_err(|why: PkiError| {
            clap::Error::raw(clap::error::ErrorKind::ValueValidation, format!("--join: {why}\n")).with_cmd(command)
        })
    }
}

/// The links of this process, with what they show and whom they believe.
#[derive(Clone)]
pub(crate) struct Links {
    /// Between services.
    pub(crate) inner: Link,
    /// For browsers, at the pages' process alone.
    pub(crate) public: Option<Link>,
}

impl Links {
    /// From what lies at `place`.
    pub(crate) fn open(place: &Place, clock: &Clock) -> Result<Self, Failure> {
        let trust = trust_of(&place.folder)?;
        let inner = Link::new(identity_of(place)?, trust.clone(), clock)?;
        let https = place.https.then(|| Identity::open(&place.folder, HTTPS)).transpose()?;
        let public = https.map(|https| Link::new(https, trust, clock)).transpose()?;
        Ok(Self { inner, public })
    }

    /// Serves the public at the pages' process, and the peers that the contract names at every other.
    pub(crate) fn serve(
        &self,
        service: ServiceName,
        listener: Listener,
        router: Router,
        shutdown: Shutdown,
    ) -> Result<BoxFuture<'static, ()>, PkiError> {
        if let Some(public) = &self.public {
            return Ok(Box::pin(listener.serve(router, Arc::new(public.public_config()?), shutdown)));
        }
        let rules = Rules { service: service.name(), admits: peers::may_call, believes: peers::speaks_for_clients };
        let (router, link) = (chassis::behind_door(router, rules), self.inner.clone());
        Ok(match service {
            // Whoever joins has no certificate yet.
            ServiceName::Authority => Box::pin(listener.serve_inviting(router, link, shutdown)?),
            _ => Box::pin(listener.serve_mutual(router, link, shutdown)?),
        })
    }

    /// The lives of what it shows.
    fn lives(&self) -> Vec<Life> {
        std::iter::once(&self.inner).chain(&self.public).map(|link| link.identity().life()).collect()
    }

    /// Whether all that it shows is valid now.
    fn hold(&self, clock: &Clock) -> bool {
        self.lives().iter().all(|life| life.holds(clock.now()))
    }

    fn read_again(&self, place: &Place) -> Result<(), Failure> {
        // Certificates are taken up all the same where the lists are not what they should be.
        let believed = trust_of(&place.folder).and_then(|trust| Ok(self.inner.replace_trust(trust)?));
        self.inner.replace_identity(identity_of(place)?)?;
        if let Some(public) = &self.public {
            public.replace_identity(Identity::open(&place.folder, HTTPS)?)?;
        }
        believed
    }
}

/// Opens the certificates at `place`. Joins first if they are missing, have ended or come from another authority than the
/// invitation's, or if the token is a new one; waits for the authority until it answers.
pub(crate) async fn obtained(
    place: &Place,
    invitation: Option<&Invitation>,
    clock: &Clock,
    chance: &Chance,
) -> Result<Links, Failure> {
    let found = Links::open(place, clock);
    let Some(token) = invitation.map(Invitation::token).transpose()?.flatten() else { return found };
    if found.as_ref().is_ok_and(|links| links.hold(clock)) && has_root(place, &token) && !is_new(place, &token) {
        return found;
    }
    join(place, &token, clock, chance).await?;
    Links::open(place, clock)
}

/// Whether the authority trusted at `place` is the token's.
fn has_root(place: &Place, token: &Token) -> bool {
    let text = std::fs::read_to_string(place.folder.join("ca.pem")).unwrap_or_default();
    pki::fingerprint_of(&text).is_ok_and(|found| found == *token.root())
}

/// Whether the certificates at `place` hold now, and come from this root.
pub(crate) fn are_good(place: &Place, root_pem: &str, clock: &Clock) -> bool {
    let kept = std::fs::read_to_string(place.folder.join("ca.pem")).unwrap_or_default();
    kept == root_pem && Links::open(place, clock).is_ok_and(|links| links.hold(clock))
}

/// Whether nobody joined here with the token yet. Who gives a new one to a process means it: the certificates that are
/// there may have been taken back.
fn is_new(place: &Place, token: &Token) -> bool {
    let used = std::fs::read_to_string(place.folder.join(USED)).unwrap_or_default();
    used.trim() != token.digest()
}

/// Gets the first certificates by a token.
pub(crate) async fn join(place: &Place, token: &Token, clock: &Clock, chance: &Chance) -> Result<(), Failure> {
    let tls = pki::pinned_config(*token.root(), clock)?;
    let way = chassis::reach_as(authority::SERVICE, token.authority(), tls)
        .map_err(|error| Failure::Settings(error.to_string()))?;
    let directory = Directory::default();
    directory.set(authority::SERVICE, way);
    let caller = directory.caller().within(ANSWERING);
    let keys = Keys::new(place)?;
    let mut told = false;
    loop {
        let asked = Join {
            token: token.secret().to_owned(),
            service: place.name.clone(),
            own: keys.own_request.clone(),
            https: keys.https_request.clone(),
        };
        match caller.call(asked).await {
            Ok(certificates) => {
                files::make_folder(&place.folder)?;
                // First: certificates of which nobody knew where they are renewed would end.
                let url = place.folder.join(AUTHORITY);
                files::write(&url, &format!("{}\n", token.authority()), Readers::Everyone)?;
                keys.keep(place, &certificates, token.root())?;
                files::write(&place.folder.join(USED), &format!("{}\n", token.digest()), Readers::Everyone)?;
                tracing::info!(name = place.name, authority = token.authority(), "joined");
                return Ok(());
            }
            Err(problem)
                if problem.cause().is_some_and(|cause| OUT_OF_TIME.iter().any(|word| cause.contains(word))) =>
            {
                return Err(Failure::Settings(format!(
                    "here it is {}, and by that the certificate of the authority at {} is not valid: set the clock of this \
                     machine, or of that, right and join again. The token was told to nobody",
                    clock.now(),
                    token.authority(),
                )));
            }
            Err(problem) if problem.cause().is_some_and(|cause| cause.contains(NOT_BELIEVED)) => {
                return Err(Failure::Settings(format!(
                    "what answers at {} is not the authority that made this token ({}): nothing was told to it. Ask for a new \
                     token where the authority is, and see that its address is right",
                    token.authority(),
                    problem.cause().unwrap_or_default()
                )));
            }
            Err(problem) if problem.status().is_server_error() => {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(authority = token.authority(), %problem, "waits for the authority to join");
                }
                tokio::time::sleep(AGAIN.saturating_add(jitter(AGAIN, chance))).await;
            }
            Err(problem) => {
                return Err(Failure::Settings(format!("{} could not join: {}", place.name, problem.sentence())));
            }
        }
    }
}

/// New keys, and the requests to certify them.
struct Keys {
    own: PrivateKey,
    own_request: String,
    https: Option<PrivateKey>,
    https_request: Option<String>,
}

impl Keys {
    fn new(place: &Place) -> Result<Self, PkiError> {
        let make = || {
            let key = PrivateKey::generate(pki::Algorithm::P256)?;
            let request = SigningRequest::bare(&key)?;
            Ok::<_, PkiError>((key, request))
        };
        let (own, own_request) = make()?;
        let (https, https_request) = if place.https { Some(make()?).unzip() } else { (None, None) };
        Ok(Self { own, own_request, https, https_request })
    }

    /// Writes what was signed, root and lists first: a certificate that is there can be used.
    fn keep(&self, place: &Place, signed: &Certificates, root: &[u8; 32]) -> Result<(), Failure> {
        if pki::fingerprint_of(&signed.root)? != *root {
            return Err(Failure::Refused("the authority handed out another root than its own".into()));
        }
        Trust::of(&signed.root)?.with_lists(&signed.lists)?;
        files::make_folder(&place.folder)?;
        files::write(&place.folder.join("ca.pem"), &signed.root, Readers::Everyone)?;
        files::write(&place.folder.join("crl.pem"), &signed.lists, Readers::Everyone)?;
        if let (Some(key), Some(certificate)) = (&self.https, &signed.https) {
            Identity::keep(&place.folder, HTTPS, certificate, &key.pem())?;
        }
        Identity::keep(&place.folder, &place.name, &signed.own, &self.own.pem())?;
        Ok(())
    }
}

/// Where the authority answers: as it is set, or as the token said at joining.
fn authority_of(place: &Place, set: Option<&[String]>) -> Vec<String> {
    match set {
        Some(addresses) => addresses.to_vec(),
        None => std::fs::read_to_string(place.folder.join(AUTHORITY))
            .map(|url| vec![url.trim().to_owned()])
            .unwrap_or_default(),
    }
}

/// Whose certificates are kept, where, and what they are kept with.
#[derive(Clone)]
pub(crate) struct Keeping {
    pub(crate) place: Place,
    /// Where the authority answers, as it is set; as the token said, if it is not.
    pub(crate) authority: Option<Vec<String>>,
    pub(crate) invitation: Option<Invitation>,
    pub(crate) clock: Clock,
    pub(crate) chance: Chance,
}

impl Keeping {
    /// Keeps `links` fresh until shutdown: from the authority, if its address is known, and from the files at the place.
    /// Tells after every change of certificates or lists.
    pub(crate) fn follow(self, links: &Links, shutdown: &Shutdown) -> Result<Kept, Failure> {
        let addresses = authority_of(&self.place, self.authority.as_deref());
        let trust = trust_of(&self.place.folder)?.toward_lists();
        let toward = Link::new(links.inner.identity(), trust, &self.clock)?;
        let authority = if addresses.is_empty() {
            None
        } else {
            let way = chassis::elsewhere(authority::SERVICE, &addresses, &toward, self.chance.clone());
            Some(way.map_err(|error| Failure::Settings(error.to_string()))?)
        };
        let caller = authority.as_ref().map(|way| {
            let directory = Directory::default();
            directory.set(authority::SERVICE, way.transport());
            directory.caller().within(ANSWERING)
        });
        let changed = Arc::new(Notify::new());
        let Self { place, invitation, clock, chance, .. } = self;
        let freshening = Freshening {
            place,
            links: links.clone(),
            toward,
            caller,
            invitation,
            clock,
            chance,
            changed: Arc::clone(&changed),
        };
        freshening.begin(shutdown);
        Ok(Kept { changed, authority })
    }
}

/// Does `work` now and after each change of certificates, until shutdown; what failed is done again in a while, or a
/// program would go on with what was taken back.
pub(crate) async fn after_each_change<Fut>(changed: Arc<Notify>, shutdown: Shutdown, work: impl Fn() -> Fut)
where
    Fut: Future<Output = Result<(), Failure>>,
{
    loop {
        let failed = work().await.inspect_err(|failure| {
            tracing::error!(%failure, "a program was not told of its new certificates; it is told again");
        });
        tokio::select! {
            () = shutdown.begun() => return,
            () = changed.notified() => {}
            () = tokio::time::sleep(READING), if failed.is_err() => {}
        }
    }
}

/// Certificates that are kept fresh.
pub(crate) struct Kept {
    /// Told after every change.
    pub(crate) changed: Arc<Notify>,
    /// The way to the authority, if its address is known.
    pub(crate) authority: Option<Way>,
}

/// See [`Keeping::follow`].
struct Freshening {
    place: Place,
    links: Links,
    /// The link to the authority.
    toward: Link,
    /// Reaches the authority by the present certificate.
    caller: Option<Caller>,
    invitation: Option<Invitation>,
    clock: Clock,
    chance: Chance,
    changed: Arc<Notify>,
}

/// What comes next.
struct Next {
    /// For which the renewal is planned.
    lives: Vec<Life>,
    renewal: Timestamp,
    reading: Instant,
}

impl Freshening {
    fn begin(self, shutdown: &Shutdown) {
        let next = Next { lives: self.links.lives(), renewal: self.renewal(), reading: Instant::now() };
        let (it, next) = (Arc::new(self), Arc::new(Mutex::new(next)));
        rounds(LOOK, shutdown, move || {
            let (it, next) = (Arc::clone(&it), Arc::clone(&next));
            async move { it.look(&mut *next.lock().await).await }
        });
    }

    fn read_again(&self) -> Result<(), Failure> {
        self.links.read_again(&self.place)?;
        self.toward.replace_trust(trust_of(&self.place.folder)?.toward_lists())?;
        Ok(self.toward.replace_identity(self.links.inner.identity())?)
    }

    /// When the first of its certificates is renewed.
    fn renewal(&self) -> Timestamp {
        let moments = self.links.lives().into_iter().map(|life| life.renew_around(&self.chance));
        moments.min().unwrap_or(self.clock.now())
    }

    async fn look(&self, next: &mut Next) {
        if next.reading <= Instant::now() {
            next.reading = Instant::now() + READING;
            if let Err(failure) = self.read().await {
                tracing::error!(%failure, "the certificates cannot be read again; the ones read before stay in use");
            }
        }
        let lives = self.links.lives();
        if lives != next.lives {
            (next.renewal, next.lives) = (self.renewal(), lives);
        }
        if self.clock.now() < next.renewal {
            return;
        }
        match self.renew().await {
            Ok(()) => self.changed.notify_one(),
            Err(failure) => {
                let wait = self.patience();
                let now = self.clock.now();
                next.renewal = now.plus(wait).plus(jitter(wait, &self.chance));
                let ended = self.links.lives().iter().any(|life| !life.holds(now));
                if ended {
                    tracing::error!(%failure, name = self.place.name, "the certificate has ended: nobody believes this service; invite it again with `guichet pki token`");
                } else {
                    tracing::warn!(%failure, name = self.place.name, "the certificate could not be renewed; trying again");
                }
            }
        }
    }

    /// The wait after a renewal that failed: a sixtieth of the shortest life; longer where nobody renews but people.
    fn patience(&self) -> Duration {
        let shortest = self.links.lives().iter().map(|life| life.until.since(life.from)).min().unwrap_or(LONGEST);
        match self.caller {
            Some(_) => shortest.checked_div(60).unwrap_or(LONGEST).clamp(LOOK, LONGEST),
            None => shortest.checked_div(20).unwrap_or(LONGEST).max(LONGEST),
        }
    }

    async fn read(&self) -> Result<(), Failure> {
        if let Err(failure) = self.join_anew().await {
            tracing::error!(%failure, "a join token was put here and cannot be used; put a new one there, or remove it");
        }
        if let Some(caller) = &self.caller {
            match caller.call(GetLists {}).await {
                Ok(fetched) => {
                    self.take_lists(&fetched.lists)?;
                    if broker::note_sent_away(&self.place, &fetched.sent_away)? {
                        self.changed.notify_one();
                    }
                }
                Err(problem) => tracing::warn!(%problem, "the authority did not say what it took back"),
            }
        }
        let before = self.links.inner.generation();
        self.read_again()?;
        if self.links.inner.generation() != before {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Joins by a token that somebody put into the file of the invitation while this process runs: they mean it, because
    /// the certificate may have been taken back.
    async fn join_anew(&self) -> Result<(), Failure> {
        let Some(file @ Invitation::File(_)) = &self.invitation else { return Ok(()) };
        let Some(token) = file.token()?.filter(|token| is_new(&self.place, token)) else { return Ok(()) };
        let joined = join(&self.place, &token, &self.clock, &self.chance);
        // While the authority is away, the rest goes on; there is a next time.
        tokio::time::timeout(ANSWERING, joined).await.unwrap_or(Ok(()))
    }

    /// Keeps lists that are good and new.
    fn take_lists(&self, lists: &str) -> Result<(), Failure> {
        let (ca, path) = (self.place.folder.join("ca.pem"), self.place.folder.join("crl.pem"));
        if std::fs::read_to_string(&path).is_ok_and(|kept| kept == lists) {
            return Ok(());
        }
        let root = std::fs::read_to_string(&ca).map_err(|error| Failure::file("read", &ca, &error))?;
        let trust = Trust::of(&root)?.with_lists(lists)?;
        // Before it is written: after the next start nobody would know of newer ones.
        self.links.inner.may_believe(&trust)?;
        Ok(files::write(&path, lists, Readers::Everyone)?)
    }

    async fn renew(&self) -> Result<(), Failure> {
        let ended = !self.links.inner.identity().life().holds(self.clock.now());
        if ended && let Some(token) = self.invitation.as_ref().map(Invitation::token).transpose()?.flatten() {
            join(&self.place, &token, &self.clock, &self.chance).await?;
            return self.read_again();
        }
        let Some(caller) = &self.caller else {
            return Err(Failure::Settings(
                "nobody renews it: replace it by hand, or join an authority with `guichet serve --join TOKEN`".into(),
            ));
        };
        let keys = Keys::new(&self.place)?;
        let asked = Renew { own: keys.own_request.clone(), https: keys.https_request.clone() };
        let mut certificates =
            caller.call(asked).await.map_err(|problem: Problem| Failure::Refused(problem.to_string()))?;
        let ca = self.place.folder.join("ca.pem");
        let root = std::fs::read_to_string(&ca).map_err(|error| Failure::file("read", &ca, &error))?;
        let newer = Trust::of(&root)?.with_lists(&certificates.lists)?;
        if self.links.inner.may_believe(&newer).is_err() {
            // The authority was restored from a backup: its certificates are good, and its next lists will be.
            let kept = self.place.folder.join("crl.pem");
            certificates.lists =
                std::fs::read_to_string(&kept).map_err(|error| Failure::file("read", &kept, &error))?;
        }
        keys.keep(&self.place, &certificates, &pki::fingerprint_of(&root)?)?;
        self.read_again()?;
        tracing::info!(name = self.place.name, until = %self.links.inner.identity().until(), "the certificate is renewed");
        Ok(())
    }
}

fn jitter(most: Duration, chance: &Chance) -> Duration {
    let most = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(chance.below(most.saturating_add(1)))
}

/// The authority in `ca.pem`, with its list of what it took back where there is one.
fn trust_of(folder: &Path) -> Result<Trust, Failure> {
    let ca = folder.join("ca.pem");
    let text = std::fs::read_to_string(&ca)
        .map_err(|error| Failure::file("read the certificate of the bank's authority,", &ca, &error))?;
    let list = folder.join("crl.pem");
    let trust = Trust::of(&text)?;
    match std::fs::read_to_string(&list) {
        Ok(text) => Ok(trust.with_lists(&text)?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && folder.join(AUTHORITY).exists() => {
            Err(Failure::Settings(format!(
                "the list of revoked certificates {} is missing, and the authority that was joined hands one out: copy it from \
                 another process of this bank, or join again with a token of `guichet pki token`",
                list.display()
            )))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(trust),
        Err(error) => Err(Failure::file("read the list of revoked certificates,", &list, &error)),
    }
}

/// The certificate of a service, which has to name it: others know it by that name.
fn identity_of(place: &Place) -> Result<Identity, Failure> {
    let Place { folder, name, .. } = place;
    let identity = Identity::open(folder, name)?;
    match identity.name() {
        Some(found) if found == *name => Ok(identity),
        other => Err(Failure::Settings(format!(
            "the certificate {} is not that of {name}: its common name is {}",
            folder.join(format!("{name}.pem")).display(),
            other.unwrap_or_else(|| "missing".into())
        ))),
    }
}
