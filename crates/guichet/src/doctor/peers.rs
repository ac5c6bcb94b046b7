//! The services that this one calls: each step of the way to each of their addresses, and what time it is there.

use contracts::peers;
use pki::Link;
use vocabulary::Clock;

use super::Findings;
use crate::broker::greet;
use crate::cli::ServiceName;
use crate::node::Node;
use crate::probe::{Answer, Greeting, Question, Silence, ask, connected};

/// Whoever may call a service may ask this.
const LIVE: &str = "/health/live";

/// Asks each address of each.
pub(super) async fn examine(node: &Node, link: Option<&Link>, clock: &Clock, findings: &mut Findings) {
    for (service, addresses) in &node.peers {
        for address in addresses {
            if node.service == ServiceName::Authority {
                reached(service, place_of(address), findings).await;
                continue;
            }
            match link.and_then(|link| link.client_config().ok()) {
                Some(tls) => {
                    let at = place_of(address);
                    let answer = ask(Question { at, name: service, tls, path: LIVE }, clock).await;
                    found(node, service, at, answer, findings);
                }
                None => findings.wrong(
                    *service,
                    format!("{address} was not asked: there is no certificate to show"),
                    "mend what is said about the certificates first",
                ),
            }
        }
    }
}

fn place_of(address: &str) -> &str {
    address.trim_start_matches("https://").trim_end_matches('/')
}

/// From the authority, whose certificate is in its memory alone: only whether anybody is there.
async fn reached(service: &str, at: &str, findings: &mut Findings) {
    match connected(at).await {
        Ok(_) => findings.well(service, format!("{at} can be reached; who that is, is not asked from here")),
        Err(silence) => findings.wrong(
            service,
            silence.to_string(),
            format!("start {service} there, or correct {service} under [peers]; nothing is lost meanwhile"),
        ),
    }
}

fn found(node: &Node, service: &str, at: &str, answer: Result<Answer, Silence>, findings: &mut Findings) {
    let own = node.service.name();
    let answer = match answer {
        Ok(answer) => answer,
        Err(silence) => {
            let mend = match &silence {
                Silence::Name { .. } => {
                    format!("make the name known to this machine (DNS, /etc/hosts), or correct {service} under [peers]")
                }
                Silence::Connection { .. } => format!(
                    "start {service} there, let the network's filters pass this port, or correct {service} under [peers]"
                ),
                Silence::Disbelieved { .. } => format!(
                    "see with `guichet doctor {service}` over there whether its certificate is that of {service}, in time, and \
                     from the authority in this service's ca.pem"
                ),
                Silence::Refused { .. } => format!(
                    "see whether the certificate of {own} is in time and from the authority in the ca.pem of {service}, and \
                     whether the clocks agree"
                ),
                Silence::Foreign { .. } => format!("correct {service} under [peers]: another program listens there"),
            };
            findings.wrong(service, silence.to_string(), mend);
            return;
        }
    };
    match answer.status {
        200 => findings.well(service, format!("{at} can be reached; both sides believe each other")),
        status => findings.wrong(
            service,
            format!("{at} does not let {own} in ({status}): {}", answer.words.trim()),
            format!(
                "let both run the same version{}",
                if peers::called_by(own).contains(&service) { "" } else { ", and the right service" }
            ),
        ),
    }
    if let Some(ahead) = answer.ahead {
        findings.clock(&format!("{service} at {at}"), ahead);
    }
}

/// The broker, where one is set.
pub(super) async fn examine_broker(node: &Node, link: Option<&Link>, findings: &mut Findings) {
    const ABOUT: &str = "broker";
    for address in &node.nats {
        let Some(link) = link else {
            let at = address.trim_start_matches("tls://");
            match connected(at).await {
                Ok(_) => findings.well(ABOUT, format!("{at} can be reached; who that is, is not asked from here")),
                Err(silence) => findings.warning(ABOUT, silence.to_string(), AWAY),
            }
            continue;
        };
        match greet(address, link).await {
            Ok(Greeting { version, agreed, .. }) => {
                let agreed = agreed.map(|it| format!(" over {} with {}", it.protocol, it.group)).unwrap_or_default();
                findings
                    .well(ABOUT, format!("nats-server {version} at {address} lets {} in{agreed}", node.service.name()));
            }
            Err(silence @ Silence::Refused { .. }) => findings.wrong(
                ABOUT,
                silence.to_string(),
                "write its rights anew with `guichet broker rights`, see that its ca.pem is the bank's, and reload it",
            ),
            Err(silence @ Silence::Disbelieved { .. }) => findings.wrong(
                ABOUT,
                silence.to_string(),
                format!("its certificate has to come from the bank's authority, and name the host in {address}"),
            ),
            Err(silence) => findings.warning(ABOUT, silence.to_string(), AWAY),
        }
    }
}

/// What is lost without it.
const AWAY: &str = "start nats-server there, or correct [nats]; nothing is lost meanwhile, events wait in the outbox";
