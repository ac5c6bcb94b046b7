//! How services get certificates over the network: members, and the tokens with which they begin.
//!
//! Promises: a token works once, for one service, for a while, and is kept as a hash; what a certificate says comes from
//! the register of members, never from the request; using a token and noting what was signed is one change of the
//! index; every step is noted for whoever keeps the journal. Must not know: sockets, or who carries the requests.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use vocabulary::{Chance, Clock, Timestamp};
use zeroize::Zeroizing;

use crate::authority::DAY;
use crate::folder::{Whose, serial_of};
use crate::{Algorithm, Deed, Folder, Issued, Member, PkiError, PrivateKey, Reason, SigningRequest};

/// Longest that a token may wait to be used.
const LONGEST_WAIT: Duration = DAY.saturating_mul(7);
/// Used and ended tokens are remembered for so long, to say why they are refused.
const REMEMBERED: Duration = DAY.saturating_mul(7);
/// Tokens that are remembered: of more, the oldest are forgotten.
const MOST: usize = 10_000;
/// A process may have so many living certificates, because answers get lost; with more, it waits a tenth of a life between
/// one and the next.
const BURST: usize = 8;
/// The authority's own certificates that are remembered.
const OWN: usize = 8;

/// A token as it is kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ticket {
    /// SHA-256 of the secret, in hexadecimal digits.
    digest: String,
    service: String,
    until: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    used: Option<Timestamp>,
    /// Why it was refused so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    refused: Vec<Flaw>,
}

/// Why a token that is known is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Flaw {
    Used,
    Late,
    Foreign,
}

/// What whoever joins needs: the secret, the root's fingerprint, and where the authority answers.
#[derive(Clone)]
pub struct Token {
    secret: Zeroizing<String>,
    root: [u8; 32],
    authority: String,
}

impl Token {
    /// What proves that its holder was invited.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The SHA-256 of the secret, in hexadecimal digits: to know a token again without keeping it.
    pub fn digest(&self) -> String {
        digest(&self.secret)
    }

    /// The SHA-256 of the root's certificate: who answers has to come from it.
    pub const fn root(&self) -> &[u8; 32] {
        &self.root
    }

    /// Where the authority answers: `https://host:port`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// As it is handed to whoever joins. A secret: for a file, a pipe or a person, never for a log.
    pub fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}.{}@{}", self.secret.as_str(), hex::encode(self.root), self.authority))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("authority", &self.authority).finish_non_exhaustive()
    }
}

impl FromStr for Token {
    type Err = PkiError;

    fn from_str(text: &str) -> Result<Self, PkiError> {
        let read = || {
            let (secret, rest) = text.trim().split_once('.')?;
            let (root, authority) = rest.split_once('@')?;
            let whole = secret.len() == 64 && secret.bytes().all(|c| c.is_ascii_hexdigit()) && authority.len() < 300;
            let root = hex::decode(root).ok()?.try_into().ok()?;
            let plain = authority.starts_with("https://") && !authority.contains(char::is_whitespace);
            (whole && plain).then(|| Self {
                secret: Zeroizing::new(secret.to_ascii_lowercase()),
                root,
                authority: authority.into(),
            })
        };
        read().ok_or_else(|| {
            PkiError::Refused(
                "this is no join token, or not the whole of it: copy what `guichet pki token` printed, from the first to the \
                 last character"
                    .into(),
            )
        })
    }
}

/// The requests of a member: one for its own certificate, and one for browsers where it has such a one.
#[derive(Debug)]
pub struct Wish {
    /// For the inner links.
    pub own: SigningRequest,
    /// For browsers.
    pub https: Option<SigningRequest>,
}

/// The certificates for a [`Wish`], in PEM, each with those between it and the root.
#[derive(Clone, Debug)]
pub struct Grant {
    /// For the inner links.
    pub own: String,
    /// For browsers.
    pub https: Option<String>,
}

