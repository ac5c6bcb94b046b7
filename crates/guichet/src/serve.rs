//! `guichet serve`: one service in this process, the others elsewhere.
//!
//! It starts whatever else runs or not: it listens at once, waits for what it needs, and says meanwhile for what. What
//! it is made of is what `guichet up` is made of; only the ways between differ.

use std::sync::Arc;
use std::time::Duration;

use aaa::{Caller, Directory, Jwks, Problem, Transport, Verifier};
use axum::Router;
use chassis::{Listener, Lobby, Ready, Shutdown, Way};
use contracts::peers::GetTrusted;
use futures_util::future::BoxFuture;
use journal::{EventKeys, EventKeysError, Journal, Receiving};
use tokio::sync::Mutex;
use vocabulary::{Chance, Clock};
use web::Web;

use crate::authority::Authority;
use crate::broker::Broker;
use crate::cli::{Serve, ServiceName};
use crate::house::{SERVICES, believe, hear_from_identity, operations, signing_key};
use crate::links::{self, Invitation, Keeping, Links};
use crate::node::Node;
use crate::report::Reporter;
use crate::rooms::{self, Ground, rounds};
use crate::telling::{Telling, tell_identity};
use crate::{Failure, data_dir, notify, origin};

/// How often identity is asked which keys sign and what was revoked.
const ASKING: Duration = Duration::from_secs(1);
/// Longest wait for that answer.
const ANSWERING: Duration = Duration::from_secs(3);
/// Longest that the pages' process waits for the others, and how often it looks.
const OPENING: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(100);
/// In the data directory of the pages' process: what seals what waits between two pages. All instances hold the same.
const PAGES_KEY: &str = "pages.key";
/// The wait before a database is tried again.
const AGAIN: Duration = Duration::from_secs(1);

pub(crate) async fn run(arguments: Serve) -> Result<(), Failure> {
    let node = Node::of(&arguments.node)?;
    let shutdown = Shutdown::default();
    shutdown.on_signals()?;
    if arguments.attached {
        stop_with_parent(&shutdown);
    }
    notify::follow(&shutdown);
    let _lock = data_dir::take(&node.data_dir)?;
    let (clock, chance) = (Clock::system(), Chance::system());
    let links = tokio::select! {
        links = links_of(&node, arguments.join.as_ref(), &clock, &chance) => links?,
        () = shutdown.begun() => return Ok(()),
    };
    let listener = Listener::bind(node.listen).await?;
    tracing::info!(service = node.service.name(), address = %listener.address(), "listens");

    let lobby = Lobby::waiting_for("its parts");
    let serving = tokio::spawn(links.serve(node.service, listener, lobby.router(), shutdown.clone())?);
    let opening = Opening {
        node,
        links,
        invitation: arguments.join,
        clock,
        chance,
        lobby: lobby.clone(),
        shutdown: shutdown.clone(),
    };
    let opened = tokio::select! {
        opened = opening.open() => Some(opened),
        () = shutdown.begun() => None,
    };
    let close = match opened {
        Some(Ok((router, close))) => {
            lobby.open(router);
            tracing::info!("serves");
            notify::serves(&shutdown);
            Some(close)
        }
        Some(Err(failure)) => return Err(failure),
        None => None,
    };
    if serving.await.is_err() {
        return Err(Failure::Refused("the listener broke down: see the log".into()));
    }
    if let Some(close) = close {
        close.await;
    }
    Ok(())
}

/// A parent that dies, in whatever way, closes its end of our standard input.
fn stop_with_parent(shutdown: &Shutdown) {
    let shutdown = shutdown.clone();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        shutdown.begin();
    });
}

/// Opens the certificates of this process's links, or joins to get them.
async fn links_of(
    node: &Node,
    invitation: Option<&Invitation>,
    clock: &Clock,
    chance: &Chance,
) -> Result<Links, Failure> {
    match node.service {
        ServiceName::Authority => {
            let authority = Authority::new(&node.pki_dir, clock.clone(), chance.clone());
            Ok(Links { inner: authority.link()?, public: None })
        }
        _ => links::obtained(&node.place(), invitation, clock, chance).await,
    }
}

/// What a service does last.
type Close = BoxFuture<'static, ()>;

