//! What enforcement needs of the world: credentials, the audit sink, time, chance, and how to know a client's address.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::ConnectInfo;
use http::{HeaderMap, HeaderName, header, request::Parts};
use serde_json::Value;
use vocabulary::{Chance, Clock};

use crate::audit::Audit;
use crate::call::Context;
use crate::caller::OnBehalf;
use crate::credentials::{ClientCertificate, Credentials, Scheme};
use crate::principal::Principal;
use crate::problem::Problem;
use crate::throttle::Throttle;

/// Finds a call in logs: every answer carries it.
pub(crate) const TRACE_ID: HeaderName = HeaderName::from_static("x-trace-id");
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Further members of every problem (RFC 9457 §3.2).
pub type Extension = fn(&Problem) -> Vec<(&'static str, Value)>;

/// What enforcement needs of the world.
#[derive(Clone)]
pub struct Gate {
    /// Which credentials are accepted.
    pub credentials: Credentials,
    /// Where decisions are noted.
    pub audit: Arc<dyn Audit>,
    /// The time of decisions.
    pub clock: Clock,
    /// Slows down guessing.
    pub throttle: Throttle,
    trace_ids: Arc<TraceIds>,
    proxies: u8,
    extension: Option<Extension>,
}

/// Trace ids: unlike any other, and no secret. The system's randomness is asked once, not for every call.
struct TraceIds {
    first: u64,
    count: AtomicU64,
}

impl TraceIds {
    fn new(chance: &Chance) -> Self {
        Self { first: u64::from_le_bytes(chance.bytes()), count: AtomicU64::new(u64::from_le_bytes(chance.bytes())) }
    }

    /// SplitMix64 spreads the count over all bits, each value once.
    fn next(&self) -> String {
        let mut mixed = self.count.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        format!("{:016x}{:016x}", self.first, mixed ^ (mixed >> 31))
    }
}

impl Gate {
    /// For a service that clients reach directly.
    pub fn new(credentials: Credentials, audit: Arc<dyn Audit>, clock: Clock, chance: Chance) -> Self {
        let (throttle, trace_ids) = (Throttle::new(clock.clone()), Arc::new(TraceIds::new(&chance)));
        Self { credentials, audit, clock, throttle, trace_ids, proxies: 0, extension: None }
    }

    /// The same, with other credentials.
    #[must_use]
    pub fn accepting(self, credentials: Credentials) -> Self {
        Self { credentials, ..self }
    }

    /// For a service behind so many proxies of one's own: the client's address is the one that the outermost of them
    /// wrote at the end of `X-Forwarded-For`. What stands before it is the client's own invention.
    #[must_use]
    pub fn behind(self, proxies: u8) -> Self {
        Self { proxies, ..self }
    }

    /// One throttle for several services, so that guessing at one counts at the others.
    #[must_use]
    pub fn slowed_by(self, throttle: Throttle) -> Self {
        Self { throttle, ..self }
    }

    /// Adds members to every problem, for clients that expect them.
    #[must_use]
    pub fn saying(self, extension: Extension) -> Self {
        Self { extension: Some(extension), ..self }
    }

    /// Whether what a caller proved once would still be believed: for answers that go on long after that.
    pub fn still_admits(&self, by: &Principal) -> bool {
        self.clock.now() < by.expires && self.credentials.still_hold(by)
    }

    pub(crate) fn extended(&self, problem: Problem) -> Problem {
        let members = self.extension.map(|extension| extension(&problem)).unwrap_or_default();
        members.into_iter().fold(problem, |problem, (name, value)| problem.with(name, value))
    }

    pub(crate) fn context(&self, parts: &Parts) -> Context {
        let text = |name: &HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
        Context {
            trace_id: text(&TRACEPARENT).and_then(trace_id_of).unwrap_or_else(|| self.trace_ids.next()),
            idempotency: None,
            client: self.client(parts),
            scheme: None,
            certificate: parts.extensions.get::<ClientCertificate>().map(|it| it.serial.clone()),
            authorization: parts.headers.get(header::AUTHORIZATION).cloned(),
            agent: parts.headers.get(header::USER_AGENT).cloned(),
            accept: parts.headers.get(header::ACCEPT).cloned(),
            last_event: parts.headers.get(LAST_EVENT_ID).cloned(),
        }
    }

    /// Whom a service of ours calls for goes before the connection's address: that is only the service's.
    fn client(&self, parts: &Parts) -> Option<String> {
        let behalf = parts.extensions.get::<OnBehalf>().map(|OnBehalf(client)| client.clone());
        behalf.or_else(|| client_address(parts, self.proxies).map(|address| address.to_string()))
    }
}

/// The client's address, behind so many proxies of one's own; without the proxies that were promised there is only the
/// connection's. Unknown for a call that came over no connection.
pub fn client_address(parts: &Parts, proxies: u8) -> Option<IpAddr> {
    let peer = peer(parts)?;
    let Some(last) = usize::from(proxies).checked_sub(1) else { return Some(peer) };
    Some(forwarded(&parts.headers).nth(last).unwrap_or(peer))
}

/// The address of the connection.
pub(crate) fn peer(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip())
}

/// The addresses of `X-Forwarded-For`, the last written first, up to the first that is none.
fn forwarded(headers: &HeaderMap) -> impl Iterator<Item = IpAddr> {
    let lines: Vec<_> = headers.get_all(FORWARDED).iter().filter_map(|line| line.to_str().ok()).collect();
    let addresses: Vec<&str> = lines.iter().flat_map(|line| line.split(',')).map(str::trim).collect();
    addresses.into_iter().rev().map_while(|text| text.parse().ok()).collect::<Vec<IpAddr>>().into_iter()
}

/// The trace id of a W3C `traceparent` (version 00).
fn trace_id_of(traceparent: &str) -> Option<String> {
    let id = traceparent.strip_prefix("00-")?.get(..32)?;
    let valid = id.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c)) && id.bytes().any(|c| c != b'0');
    valid.then(|| id.to_owned())
}

/// Whether a browser may have sent this change for another site: a cookie comes along whoever made the page.
///
/// Browsers say so themselves (`Sec-Fetch-Site`, or `Origin` in older ones); what says neither is no browser.
pub(crate) fn crosses_sites(scheme: Scheme, parts: &Parts) -> bool {
    if scheme != Scheme::Cookie || parts.method.is_safe() {
        return false;
    }
    let text = |name: &HeaderName| parts.headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    match (text(&FETCH_SITE), text(&header::ORIGIN)) {
        (Some(site), _) => !matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let host = text(&header::HOST).or_else(|| parts.uri.authority().map(http::uri::Authority::as_str));
            origin.split_once("://").map(|(_, host)| host) != host
        }
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn trace_ids_are_well_formed_and_none_comes_twice() {
        let (one, other) = (TraceIds::new(&Chance::seeded(1)), TraceIds::new(&Chance::seeded(2)));
        let ids: HashSet<_> = (0..1_000).flat_map(|_| [one.next(), other.next()]).collect();
        assert_eq!(ids.len(), 2_000);
        assert!(ids.iter().all(|id| trace_id_of(&format!("00-{id}-0000000000000001-01")).as_ref() == Some(id)));
    }
}
