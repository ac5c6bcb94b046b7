//! Which credentials a service accepts, and whom each stands for.
//!
//! They are tried in the order in which they were accepted; the first one that a request *carries* decides. One that is
//! carried and wrong is refused, never skipped: a request without any credential is the only anonymous one.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use vocabulary::Timestamp;

use crate::digest::{Answer, Digest, DigestSecret};
use crate::password::Password;
use crate::principal::Principal;
use crate::problem::Problem;
use crate::throttle::Throttle;
use crate::token::{Dpop, Readable, Refusal, Verifier};

/// The kinds of credential, to name them on a route ([`crate::Route::accepts`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme {
    /// `Authorization: Bearer …` (RFC 6750), and `DPoP …` for tokens bound to a key (RFC 9449).
    Bearer,
    /// A token in a header of its own, such as `x-access-tokens`.
    Header,
    /// A token in a cookie.
    Cookie,
    /// A token in `Authorization` behind another word, such as `Token …`.
    Prefix,
    /// Login and password (RFC 7617).
    Basic,
    /// A proof of the password, with SHA-256 (RFC 7616).
    Digest,
    /// Login and password as two fields of the body.
    Parameters,
    /// A login that a trusted front server has checked.
    Httpd,
    /// A client certificate that the listener has checked.
    Certificate,
    /// A login that is simply believed: only in debug builds with the feature `fake-auth`.
    Fake,
}

impl Scheme {
    /// The schemes that carry a token.
    pub const TOKENS: &[Self] = &[Self::Bearer, Self::Header, Self::Cookie, Self::Prefix];

    /// As audit records name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::Header => "header",
            Self::Cookie => "cookie",
            Self::Prefix => "prefix",
            Self::Basic => "basic",
            Self::Digest => "digest",
            Self::Parameters => "parameters",
            Self::Httpd => "httpd",
            Self::Certificate => "certificate",
            Self::Fake => "fake",
        }
    }
}

/// The people of a program, for credentials that name somebody or hold their password.
pub trait People: Send + Sync + 'static {
    /// Who this is, if login and password fit and they may come in. An unknown login has to cost what a wrong password
    /// does: see [`crate::Hasher::verify`].
    fn sign_in<'a>(&'a self, login: &'a str, password: Password) -> BoxFuture<'a, Result<Option<Principal>, Problem>>;

    /// Who this is, for a login that was proved another way.
    fn known<'a>(&'a self, login: &'a str) -> BoxFuture<'a, Result<Option<Principal>, Problem>>;

    /// What Digest needs of somebody, for programs that keep it.
    fn digest_secret<'a>(&'a self, _login: &'a str) -> BoxFuture<'a, Result<Option<DigestSecret>, Problem>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}

/// What a token is: it says all itself, or only a login.
#[derive(Clone)]
pub enum Tokens {
    /// JWT.
    Jwt(Verifier),
    /// FlaskSimpleAuth's readable token; [`People::known`] says the rest.
    Readable(Readable),
}

impl From<Readable> for Tokens {
    fn from(readable: Readable) -> Self {
        Self::Readable(readable)
    }
}
impl From<Verifier> for Tokens {
    fn from(verifier: Verifier) -> Self {
        Self::Jwt(verifier)
    }
}

/// Of a client certificate that the listener has checked: put among a request's extensions by it alone.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// The subject's name.
    pub name: String,
    /// The serial number, in hexadecimal digits.
    pub serial: String,
}

/// Which credentials a service accepts. Clones share state.
#[derive(Clone)]
pub struct Credentials {
    realm: Arc<str>,
    people: Option<Arc<dyn People>>,
    ways: Arc<Vec<Way>>,
    dpop: Dpop,
}

#[derive(Clone)]
enum Way {
    Bearer(Tokens),
    Header(HeaderName, Tokens),
    Cookie(String, Tokens),
    Prefix(String, Tokens),
    Basic,
    Digest(Box<Digest>),
    Parameters {
        login: String,
        password: String,
    },
    Httpd {
        header: HeaderName,
        fronts: Vec<IpAddr>,
    },
    Certificate,
    #[cfg(feature = "fake-auth")]
    Fake {
        login: String,
    },
}