/// A service being opened.
struct Opening {
    node: Node,
    links: Links,
    invitation: Option<Invitation>,
    clock: Clock,
    chance: Chance,
    lobby: Lobby,
    shutdown: Shutdown,
}

impl Opening {
    async fn open(self) -> Result<(Router, Close), Failure> {
        // Clients are behind the pages' process; its own proxies concern nobody else.
        let ground = Ground::new(self.clock.clone(), self.chance.clone(), 0, self.node.origin.clone());
        let ground = ground.backed_up(self.node.backup.clone());
        let ways = self.ways(&ground.directory)?;
        let broker = Broker::of(&self.node, &self.links).await?;
        let reporter = self.reporter(&ways)?.over(broker.as_ref());
        match self.node.service {
            ServiceName::Authority => self.authority(&ground, &reporter, self.telling(&ground, broker.as_ref()).await),
            ServiceName::Identity => {
                self.identity(&ground, &reporter, self.telling(&ground, broker.as_ref()).await).await
            }
            ServiceName::Bank => self.bank(&ground, &reporter, self.telling(&ground, broker.as_ref()).await).await,
            ServiceName::Journal => self.journal(&ground, &reporter, broker.as_ref()).await,
            ServiceName::Monitor => {
                self.monitor(&ground, &reporter, self.telling(&ground, broker.as_ref()).await).await
            }
            ServiceName::Web => {
                reporter.tell(&ground.directory, &self.shutdown);
                self.web(&ground, &ways).await
            }
        }
    }

