//! Which service may call which, and for what: where services stand apart, each admits the peers named here alone.
//!
//! A peer is known by the name in its certificate. The operations that only services may call are declared here too.

use aaa::{Fields, Group, In, Jwks, Operation, Revocation, Route, Scheme};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{EventId, Timestamp};

use crate::notices::Happening;
use crate::{authority, bank, identity, journal, monitor};

/// The name of the pages' process, which holds no service of its own.
pub const WEB: &str = "web";

/// What a peer may call a service for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// The operations that people use, on their token.
    Offers,
    /// Which keys sign tokens, and which tokens were revoked.
    Trust,
    /// Taking events.
    Events,
    /// Taking note of what people are to be told.
    Notices,
    /// Whether the journal's log goes on, and saying so.
    Witness,
    /// How it does.
    Health,
    /// What its certificates and links are like.
    Links,
    /// Taking what others say of theirs.
    Reports,
    /// First certificates, by a token: for those who have none yet.
    Joining,
    /// Further certificates, and the lists of those taken back.
    Certificates,
}

impl What {
    /// What a path is about; each is about one thing.
    pub fn of(path: &str) -> Self {
        match path {
            TRUST => Self::Trust,
            EVENTS | EVENTS_KEY => Self::Events,
            NOTICES => Self::Notices,
            EXTENSION | COSIGNATURES => Self::Witness,
            JOIN => Self::Joining,
            CERTIFICATES | LISTS => Self::Certificates,
            LINKS => Self::Links,
            REPORTS => Self::Reports,
            "/version" => Self::Health,
            path if path.starts_with("/health/") => Self::Health,
            _ => Self::Offers,
        }
    }
}

/// Who may call whom for what. What is not here is refused.
pub const ALLOWED: &[(&str, &str, What)] = &[
    (WEB, identity::SERVICE, What::Offers),
    (WEB, bank::SERVICE, What::Offers),
    (WEB, journal::SERVICE, What::Offers),
    (WEB, monitor::SERVICE, What::Offers),
    // The public is told whether the bank as a whole can serve.
    (WEB, identity::SERVICE, What::Health),
    (WEB, bank::SERVICE, What::Health),
    (WEB, journal::SERVICE, What::Health),
    (WEB, monitor::SERVICE, What::Health),
    (monitor::SERVICE, identity::SERVICE, What::Health),
    (monitor::SERVICE, bank::SERVICE, What::Health),
    (monitor::SERVICE, journal::SERVICE, What::Health),
    (monitor::SERVICE, monitor::SERVICE, What::Health),
    // Whether somebody who is to be removed still has accounts.
    (identity::SERVICE, bank::SERVICE, What::Offers),
    (bank::SERVICE, identity::SERVICE, What::Trust),
    // Of its events, what people are to be told.
    (bank::SERVICE, identity::SERVICE, What::Notices),
    (journal::SERVICE, identity::SERVICE, What::Trust),
    (monitor::SERVICE, identity::SERVICE, What::Trust),
    (identity::SERVICE, journal::SERVICE, What::Events),
    (bank::SERVICE, journal::SERVICE, What::Events),
    (authority::SERVICE, journal::SERVICE, What::Events),
    (monitor::SERVICE, journal::SERVICE, What::Events),
    (monitor::SERVICE, journal::SERVICE, What::Witness),
    (monitor::SERVICE, authority::SERVICE, What::Health),
    (monitor::SERVICE, identity::SERVICE, What::Links),
    (monitor::SERVICE, bank::SERVICE, What::Links),
    (monitor::SERVICE, journal::SERVICE, What::Links),
    (monitor::SERVICE, authority::SERVICE, What::Links),
    // Nobody calls the pages' process but browsers: it tells by itself.
    (WEB, monitor::SERVICE, What::Reports),
];

/// Whether `peer` may call `path` of `service`. Whoever may call it for anything may ask whether it lives. A peer without
/// a certificate is `None`, and may only join, and ask whether the authority serves: its own machine has no other way.
pub fn may_call(peer: Option<&str>, service: &str, path: &str) -> bool {
    let what = What::of(path);
    match peer {
        // Whoever has a certificate of this bank may have the next one, and hear which were taken back.
        Some(_) if service == authority::SERVICE && (what == What::Certificates || path == LIVE) => true,
        Some(peer) => is_allowed(peer, service, what) || (path == LIVE && called_by(peer).contains(&service)),
        None => service == authority::SERVICE && (what == What::Joining || path == LIVE || path == READY),
    }
}

/// Whose word counts about the client for whom it calls: the one that clients reach.
pub fn speaks_for_clients(peer: &str) -> bool {
    peer == WEB
}

/// The services that `peer` calls, each once: it needs to know where they are.
pub fn called_by(peer: &str) -> Vec<&'static str> {
    let mut called = Vec::new();
    for (_, service, _) in ALLOWED.iter().filter(|(caller, _, _)| *caller == peer) {
        if !called.contains(service) {
            called.push(*service);
        }
    }
    called
}