impl Folder {
    /// Registers `member`, or changes what is registered of it, and makes a token for it, good for `wait`. `authority` is
    /// where the member will find this authority.
    pub fn invite(
        &mut self,
        member: &Member,
        authority: &str,
        wait: Duration,
        clock: &Clock,
        chance: &Chance,
    ) -> Result<Token, PkiError> {
        member.check()?;
        if wait.is_zero() || wait > LONGEST_WAIT {
            return Err(PkiError::Refused("a token waits at most seven days to be used".into()));
        }
        // Names outside the bounds are told now, not when the service joins.
        self.authority(clock)?.may_name(&member.own().names)?;
        self.authority(clock)?.may_name(&member.https)?;
        let token = Token {
            secret: Zeroizing::new(hex::encode(chance.bytes::<32>())),
            root: Sha256::digest(self.authority(clock)?.anchor()).into(),
            authority: authority.to_owned(),
        };
        let token: Token = token.expose().parse()?;
        let now = clock.now();
        self.index.members.retain(|one| one.name != member.name);
        self.index.members.push(Member { dismissed: None, ..member.clone() });
        self.index.tickets.retain(|one| now.since(one.until) <= REMEMBERED);
        let too_many = self.index.tickets.len().saturating_sub(MOST);
        self.index.tickets.drain(..too_many);
        let ticket = Ticket {
            digest: digest(token.secret()),
            service: member.name.clone(),
            until: now.plus(wait),
            used: None,
            refused: Vec::new(),
        };
        self.index.tickets.push(ticket);
        let detail = format!("until {}", now.plus(wait));
        self.record(Deed::Invited, &member.name, None, detail, clock, chance);
        self.write_index_with_more(clock)?;
        Ok(token)
    }

    /// Lets `service` in by the secret of its token, and signs what it asks.
    pub fn join(
        &mut self,
        secret: &str,
        service: &str,
        wish: &Wish,
        clock: &Clock,
        chance: &Chance,
    ) -> Result<Grant, PkiError> {
        let (digest, now) = (digest(secret), clock.now());
        let Some(ticket) = self.index.tickets.iter_mut().find(|one| one.digest == digest) else {
            return Err(PkiError::Refused(
                "this token is not known here: it is of another authority, or mistyped".into(),
            ));
        };
        let refusal = if let Some(used) = ticket.used {
            let why = format!(
                "this token was used on {used}. If that was not you, somebody else may have joined as {}: send that away with \
                 `guichet pki revoke --service {}`. Otherwise ask for a new token",
                ticket.service, ticket.service
            );
            Some((Flaw::Used, why))
        } else if now > ticket.until {
            Some((Flaw::Late, format!("this token was good until {}: ask for a new one", ticket.until)))
        } else if ticket.service != service {
            Some((Flaw::Foreign, format!("this token is for {}, not for {}", ticket.service, named(service))))
        } else {
            None
        };
        if let Some((flaw, why)) = refusal {
            if !ticket.refused.contains(&flaw) {
                ticket.refused.push(flaw);
                let about = ticket.service.clone();
                self.record(Deed::Refused, &about, None, why.clone(), clock, chance);
                self.write_index(clock)?;
            }
            return Err(PkiError::Refused(why));
        }
        let grant = self.grant(service, None, wish, clock, chance)?;
        for ticket in self.index.tickets.iter_mut().filter(|one| one.digest == digest) {
            ticket.used = Some(now);
        }
        self.write_index_with_more(clock)?;
        Ok(grant)
    }

    /// Signs for a member that proved by its present certificate, of this serial number, who it is. What was taken back
    /// renews nothing, whatever whoever asked for the proof knew of it.
    pub fn renew_member(
        &mut self,
        service: &str,
        serial: &str,
        wish: &Wish,
        clock: &Clock,
        chance: &Chance,
    ) -> Result<Grant, PkiError> {
        let refused = |why: String| PkiError::Refused(format!("{} gets no new certificate: {why}", named(service)));
        let again = "Join anew, with a token that `guichet pki token` makes";
        let Some(present) = self.index.find(serial).filter(|one| one.is_of(service)) else {
            return Err(refused(format!(
                "none of its own with the serial number {} stands in the index. {again}",
                named(serial)
            )));
        };
        if let Some(revoked) = present.revoked {
            return Err(refused(format!("the present one was revoked on {}. {again}", revoked.at)));
        }
        let line = present.line().to_owned();
        self.in_no_hurry(&line, clock).map_err(refused)?;
        let grant = self.grant(service, Some(line), wish, clock, chance)?;
        self.write_index_with_more(clock)?;
        Ok(grant)
    }