    /// Says how the links of this process do; keeps them fresh from here on.
    fn reporter(&self, ways: &[(&'static str, Way)]) -> Result<Reporter, Failure> {
        let mut called: Vec<Way> = ways.iter().map(|(_, way)| way.clone()).collect();
        if self.node.service != ServiceName::Authority {
            let known = ways.iter().any(|(service, _)| *service == contracts::authority::SERVICE);
            called.extend(self.keep_fresh()?.filter(|_| !known));
        }
        Ok(Reporter::new(self.node.service.name(), &self.links, called, &self.chance))
    }

    /// The ways to those that this service calls.
    fn ways(&self, directory: &Directory) -> Result<Vec<(&'static str, Way)>, Failure> {
        let mut ways = Vec::new();
        for (service, addresses) in &self.node.peers {
            let way = self.way(service, addresses)?;
            directory.set(service, way.transport());
            ways.push((*service, way));
        }
        Ok(ways)
    }

    fn way(&self, service: &str, addresses: &[String]) -> Result<Way, Failure> {
        let way = chassis::elsewhere(service, addresses, &self.links.inner, self.chance.clone());
        way.map_err(|error| Failure::Settings(error.to_string()))
    }

    /// Renews this process's certificates, and hears what the authority takes back; gives the way to it.
    fn keep_fresh(&self) -> Result<Option<Way>, Failure> {
        let named = self.node.peers.iter().find(|(name, _)| *name == contracts::authority::SERVICE);
        let keeping = Keeping {
            place: self.node.place(),
            authority: named.map(|(_, addresses)| addresses.clone()),
            invitation: self.invitation.clone(),
            clock: self.clock.clone(),
            chance: self.chance.clone(),
        };
        Ok(keeping.follow(&self.links, &self.shutdown)?.authority)
    }

    /// The way of this service's events.
    async fn telling(&self, ground: &Ground, broker: Option<&Broker>) -> Telling {
        let Some(broker) = broker else { return Telling::by_call(&ground.directory) };
        let (name, folder) = (self.node.service.name(), &self.node.data_dir);
        let connection = broker.connection.clone();
        Telling::over(connection, name, &ground.directory, folder, &ground.chance, &self.shutdown).await
    }

    fn authority(&self, ground: &Ground, reporter: &Reporter, telling: Telling) -> Result<(Router, Close), Failure> {
        let authority = Authority::new(&self.node.pki_dir, ground.clock.clone(), ground.chance.clone());
        authority.keep(&self.links.inner, telling, &self.shutdown);
        let audit = Arc::new(());
        let inner = ground.inner_gate(contracts::authority::SERVICE, audit.clone());
        let router = authority.module(ground.gate(audit), inner.clone())?.and(reporter.module(inner)?).router;
        Ok((router, Box::pin(std::future::ready(()))))
    }

    async fn identity(
        &self,
        ground: &Ground,
        reporter: &Reporter,
        telling: Telling,
    ) -> Result<(Router, Close), Failure> {
        let (database, key) = (self.node.database()?, signing_key(&self.node.data_dir));
        telling.join(&ground.bus);
        ground.hear_revocations();
        let room =
            self.patiently(async || rooms::identity(ground, &database, &key, self.node.mail.as_ref()).await).await?;
        if let Some(origin) = &self.node.origin {
            room.service.at_origin(origin);
        }
        hear_from_identity(&room.service, &ground.verifier, &self.shutdown);
        room.keep_clean(&self.shutdown);
        room.send_mails(&self.shutdown);
        // A token must not meet a verifier that has not heard of its key.
        let settling = self.patiently(async || Ok(room.service.publish_keys().await.map_err(Problem::from)?)).await?;
        self.waits_for("its key to be known");
        tokio::time::sleep(settling).await;
        let gate = ground.inner_gate(room.name, room.audit());
        let inner = room.service.clone().inner(gate.clone())?.and(reporter.with(&room.store).module(gate)?);
        let router = room.module(ground)?.and(inner).router;
        Ok((router, Box::pin(async move { room.settle().await })))
    }

    async fn bank(&self, ground: &Ground, reporter: &Reporter, telling: Telling) -> Result<(Router, Close), Failure> {
        let database = self.node.database()?;
        telling.join(&ground.bus);
        tell_identity(&ground.bus, &ground.directory);
        let room = self.patiently(async || rooms::bank(ground, &database, self.node.bank.clone()).await).await?;
        room.keep_clean(&self.shutdown);
        self.follow_identity(ground).await;
        let inner = reporter.with(&room.store).module(ground.inner_gate(room.name, room.audit()))?;
        let router = room.module(ground)?.and(inner).router;
        let close = async move {
            room.service.stop().await;
            room.settle().await;
        };
        Ok((router, Box::pin(close)))
    }

    async fn journal(
        &self,
        ground: &Ground,
        reporter: &Reporter,
        broker: Option<&Broker>,
    ) -> Result<(Router, Close), Failure> {
        let database = self.node.database()?;
        let room = self.patiently(async || rooms::journal(ground, &database, &self.node.data_dir).await).await?;
        room.keep_clean(&self.shutdown);
        let receiving = match broker {
            Some(broker) => Some(self.patiently(async || self.receive(&room.service, broker).await).await?),
            None => None,
        };
        self.follow_identity(ground).await;
        let gate = ground.inner_gate(room.name, room.audit());
        let inner = room.service.clone().inner(gate.clone())?.and(reporter.with(&room.store).module(gate)?);
        let router = room.module(ground)?.and(inner).router;
        let close = async move {
            if let Some(receiving) = receiving {
                receiving.stop().await;
            }
            room.settle().await;
        };
        Ok((router, Box::pin(close)))
    }

    /// Takes what comes over the broker, while no other instance does.
    async fn receive(&self, journal: &Journal, broker: &Broker) -> Result<Receiving, Failure> {
        let keys = EventKeys::in_folder(&self.node.data_dir);
        journal.receive(broker.connection.clone(), keys).await.map_err(|error| match error {
            EventKeysError::Store(error) => Failure::from(error),
            error => Failure::Settings(error.to_string()),
        })
    }

    /// The authority too, where it is known.
    fn watched(&self) -> Vec<&'static str> {
        let authority = self.node.peers.iter().map(|(name, _)| *name).filter(|name| !SERVICES.contains(name));
        SERVICES.into_iter().chain(authority).collect()
    }

    async fn monitor(
        &self,
        ground: &Ground,
        reporter: &Reporter,
        telling: Telling,
    ) -> Result<(Router, Close), Failure> {
        let (database, checks) = (self.node.database()?, rooms::checks(self.node.checks.as_deref())?);
        telling.join(&ground.bus);
        let opened = async || rooms::monitor(ground, &database, self.watched(), true, checks.clone()).await;
        let room = self.patiently(opened).await?;
        let gate = ground.inner_gate(room.name, room.audit());
        let inner = room.service.clone().inner(gate.clone())?.and(reporter.with(&room.store).module(gate)?);
        let module = room.module(ground)?.and(inner);
        ground.directory.set(contracts::monitor::SERVICE, Transport::in_process(module.router.clone()));
        room.service.look_now().await;
        room.watch(&self.shutdown);
        reporter.note(&room.service, &self.shutdown);
        rooms::witness(&room.service, &ground.directory, &self.node.data_dir, &ground.chance, &self.shutdown)?;
        self.follow_identity(ground).await;
        let close = async move {
            room.service.close().await;
            room.settle().await;
        };
        Ok((module.router, Box::pin(close)))
    }

    async fn web(&self, ground: &Ground, ways: &[(&'static str, Way)]) -> Result<(Router, Close), Failure> {
        let proxies = self.node.proxies;
        let ways: Vec<_> = ways.iter().map(|(service, way)| (*service, way.transport())).collect();
        let api = origin::carried(&operations(), &ways, proxies);
        let key = chassis::secret(&self.node.data_dir.join(PAGES_KEY), &ground.chance);
        let key = key.map_err(|error| Failure::Settings(error.to_string()))?;
        let web = Web::new(ground.directory.clone(), ground.clock.clone(), ground.chance.clone());
        let web = web.behind(proxies).sealing_with(&key);
        let router = origin::origin(api, &ground.directory, ground.gate(Arc::new(())).behind(proxies), web)?;
        // Nobody is shown a bank that is still being opened; one of which a part is missing for longer is shown all the same.
        let _ = tokio::time::timeout(OPENING, self.until_all_serve(&ground.directory)).await;
        Ok((router, Box::pin(std::future::ready(()))))
    }

    fn waits_for(&self, what: &str) {
        self.lobby.now_for(what);
        notify::waits_for(what);
    }

    async fn until_all_serve(&self, directory: &Directory) {
        for service in SERVICES {
            self.waits_for(service);
            while directory.caller().at(service).within(ANSWERING).call(Ready {}).await.is_err() {
                tokio::time::sleep(LOOK).await;
            }
        }
    }

    /// Opens a room as soon as its database can be reached; a fault that waiting does not mend ends it.
    async fn patiently<T>(&self, open: impl AsyncFn() -> Result<T, Failure>) -> Result<T, Failure> {
        self.waits_for("its database");
        loop {
            match open().await {
                Err(failure) if may_pass(&failure) => {
                    tracing::warn!(%failure, "waits for its database");
                    tokio::time::sleep(AGAIN).await;
                }
                settled => return settled,
            }
        }
    }

    /// Believes tokens as identity says, from the moment it first has; until then this waits.
    async fn follow_identity(&self, ground: &Ground) {
        self.waits_for("identity");
        let (verifier, caller) = (ground.verifier.clone(), ground.directory.caller().within(ANSWERING));
        verifier.fails_closed_after(rooms::UNHEARD);
        let mut known = Jwks::default();
        while let Err(problem) = hear(&caller, &verifier, &mut known).await {
            tracing::info!(%problem, "waits for identity");
            tokio::time::sleep(LOOK).await;
        }
        let (known, caller) = (Arc::new(Mutex::new(known)), caller.clone());
        rounds(ASKING, &self.shutdown, move || {
            let (verifier, caller, known) = (verifier.clone(), caller.clone(), Arc::clone(&known));
            async move {
                if let Err(problem) = hear(&caller, &verifier, &mut *known.lock().await).await {
                    tracing::warn!(%problem, "identity did not say whom to believe");
                }
            }
        });
    }
}

/// Asks identity once which keys sign and what was revoked.
async fn hear(caller: &Caller, verifier: &Verifier, known: &mut Jwks) -> Result<(), Problem> {
    let trusted = caller.call(GetTrusted {}).await?;
    believe(verifier, trusted, known);
    Ok(())
}

/// Whether the same may succeed a moment later.
fn may_pass(failure: &Failure) -> bool {
    match failure {
        Failure::Store(error) => error.is_passing(),
        Failure::Refused(_) => true,
        _ => false,
    }
}