/// Beside what the table names, a service may ask itself how it and its links do: so does whoever looks after its process.
fn is_allowed(peer: &str, service: &str, what: What) -> bool {
    let itself = peer == service && matches!(what, What::Health | What::Links);
    itself || ALLOWED.iter().any(|(caller, called, why)| *caller == peer && *called == service && *why == what)
}

/// The services that believe access tokens, by their certificate.
pub struct Verifying;
impl Group for Verifying {
    const NAME: &'static str = "verifying service";
}

/// The services that tell events, by their certificate.
pub struct Telling;
impl Group for Telling {
    const NAME: &'static str = "telling service";
}

/// The services that know of something that people are to be told, by their certificate.
pub struct Notifying;
impl Group for Notifying {
    const NAME: &'static str = "notifying service";
}

/// Those who watch that the journal's log goes on, by their certificate.
pub struct Witnessing;
impl Group for Witnessing {
    const NAME: &'static str = "witness";
}

/// Those who look after the links of others, by their certificate.
pub struct Watching;
impl Group for Watching {
    const NAME: &'static str = "watching service";
}

/// Those who tell of their own links, by their certificate.
pub struct Reporting;
impl Group for Reporting {
    const NAME: &'static str = "reporting service";
}

/// Everybody with a certificate of the bank's own authority.
pub struct Certified;
impl Group for Certified {
    const NAME: &'static str = "certified peer";
}

/// The groups of a peer at `service`, from what it may call there.
pub fn groups(peer: &str, service: &str) -> Vec<&'static str> {
    let member = [
        (What::Trust, Verifying::NAME),
        (What::Events, Telling::NAME),
        (What::Notices, Notifying::NAME),
        (What::Witness, Witnessing::NAME),
        (What::Links, Watching::NAME),
        (What::Reports, Reporting::NAME),
    ];
    let own = member.into_iter().filter(|(what, _)| is_allowed(peer, service, *what)).map(|(_, name)| name);
    own.chain((service == authority::SERVICE).then_some(Certified::NAME)).collect()
}

const LIVE: &str = "/health/live";
const READY: &str = "/health/ready";
const TRUST: &str = "/inner/trust";
const EVENTS: &str = "/inner/events";
const NOTICES: &str = "/inner/notices";
const EVENTS_KEY: &str = "/inner/events/key";
const EXTENSION: &str = "/inner/log/extension";
const COSIGNATURES: &str = "/inner/log/cosignatures";
pub(crate) const JOIN: &str = "/inner/join";
pub(crate) const CERTIFICATES: &str = "/inner/certificates";
pub(crate) const LISTS: &str = "/inner/lists";
pub(crate) const LINKS: &str = "/inner/links";
pub(crate) const REPORTS: &str = "/inner/reports";

/// What a verifier has to know.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Trusted {
    /// The keys that sign tokens.
    pub keys: Jwks,
    /// Tokens that end before their time.
    pub revoked: Vec<Revocation>,
}

/// Which keys sign access tokens, and which tokens were revoked: asked again and again by every service.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct GetTrusted {}
impl Operation for GetTrusted {
    const ROUTE: Route = Route::get(identity::SERVICE, TRUST).accepts(&[Scheme::Certificate]);
    type Policy = In<Verifying>;
    type Reply = Trusted;
}

/// An event, as its source numbered it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Told {
    /// Identifies the event.
    pub id: EventId,
    /// Its number: 1, 2, 3…
    pub seq: i64,
    /// What it is about.
    pub subject: String,
    /// Its content, in JSON.
    pub payload: String,
    /// When it was told.
    pub at: Timestamp,
}

/// Hands events to the journal, in order; the answer says that they are kept. The certificate says whose they are.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct TakeEvents {
    /// The events, by number.
    #[schemars(length(min = 1, max = 200))]
    pub events: Vec<Told>,
}

impl TakeEvents {
    /// Most bytes of payload in one call; an event alone may be larger.
    pub const COMFORTABLE: usize = 1024 * 1024;
    /// Most events in one call.
    pub const MOST: usize = 200;
}

impl Operation for TakeEvents {
    const ROUTE: Route =
        Route::post(journal::SERVICE, EVENTS).accepts(&[Scheme::Certificate]).body_limit(8 * 1024 * 1024);
    type Policy = In<Telling>;
    type Reply = aaa::Done;

    fn check(&self, faults: &mut aaa::Faults) {
        if self.events.len() > Self::MOST {
            faults.add("events", "are more than 200: send the rest in another call");
        }
    }
}

/// The key with which a source closes what it tells over a broker, so that the journal alone reads it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EventsKey {
    /// The public key, in PEM; nothing where the journal takes no events from a broker.
    pub key: Option<String>,
}

/// Asks the journal for its [`EventsKey`]. From it alone, over a link that proves who it is: with another's, a stranger would read.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct GetEventsKey {}
impl Operation for GetEventsKey {
    const ROUTE: Route = Route::get(journal::SERVICE, EVENTS_KEY).accepts(&[Scheme::Certificate]);
    type Policy = In<Telling>;
    type Reply = EventsKey;
}