    /// Whether the process with this line of certificates may have another one already.
    fn in_no_hurry(&self, line: &str, clock: &Clock) -> Result<(), String> {
        let now = clock.now();
        let of_line = |one: &&crate::Entry| one.line() == line && one.usage.calls() && one.until > now;
        let living = self.index.issued.iter().filter(of_line);
        let next = living.clone().map(|one| one.from.plus(Duration::from_secs(one.life_seconds / 10))).max();
        match next {
            Some(next) if living.count() >= BURST && now < next => Err(format!(
                "it has {BURST} that live, and the newest is not a tenth of its life old. See why it asks again and again; the \
                 next is signed from {next} on"
            )),
            _ => Ok(()),
        }
    }

    /// Sends a member away: it gets no certificate any more, and those that it has are taken back.
    pub fn dismiss(
        &mut self,
        service: &str,
        reason: Reason,
        clock: &Clock,
        chance: &Chance,
    ) -> Result<usize, PkiError> {
        let now = clock.now();
        let Some(member) = self.index.members.iter_mut().find(|one| one.name == service) else {
            return Err(PkiError::Refused(format!(
                "no service named {} has joined or was invited here",
                named(service)
            )));
        };
        member.dismissed = Some(now);
        self.index.tickets.retain(|one| one.service != service);
        let living = |one: &&crate::Entry| one.is_of(service) && one.revoked.is_none() && one.until > now;
        let serials: Vec<String> = self.index.issued.iter().filter(living).map(|one| one.serial.clone()).collect();
        self.record(Deed::Dismissed, service, None, String::new(), clock, chance);
        for serial in &serials {
            self.take_back(serial, reason, clock, chance)?;
        }
        self.list(None, clock)?;
        Ok(serials.len())
    }

    /// A certificate for the authority's own process, named `name`, with the root at the end of its chain: whoever joins
    /// has not got the root yet, only its fingerprint.
    ///
    /// Its key ends with the process, so only the newest few are remembered: a process that is started again and again
    /// must not fill the index.
    pub fn own(&mut self, name: &str, clock: &Clock, chance: &Chance) -> Result<Issued, PkiError> {
        let request = Member::new(name).own();
        let key = PrivateKey::generate(Algorithm::P256)?;
        let mut issued = self.authority(clock)?.issue_for(&key, &request, clock, chance)?;
        let is_own =
            |one: &crate::Entry| one.line.is_none() && one.member.as_deref() == Some(name) && one.revoked.is_none();
        let mut many = self.index.issued.iter().filter(|one| is_own(one)).count();
        self.index.issued.retain(|one| {
            let kept = !is_own(one) || many < OWN;
            many = many.saturating_sub(usize::from(is_own(one)));
            kept
        });
        self.remember(&issued.cert_pem, &request, Whose::member(name, None), clock, chance)?;
        self.write_index_with_more(clock)?;
        issued.cert_pem += &self.root_pem()?;
        Ok(issued)
    }

    /// Signs for a member, in the line of certificates that it has, or a new one.
    fn grant(
        &mut self,
        service: &str,
        line: Option<String>,
        wish: &Wish,
        clock: &Clock,
        chance: &Chance,
    ) -> Result<Grant, PkiError> {
        let member = self.index.members.iter().find(|one| one.name == service).cloned();
        let member = member.filter(|one| one.dismissed.is_none()).ok_or_else(|| {
            PkiError::Refused(format!(
                "{} gets no certificates here: it was sent away, or never invited. `guichet pki token --service {}` invites it",
                named(service),
                named(service)
            ))
        })?;
        let authority = self.authority(clock)?;
        let own = authority.sign(&wish.own, &member.own(), clock, chance)?;
        let https = match &wish.https {
            None => None,
            Some(_) if member.https.is_empty() => {
                return Err(PkiError::Refused(format!(
                    "{} has no names for browsers: invite it with `guichet pki token --service {} --https NAME`",
                    member.name, member.name
                )));
            }
            Some(asked) => {
                let request = member.browsers();
                Some((authority.sign(asked, &request, clock, chance)?, request))
            }
        };
        let line = match line {
            Some(line) => line,
            None => serial_of(&own)?.0,
        };
        let whose = Whose::member(service, Some(line));
        self.remember(&own, &member.own(), whose.clone(), clock, chance)?;
        if let Some((signed, request)) = &https {
            self.remember(signed, request, whose, clock, chance)?;
        }
        Ok(Grant { own, https: https.map(|(signed, _)| signed) })
    }
}

fn digest(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// A stranger's word, so that it cannot do anything to a terminal or a log.
fn named(word: &str) -> String {
    word.chars().take(80).collect::<String>().escape_debug().to_string()
}
