//! The links between services that stand apart: what each was really agreed on, and how much of the certificates' life is
//! over.
//!
//! Says nothing that would let anybody in: certificates are public, keys are not in here.

use aaa::{Done, Faults, Fields, In, Operation, Route, Scheme, Scoped};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::Timestamp;

use super::SERVICE;
use crate::peers::{self, Reporting, Watching};
use crate::roles::Superusers;
use crate::scopes::Read;

/// Most links that one process tells of: each service has a handful of peers, with some instances each.
const MOST: usize = 500;
/// Past five sixths of a life, renewal has failed for a while: it is due after two thirds.
const LATE: (u128, u128) = (5, 6);
/// Past eleven twelfths, somebody has to look now.
const LAST: (u128, u128) = (11, 12);

/// How a certificate stands, judged by the fraction of its life that is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Outlook {
    /// As it should.
    Good,
    /// More than five sixths are over: it should have been renewed.
    Late,
    /// More than eleven twelfths are over, or all of it.
    Bad,
}

/// From when until when somebody's certificate is valid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Certificate {
    /// Whom it names.
    pub name: String,
    /// Its serial number.
    pub serial: String,
    /// Since when it is valid.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

impl Certificate {
    /// How much of its life is over at `now`, in thousandths: renewal is due at 667.
    pub fn spent_permille(&self, now: Timestamp) -> u64 {
        let whole = self.until.since(self.from).as_micros();
        let spent = now.since(self.from).as_micros().saturating_mul(1000).checked_div(whole);
        spent.map_or(1000, |part| u64::try_from(part.min(1000)).unwrap_or(1000))
    }

    /// By fraction, never by days.
    pub fn outlook(&self, now: Timestamp) -> Outlook {
        outlook(self.from, self.until, now)
    }
}

fn outlook(from: Timestamp, until: Timestamp, now: Timestamp) -> Outlook {
    let (whole, spent) = (until.since(from).as_micros(), now.since(from).as_micros());
    let past = |(part, of): (u128, u128)| spent.saturating_mul(of) > whole.saturating_mul(part);
    match (past(LAST), past(LATE)) {
        (true, _) => Outlook::Bad,
        (false, true) => Outlook::Late,
        (false, false) => Outlook::Good,
    }
}

/// From when until when the lists of revoked certificates are believed that a process judges others by; of several, of the
/// one that ends first. After that it believes nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lists {
    /// When it was made.
    pub from: Timestamp,
    /// When it ends.
    pub until: Timestamp,
}

impl Lists {
    /// By fraction, as certificates.
    pub fn outlook(&self, now: Timestamp) -> Outlook {
        outlook(self.from, self.until, now)
    }
}

/// Whether an instance is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum LinkState {
    /// It is, in turn with the others.
    Alive,
    /// Only while there is no better one.
    LeftOut,
    /// It is not.
    Dead,
}

/// What the two sides of a connection agreed on, by registered names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Agreement {
    /// Such as `TLSv1.3`.
    pub protocol: String,
    /// The group of the key exchange, such as `X25519MLKEM768`.
    pub group: String,
    /// Such as `TLS13_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// Whether what was recorded today stays secret from a quantum computer of tomorrow.
    pub withstands_quantum: bool,
}

/// The way from a process to one instance of a service that it calls, or to its database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    /// Whom it calls; `postgresql` is its database.
    pub service: String,
    /// Where that is.
    pub address: String,
    /// Whether it is called.
    pub state: LinkState,
    /// Why it is not.
    pub why: Option<String>,
    /// What the last connection agreed on; nothing before the first.
    pub agreed: Option<Agreement>,
    /// The certificate that the other side showed on it.
    pub peer: Option<Certificate>,
}

/// What a process says of its certificates and links.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Which service it is.
    pub service: String,
    /// Which of its instances: drawn at its start.
    pub instance: String,
    /// When it says so, by its own clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// What it shows other services.
    pub certificate: Certificate,
    /// What it shows browsers, where it serves them.
    pub public: Option<Certificate>,
    /// By what lists of revoked certificates it judges others, where it has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lists: Option<Lists>,
    /// Whom it calls.
    pub links: Vec<Link>,
}

/// A certificate, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Judged {
    /// Which one.
    #[serde(flatten)]
    pub certificate: Certificate,
    /// How much of its life is over, in thousandths.
    pub spent_permille: u64,
    /// What to think of that.
    pub outlook: Outlook,
}

impl Judged {
    /// As it stands at `now`.
    pub fn at(certificate: Certificate, now: Timestamp) -> Self {
        Self { spent_permille: certificate.spent_permille(now), outlook: certificate.outlook(now), certificate }
    }
}

/// A process, as it last told of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    /// Which service it is.
    pub service: String,
    /// Which of its instances.
    pub instance: String,
    /// When it told.
    pub told_at: Timestamp,
    /// What it shows other services.
    pub certificate: Judged,
    /// What it shows browsers, where it serves them.
    pub public: Option<Judged>,
    /// Whom it calls.
    pub links: Vec<Link>,
}

/// Every process that told of itself a short while ago.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Links {
    /// When this was put together.
    pub at: Timestamp,
    /// By service. None where all services share one process: nothing travels between them.
    pub processes: Vec<Process>,
}

/// The links between the services: for those who run the bank.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct GetLinks {}
impl Operation for GetLinks {
    const ROUTE: Route = Route::get(SERVICE, "/api/links");
    type Policy = Scoped<Superusers, Read>;
    type Reply = Links;
}

/// What a process says of its own links: asked again and again by the monitor.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct GetReport {}
impl Operation for GetReport {
    const ROUTE: Route = Route::get("", peers::LINKS).accepts(&[Scheme::Certificate]);
    type Policy = In<Watching>;
    type Reply = Report;
}

/// The same, told to the monitor by a process that nobody can ask: it listens to browsers alone. Whose it is, the
/// certificate says.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct TakeReport {
    /// What it says.
    pub report: Report,
}
impl Operation for TakeReport {
    const ROUTE: Route = Route::post(SERVICE, peers::REPORTS).accepts(&[Scheme::Certificate]).body_limit(512 * 1024);
    type Policy = In<Reporting>;
    type Reply = Done;

    fn check(&self, faults: &mut Faults) {
        if self.report.links.len() > MOST {
            faults.add("report", "tells of more than 500 links");
        }
        if self.report.instance.len() > 64 {
            faults.add("report", "names its instance with more than 64 characters");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_certificate_is_judged_by_the_fraction_of_its_life_whatever_its_length() {
        let from: Timestamp = "2026-11-21T00:00:00Z".parse().unwrap();
        for minutes in [1_u64, 24 * 60, 365 * 24 * 60] {
            let whole = Duration::from_mins(minutes);
            let certificate = Certificate { name: "bank".into(), serial: "01".into(), from, until: from.plus(whole) };
            let at = |permille: u32| {
                let judged = Judged::at(certificate.clone(), from.plus(whole * permille / 1000));
                (judged.spent_permille, judged.outlook)
            };
            assert_eq!(at(667), (667, Outlook::Good));
            assert_eq!((at(833).1, at(834), at(916).1), (Outlook::Good, (834, Outlook::Late), Outlook::Late));
            assert_eq!(
                (at(917), at(1000), at(3000)),
                ((917, Outlook::Bad), (1000, Outlook::Bad), (1000, Outlook::Bad))
            );
        }
    }
}