/// Hands identity what people are to be told; the answer says that it is kept.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct TakeHappenings {
    /// In the order in which they happened.
    #[schemars(length(min = 1, max = 200))]
    pub happenings: Vec<Happening>,
}
impl Operation for TakeHappenings {
    const ROUTE: Route = Route::post(identity::SERVICE, NOTICES).accepts(&[Scheme::Certificate]).body_limit(256 * 1024);
    type Policy = In<Notifying>;
    type Reply = aaa::Done;

    fn check(&self, faults: &mut aaa::Faults) {
        if self.happenings.len() > 200 {
            faults.add("happenings", "are more than 200: send the rest in another call");
        }
    }
}

/// The journal's newest head, and the proof that its log goes on from what the witness remembers.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Extension {
    /// The note (C2SP `tlog-checkpoint`); nothing while the log is empty.
    pub checkpoint: Option<String>,
    /// The consistency proof (RFC 6962 section 2.1.2), in base64.
    pub path: Vec<String>,
    /// The key of the log. A witness believes the first that it sees, and no other after that.
    pub key: String,
}

/// Asks whether the journal's log goes on. For its witness.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct GetExtension {
    /// How many entries the head has that the witness remembers.
    pub from: u64,
}
impl Operation for GetExtension {
    const ROUTE: Route = Route::get(journal::SERVICE, EXTENSION).accepts(&[Scheme::Certificate]);
    type Policy = In<Witnessing>;
    type Reply = Extension;
}

/// Hands the journal what a witness signed of its head.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct TakeCosignature {
    /// How many entries that head has.
    pub size: u64,
    /// The line of the signature (C2SP `tlog-cosignature`).
    #[schemars(length(max = 400))]
    pub signature: String,
}
impl Operation for TakeCosignature {
    const ROUTE: Route = Route::post(journal::SERVICE, COSIGNATURES).accepts(&[Scheme::Certificate]).body_limit(4096);
    type Policy = In<Witnessing>;
    type Reply = aaa::Done;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_calls_what_the_table_does_not_name() {
        let may = |peer, service, path| may_call(Some(peer), service, path);
        assert!(may("web", "bank", "/api/accounts") && may("monitor", "bank", "/health/ready"));
        assert!(may("bank", "journal", EVENTS) && may("journal", "identity", TRUST));
        assert!(may("bank", "authority", CERTIFICATES) && may("nats", "authority", LISTS));
        assert!(may("monitor", "authority", LINKS) && may("bank", "bank", LINKS) && may("web", "monitor", REPORTS));
        assert!(may_call(None, "authority", JOIN));
        for path in [CERTIFICATES, LISTS, "/health/truths", "/version", "/api/accounts"] {
            assert!(!may_call(None, "authority", path), "nobody called {path}");
        }
        for (peer, service, path) in [
            ("web", "journal", EVENTS),
            ("web", "identity", TRUST),
            ("monitor", "bank", "/api/accounts"),
            ("journal", "bank", "/api/accounts"),
            ("bank", "identity", "/api/auth/users"),
            ("web", "identity", NOTICES),
            ("journal", "identity", NOTICES),
            ("bank", "journal", NOTICES),
            ("bank", "web", "/"),
            ("bank", "web", LIVE),
            ("monitor", "web", LIVE),
            ("journal", "bank", LIVE),
            ("bank", "journal", "/health/ready"),
            ("bank", "journal", EXTENSION),
            ("web", "journal", COSIGNATURES),
            ("monitor", "bank", EXTENSION),
            ("web", "bank", LINKS),
            ("web", "monitor", LINKS),
            ("bank", "monitor", REPORTS),
            ("monitor", "bank", REPORTS),
            ("identity", "bank", LINKS),
            ("bank", "authority", "/health/ready"),
            ("bank", "authority", JOIN),
            ("web", "bank", JOIN),
            ("stranger", "bank", "/health/live"),
            ("", "bank", "/health/live"),
        ] {
            assert!(!may(peer, service, path), "{peer} called {path} of {service}");
        }
    }

    #[test]
    fn whoever_calls_a_service_may_ask_whether_it_lives() {
        for (peer, service, _) in ALLOWED {
            assert!(may_call(Some(peer), service, LIVE), "{peer} may not ask whether {service} lives");
        }
    }

    #[test]
    fn a_service_may_ask_itself_how_it_does_and_nothing_else() {
        for service in ["identity", "bank", "journal", "monitor"] {
            assert!(may_call(Some(service), service, READY));
            assert!(!may_call(Some(service), service, "/api/accounts") && !may_call(Some(service), service, TRUST));
            assert!(!may_call(None, service, READY));
        }
        assert!(may_call(None, "authority", READY));
    }

    #[test]
    fn each_service_knows_whom_it_calls() {
        assert_eq!(called_by("identity"), ["bank", "journal"]);
        assert_eq!(called_by("journal"), ["identity"]);
        assert_eq!(called_by("web").len(), 4);
        assert_eq!(called_by("authority"), ["journal"]);
    }
}
