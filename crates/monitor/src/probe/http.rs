//! One GET. No redirect is followed: where it leads was not judged, and a token would follow.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use contracts::monitor::CheckSpec;
use http::header::{ACCEPT, AUTHORIZATION, CONNECTION, USER_AGENT};
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Uri};
use vocabulary::Timestamp;
use zeroize::Zeroizing;

use super::place::{is_host, judged};
use super::sight::both;
use super::{Failure, secure};
use crate::addresses::{Reach, connected};
use crate::check::Fault;
use crate::condition::Facts;
use crate::outgoing::{Answer, Overflow, Question, is_encrypted, place, spoken};
use crate::secure::Secure;

/// What is read of an answer; the rest is left.
const MOST_BYTES: usize = 256 * 1024;
const AGENT: &str = concat!("guichet-monitor/", env!("CARGO_PKG_VERSION"));

pub(super) struct Http {
    uri: Uri,
    reach: Reach,
    /// Nothing where it goes in the open.
    secure: Option<Secure>,
    token: Option<Token>,
    /// Whether somebody looks at the body.
    pub(super) reads_body: bool,
}

/// What is shown as a bearer; read again when its file was replaced.
struct Token {
    path: PathBuf,
    read: Mutex<(Option<SystemTime>, HeaderValue)>,
}

impl Http {
    pub(super) fn new(spec: &CheckSpec, reach: Reach) -> Result<Self, Vec<Fault>> {
        let uri = address(&spec.target, reach);
        let open = uri.as_ref().is_ok_and(|uri| !is_encrypted(uri));
        let secured = if open { refuse_in_the_open(spec).map(|()| None) } else { secure(spec).map(Some) };
        let token = spec.token_file.as_deref().map(|path| Token::new(Path::new(path))).transpose();
        let ((uri, secure), token) = match (both(uri, secured), token) {
            (Ok(fit), Ok(token)) => (fit, token),
            (Ok(_), Err(fault)) => return Err(vec![fault]),
            (Err(mut faults), token) => {
                faults.extend(token.err());
                return Err(faults);
            }
        };
        Ok(Self { uri, reach, secure, token, reads_body: false })
    }

    pub(super) const fn is_encrypted(&self) -> bool {
        self.secure.is_some()
    }

    pub(super) async fn run(&self, facts: &mut Facts, now: Timestamp) -> Result<(), Failure> {
        let (host, port) = place(&self.uri);
        let stream = connected(host, port, self.reach).await?;
        let question = Question { headers: self.headers(), ..Question::default() };
        let answer = match &self.secure {
            None => spoken(stream, &self.uri, question, MOST_BYTES, Overflow::Cut).await?,
            Some(secure) => {
                let stream = secure.handshake(host, stream, facts, now).await?;
                spoken(stream, &self.uri, question, MOST_BYTES, Overflow::Cut).await?
            }
        };
        let Answer { status, headers, body } = answer;
        facts.cut = body.len() >= MOST_BYTES;
        facts.status = Some(status.as_u16());
        facts.headers = headers;
        facts.body = self.reads_body.then_some(body);
        Ok(())
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        if let Some(token) = &self.token {
            headers.insert(AUTHORIZATION, token.shown());
        }
        headers
    }
}

fn address(target: &str, reach: Reach) -> Result<Uri, Fault> {
    let wrong = |words: &str| Err(("target", words.to_owned()));
    let Ok(uri) = target.parse::<Uri>() else {
        return wrong("is no address: write https://bank.example.org/health");
    };
    if !matches!(uri.scheme(), Some(scheme) if *scheme == Scheme::HTTPS || *scheme == Scheme::HTTP) {
        return wrong("begins with neither https:// nor http://");
    }
    if uri.authority().is_some_and(|it| it.as_str().contains('@')) {
        return wrong("holds a name or password: name a file with a token as `token_file` instead");
    }
    let (host, port) = place(&uri);
    if !is_host(host) || port == 0 || uri.authority().is_some_and(|it| it.as_str().ends_with(':')) {
        return wrong("names no machine: write https://bank.example.org/health");
    }
    judged(host, reach)?;
    Ok(uri)
}

/// Over `http://`, nothing is proven to anybody.
fn refuse_in_the_open(spec: &CheckSpec) -> Result<(), Vec<Fault>> {
    let files = [
        ("ca_file", &spec.ca_file),
        ("certificate_file", &spec.certificate_file),
        ("key_file", &spec.key_file),
        ("token_file", &spec.token_file),
    ];
    let set = files.iter().filter(|(_, value)| value.is_some());
    let faults: Vec<Fault> = set.map(|(field, _)| (*field, "is for https:// only".into())).collect();
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

impl Token {
    fn new(path: &Path) -> Result<Self, Fault> {
        let read = (written(path), bearer(path)?);
        Ok(Self { path: path.into(), read: Mutex::new(read) })
    }

    fn shown(&self) -> HeaderValue {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = written(&self.path);
        if stamp != read.0
            && let Ok(value) = bearer(&self.path)
        {
            *read = (stamp, value);
        }
        read.1.clone()
    }
}

fn written(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|data| data.modified()).ok()
}

fn bearer(path: &Path) -> Result<HeaderValue, Fault> {
    let text = pki::files::secret(path).map_err(|error| ("token_file", format!("cannot be used: {error}")))?;
    let token = text.trim();
    let fits = !token.is_empty() && token.bytes().all(|c| c.is_ascii_graphic());
    let value = fits.then(|| Zeroizing::new(format!("Bearer {token}")));
    let value = value.and_then(|value| HeaderValue::from_str(&value).ok());
    let mut value = value.ok_or_else(|| {
        ("token_file", format!("names {}, which does not hold one token in one line", path.display()))
    })?;
    value.set_sensitive(true);
    Ok(value)
}