impl Way {
    const fn scheme(&self) -> Scheme {
        match self {
            Self::Bearer(_) => Scheme::Bearer,
            Self::Header(..) => Scheme::Header,
            Self::Cookie(..) => Scheme::Cookie,
            Self::Prefix(..) => Scheme::Prefix,
            Self::Basic => Scheme::Basic,
            Self::Digest(_) => Scheme::Digest,
            Self::Parameters { .. } => Scheme::Parameters,
            Self::Httpd { .. } => Scheme::Httpd,
            Self::Certificate => Scheme::Certificate,
            #[cfg(feature = "fake-auth")]
            Self::Fake { .. } => Scheme::Fake,
        }
    }

    /// Whether it cannot work without [`Credentials::people`].
    const fn needs_people(&self) -> bool {
        match self {
            Self::Bearer(tokens) | Self::Header(_, tokens) | Self::Cookie(_, tokens) | Self::Prefix(_, tokens) => {
                matches!(tokens, Tokens::Readable(_))
            }
            _ => true,
        }
    }
}

impl Credentials {
    /// None yet. The realm is what browsers show and what tells one program's credentials from another's.
    pub fn new(realm: &str) -> Self {
        let realm: String = realm.chars().filter(|c| !c.is_control() && !matches!(c, '"' | '\\')).collect();
        Self { realm: realm.into(), people: None, ways: Arc::default(), dpop: Dpop::new() }
    }

    /// Who people are: for passwords, and for credentials that only name somebody.
    #[must_use]
    pub fn people(self, people: impl People) -> Self {
        Self { people: Some(Arc::new(people)), ..self }
    }

    /// The address that clients use (`https://bank.example.org`), which proofs of possession name (RFC 9449). Without it,
    /// a proof's scheme and host are not compared, only its path.
    #[must_use]
    pub fn origin(self, origin: &str) -> Self {
        Self { dpop: Dpop::at(origin), ..self }
    }

    fn accept(mut self, way: Way) -> Self {
        Arc::make_mut(&mut self.ways).push(way);
        self
    }

    /// `Authorization: Bearer …`.
    #[must_use]
    pub fn bearer(self, tokens: impl Into<Tokens>) -> Self {
        self.accept(Way::Bearer(tokens.into()))
    }

    /// A token in a header of its own.
    #[must_use]
    pub fn header(self, name: HeaderName, tokens: impl Into<Tokens>) -> Self {
        self.accept(Way::Header(name, tokens.into()))
    }

    /// A token in a cookie. Requests that browsers send for other sites are refused (see [`crate::Gate`]).
    #[must_use]
    pub fn cookie(self, name: &str, tokens: impl Into<Tokens>) -> Self {
        self.accept(Way::Cookie(name.to_owned(), tokens.into()))
    }

    /// A token in `Authorization` behind another word: `Token …`.
    #[must_use]
    pub fn prefix(self, word: &str, tokens: impl Into<Tokens>) -> Self {
        self.accept(Way::Prefix(word.to_owned(), tokens.into()))
    }

    /// Login and password, as `Authorization: Basic …`.
    #[must_use]
    pub fn basic(self) -> Self {
        self.accept(Way::Basic)
    }

    /// A proof of the password, as `Authorization: Digest …`.
    #[must_use]
    pub fn digest(self, digest: Digest) -> Self {
        self.accept(Way::Digest(Box::new(digest)))
    }

    /// Login and password as two fields of the body; never in the address, which is logged everywhere.
    #[must_use]
    pub fn parameters(self, login: &str, password: &str) -> Self {
        self.accept(Way::Parameters { login: login.to_owned(), password: password.to_owned() })
    }

    /// A login in `header`, believed from front servers at these addresses only. They have to drop the header that a
    /// client sends.
    #[must_use]
    pub fn httpd(self, header: HeaderName, fronts: Vec<IpAddr>) -> Self {
        self.accept(Way::Httpd { header, fronts })
    }

    /// The name in a client certificate.
    #[must_use]
    pub fn certificate(self) -> Self {
        self.accept(Way::Certificate)
    }

    /// A login that is simply believed, as a field of the body or the query: for trying things out.
    #[cfg(feature = "fake-auth")]
    #[must_use]
    pub fn fake(self, login: &str) -> Self {
        self.accept(Way::Fake { login: login.to_owned() })
    }

    /// What keeps these credentials from working, if anything.
    pub(crate) fn fault(&self) -> Option<String> {
        let way = self.ways.iter().find(|way| self.people.is_none() && way.needs_people())?;
        Some(format!("{} names people, and nobody says who they are: add Credentials::people", way.scheme().name()))
    }

    /// The schemes accepted, in order; all of them, or those of `only`.
    pub(crate) fn schemes(&self, only: &'static [Scheme]) -> impl Iterator<Item = Scheme> {
        self.accepted(only).map(Way::scheme)
    }

    fn accepted(&self, only: &'static [Scheme]) -> impl Iterator<Item = &Way> {
        self.ways.iter().filter(move |way| only.is_empty() || only.contains(&way.scheme()))
    }

    /// The names of fields of the body that are credentials, not parameters.
    pub(crate) fn fields(&self, only: &'static [Scheme]) -> Vec<&str> {
        let mut names = Vec::new();
        for way in self.accepted(only) {
            match way {
                Way::Parameters { login, password } => names.extend([login.as_str(), password.as_str()]),
                #[cfg(feature = "fake-auth")]
                Way::Fake { login } => names.push(login.as_str()),
                _ => {}
            }
        }
        names
    }

    /// What a 401 says: how to prove who one is (RFC 9110 §11.6.1), one challenge a line. `why` follows on the token's.
    pub(crate) fn challenges(&self, only: &'static [Scheme], why: &str) -> Vec<HeaderValue> {
        let mut challenges: Vec<String> = Vec::new();
        for way in self.accepted(only) {
            let challenge = match way {
                Way::Bearer(_) => format!("Bearer realm=\"{}\"{why}", self.realm),
                Way::Prefix(word, _) => format!("{word} realm=\"{}\"", self.realm),
                Way::Basic => format!("Basic realm=\"{}\", charset=\"UTF-8\"", self.realm),
                Way::Digest(digest) => digest.challenge(&self.realm),
                // No scheme of HTTP's own: nothing a challenge could name.
                _ => continue,
            };
            challenges.push(challenge);
        }
        challenges.into_iter().filter_map(|text| HeaderValue::try_from(text).ok()).collect()
    }
}

/// A request's credential was looked at, and does not hold (or cannot be checked now).
pub(crate) struct Denied {
    pub(crate) problem: Problem,
    /// What the challenge adds: RFC 6750 §3.1 gives no error code to a request without any credential.
    pub(crate) why: &'static str,
}

impl From<Problem> for Denied {
    fn from(problem: Problem) -> Self {
        Self { problem, why: "" }
    }
}

const INVALID: &str = ", error=\"invalid_token\"";

fn invalid(why: impl std::fmt::Display) -> Denied {
    Denied { problem: Problem::unauthorized().because(why), why: INVALID }
}

/// One request, as far as credentials go.
pub(crate) struct Presented<'a> {
    pub(crate) parts: &'a Parts,
    /// The fields of the body that [`Credentials::fields`] named, as far as they were sent.
    pub(crate) fields: Vec<(String, String)>,
    /// The client's address, behind trusted proxies.
    pub(crate) client: Option<&'a str>,
    /// The address of the connection itself.
    pub(crate) peer: Option<IpAddr>,
    pub(crate) now: Timestamp,
    pub(crate) throttle: &'a Throttle,
}

impl Credentials {
    /// Who is calling, and how they proved it.
    pub(crate) async fn identify(
        &self,
        only: &'static [Scheme],
        request: Presented<'_>,
    ) -> Result<(Arc<Principal>, Scheme), Denied> {
        for way in self.accepted(only) {
            if let Some(principal) = self.try_way(way, &request).await? {
                return Ok((principal, way.scheme()));
            }
        }
        Err(Problem::unauthorized().because("no credential").into())
    }

    /// Whether no verifier has heard that what this caller showed ended before its time.
    pub(crate) fn still_hold(&self, by: &Principal) -> bool {
        self.ways.iter().all(|way| match way {
            Way::Bearer(Tokens::Jwt(verifier))
            | Way::Header(_, Tokens::Jwt(verifier))
            | Way::Cookie(_, Tokens::Jwt(verifier))
            | Way::Prefix(_, Tokens::Jwt(verifier)) => verifier.still_holds(by).is_ok(),
            _ => true,
        })
    }

    async fn try_way(&self, way: &Way, request: &Presented<'_>) -> Result<Option<Arc<Principal>>, Denied> {
        let headers = &request.parts.headers;
        let token = match way {
            Way::Bearer(tokens) => {
                authorization(headers, "dpop").or_else(|| authorization(headers, "bearer")).map(|token| (tokens, token))
            }
            Way::Header(name, tokens) => text(headers, name).map(|token| (tokens, token.trim())),
            Way::Cookie(name, tokens) => cookie(headers, name).map(|token| (tokens, token)),
            Way::Prefix(word, tokens) => authorization(headers, word).map(|token| (tokens, token)),
            // The error code is about tokens alone (RFC 6750 §3.1).
            other => return self.by_name(other, request).await.map_err(|denied| denied.problem.into()),
        };
        let Some((tokens, token)) = token else { return Ok(None) };
        match tokens {
            Tokens::Jwt(verifier) => self.jwt(verifier, token, request).map(Some),
            Tokens::Readable(readable) => self.named(&readable.read(token).map_err(refused)?).await,
        }
    }

    fn jwt(&self, verifier: &Verifier, token: &str, request: &Presented<'_>) -> Result<Arc<Principal>, Denied> {
        let principal = verifier.verify(token).map_err(refused)?;
        let (parts, proof) = (request.parts, text(&request.parts.headers, &DPOP));
        match (&principal.bound_to, proof) {
            // Worth nothing without a proof of its key, however it is sent.
            (Some(_), None) => return Err(invalid("the proof of the token's key is missing")),
            (Some(key), Some(proof)) => {
                self.dpop.check(proof, &parts.method, &parts.uri, token, key, request.now).map_err(refused)?;
            }
            (None, _) if authorization(&parts.headers, "dpop").is_some() => {
                return Err(invalid("DPoP with a token that is bound to no key"));
            }
            (None, _) => {}
        }
        Ok(principal)
    }

    /// Credentials that name somebody: the people of the program say who that is.
    async fn by_name(&self, way: &Way, request: &Presented<'_>) -> Result<Option<Arc<Principal>>, Denied> {
        let headers = &request.parts.headers;
        match way {
            Way::Basic => match authorization(headers, "basic") {
                Some(encoded) => {
                    let (login, password) = basic_pair(encoded).map_err(invalid)?;
                    self.sign_in(&login, password, request).await.map(Some)
                }
                None => Ok(None),
            },
            Way::Parameters { login, password } => match (request.field(login), request.field(password)) {
                (None, None) => Ok(None),
                (Some(login), Some(password)) => self.sign_in(login, password.to_owned(), request).await.map(Some),
                _ => Err(invalid("login or password without the other")),
            },
            Way::Digest(digest) => match authorization(headers, "digest") {
                Some(credential) => self.by_digest(digest, credential, request).await.map(Some),
                None => Ok(None),
            },
            Way::Httpd { header, fronts } => match text(headers, header) {
                // From anywhere else the header is only what a client made up.
                Some(login) if request.peer.is_some_and(|peer| fronts.contains(&peer)) => self.named(login).await,
                Some(_) => Err(invalid("a login from somewhere else than the trusted front server")),
                None => Ok(None),
            },
            Way::Certificate => match request.parts.extensions.get::<ClientCertificate>() {
                Some(certificate) => self.named(&certificate.name).await,
                None => Ok(None),
            },
            #[cfg(feature = "fake-auth")]
            Way::Fake { login } => match request.field(login) {
                Some(login) => self.named(login).await,
                None => Ok(None),
            },
            Way::Bearer(_) | Way::Header(..) | Way::Cookie(..) | Way::Prefix(..) => Ok(None),
        }
    }

    async fn named(&self, login: &str) -> Result<Option<Arc<Principal>>, Denied> {
        self.known(login).await?.map(Some).ok_or_else(|| invalid("nobody has this login"))
    }

    async fn known(&self, login: &str) -> Result<Option<Arc<Principal>>, Denied> {
        let Some(people) = &self.people else { return Ok(None) };
        Ok(people.known(login).await?.map(Arc::new))
    }

    async fn sign_in(&self, login: &str, password: String, request: &Presented<'_>) -> Result<Arc<Principal>, Denied> {
        let people = self.people.as_ref().ok_or_else(|| invalid("no people"))?;
        let password = Password::try_from(password).map_err(invalid)?;
        request.throttle.admit(login, request.client)?;
        if let Some(principal) = people.sign_in(login, password).await? {
            request.throttle.succeeded(login);
            Ok(Arc::new(principal))
        } else {
            request.throttle.failed(login, request.client);
            Err(invalid("login and password do not fit"))
        }
    }

    async fn by_digest(
        &self,
        digest: &Digest,
        credential: &str,
        request: &Presented<'_>,
    ) -> Result<Arc<Principal>, Denied> {
        let people = self.people.as_ref().ok_or_else(|| invalid("no people"))?;
        let answer = Answer::read(credential, &self.realm).map_err(invalid)?;
        request.throttle.admit(answer.login(), request.client)?;
        let secret = people.digest_secret(answer.login()).await?;
        if let Err(why) = answer.check(digest, secret.as_ref(), request.parts) {
            request.throttle.failed(answer.login(), request.client);
            return Err(invalid(why));
        }
        let known = self.known(answer.login()).await?.ok_or_else(|| invalid("nobody has this login"))?;
        request.throttle.succeeded(answer.login());
        Ok(known)
    }
}

impl Presented<'_> {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

const DPOP: HeaderName = HeaderName::from_static("dpop");

fn refused(refusal: Refusal) -> Denied {
    match refusal {
        // Not the caller's fault: whether the token was revoked cannot be known.
        Refusal::Unheard => Problem::unavailable(5, refusal).into(),
        _ => invalid(refusal),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    // Bytes that are no text are a credential too, and never a good one.
    headers.get(name).map(|value| value.to_str().unwrap_or(""))
}

/// The credential after `scheme`; schemes are case-insensitive (RFC 9110).
pub(crate) fn authorization<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    credential(headers.get(header::AUTHORIZATION)?, scheme)
}

/// The same of one header's value. The scheme is looked at first: a token is long.
pub(crate) fn credential<'a>(value: &'a HeaderValue, scheme: &str) -> Option<&'a str> {
    let bytes = value.as_bytes();
    let (given, rest) = bytes.split_at_checked(scheme.len())?;
    let ended = rest.first().is_none_or(|next| *next == b' ');
    // Bytes that are no text are a credential too, and never a good one.
    (ended && given.eq_ignore_ascii_case(scheme.as_bytes())).then(|| std::str::from_utf8(rest).unwrap_or("").trim())
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(given, _)| *given == name).map(|(_, value)| value)
}

/// Login and password of HTTP Basic (RFC 7617).
pub(crate) fn basic_pair(encoded: &str) -> Result<(String, String), &'static str> {
    let decoded = BASE64_STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let (login, password) =
        decoded.as_deref().and_then(|text| text.split_once(':')).ok_or("malformed Basic credential")?;
    if password.is_empty() { Err("empty password") } else { Ok((login.to_owned(), password.to_owned())) }
}
