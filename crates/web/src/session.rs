//! Who is browsing: the session cookie, exchanged with identity for access tokens that are kept for their short life.
//!
//! The cookie holds an opaque secret; identity alone knows what it stands for. Knows no page.

use std::sync::Arc;
use std::time::Duration;

use aaa::{Caller, Problem};
use contracts::identity::{BrowserSession, ResumeBrowserSession, User};
use http::{HeaderMap, StatusCode, header};
use moka::sync::Cache;
use sha2::{Digest, Sha256};
use vocabulary::{Clock, Timestamp};

use crate::csrf;

/// `__Host-`: set by this very origin, for all of it, over TLS only.
pub(crate) const SESSION_COOKIE: &str = "__Host-guichet";
/// The language chosen.
pub(crate) const LANGUAGE_COOKIE: &str = "__Host-language";
/// Light or dark, if chosen.
pub(crate) const THEME_COOKIE: &str = "__Host-theme";
/// Holds a sign-in that waits for its second step, sealed.
pub(crate) const HALFWAY_COOKIE: &str = "__Host-halfway";
/// Holds what an authenticator app is given, sealed, while it is set up.
pub(crate) const SETUP_COOKIE: &str = "__Host-setup";
/// What identity knows this browser by, so that strangers' failures do not slow its owner down.
pub(crate) const DEVICE_COOKIE: &str = "__Host-device";

/// Most sessions whose tokens are kept.
const MOST_SESSIONS: u64 = 20_000;
/// A token is given up this long before its end, so that it does not end on the way.
const MARGIN: Duration = Duration::from_secs(20);
/// What a cookie keeps for a year.
const YEAR: &str = "; Max-Age=31536000";

/// Somebody who signed in.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    /// The person.
    pub(crate) user: User,
    /// Their sign-in before this one.
    pub(crate) previous_login_at: Option<Timestamp>,
    /// What every form of this session carries.
    pub(crate) csrf: String,
    /// Signs calls.
    pub(crate) token: Secret,
    /// The cookie's value.
    pub(crate) secret: Secret,
}

/// A text that is not shown.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Secret(pub(crate) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The sessions of this process's browsers, by the digest of their secrets.
#[derive(Clone)]
pub(crate) struct Sessions {
    kept: Cache<[u8; 32], Arc<(Timestamp, Signed)>>,
    clock: Clock,
}

impl Sessions {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { kept: Cache::new(MOST_SESSIONS), clock }
    }

    /// Whose session the secret is; nobody's once it ended.
    pub(crate) async fn resume(&self, caller: &Caller, secret: &str) -> Result<Option<Signed>, Problem> {
        let key: [u8; 32] = Sha256::digest(secret).into();
        if let Some(kept) = self.kept.get(&key) {
            if kept.0 > self.clock.now() {
                return Ok(Some(kept.1.clone()));
            }
            self.kept.invalidate(&key);
        }
        // Resuming twice does no harm; a key says so to whoever carries the call, should an instance die over it.
        match caller.keyed("resume").call(ResumeBrowserSession { secret: secret.to_owned() }).await {
            Ok(session) => {
                // Resuming need not repeat the secret.
                let session = BrowserSession { secret: secret.to_owned(), ..session };
                Ok(Some(self.keep(session)))
            }
            Err(problem) if matches!(problem.status(), StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST) => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    /// Keeps a session that was opened or resumed.
    pub(crate) fn keep(&self, session: BrowserSession) -> Signed {
        let until = self.clock.now().plus(Duration::from_secs(session.expires_in.into())).minus(MARGIN);
        let signed = Signed {
            csrf: csrf::token(&session.secret),
            token: Secret(session.access_token),
            user: session.user,
            previous_login_at: session.previous_login_at,
            secret: Secret(session.secret),
        };
        self.kept.insert(Sha256::digest(&signed.secret.0).into(), Arc::new((until, signed.clone())));
        signed
    }

    /// Asks identity again the next time.
    pub(crate) fn forget(&self, secret: &str) {
        let key: [u8; 32] = Sha256::digest(secret).into();
        self.kept.invalidate(&key);
    }
}

/// Longest value of a cookie, and of one that is sealed.
const LONGEST: usize = 256;
const LONGEST_SEALED: usize = 4096;

/// The value of a cookie.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value)
        .filter(|value| !value.is_empty() && value.len() <= if is_sealed(name) { LONGEST_SEALED } else { LONGEST })
}

fn is_sealed(name: &str) -> bool {
    matches!(name, HALFWAY_COOKIE | SETUP_COOKIE)
}

/// `Set-Cookie` for the session: gone when the browser closes, at the latest when identity ends it. `Lax`, so that a
/// link from a mail finds its reader signed in; no GET changes anything, and every POST proves where it comes from.
pub(crate) fn session_cookie(secret: &str) -> String {
    format!("{SESSION_COOKIE}={secret}; Path=/; Secure; HttpOnly; SameSite=Lax")
}

/// `Set-Cookie` that ends the session in the browser.
pub(crate) fn no_session_cookie() -> String {
    format!("{SESSION_COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")
}

/// `Set-Cookie` for the few minutes between two steps of a sign-in; only pages of this very site bring it.
pub(crate) fn halfway_cookie(sealed: &str) -> String {
    sealed_cookie(HALFWAY_COOKIE, sealed, 300)
}

/// `Set-Cookie` that forgets the sign-in that waited.
pub(crate) fn no_halfway_cookie() -> String {
    sealed_cookie(HALFWAY_COOKIE, "", 0)
}

/// `Set-Cookie` for the few minutes in which an authenticator app is set up.
pub(crate) fn setup_cookie(sealed: &str) -> String {
    sealed_cookie(SETUP_COOKIE, sealed, 300)
}

/// `Set-Cookie` that forgets what the app was given.
pub(crate) fn no_setup_cookie() -> String {
    sealed_cookie(SETUP_COOKIE, "", 0)
}

fn sealed_cookie(name: &str, sealed: &str, seconds: u32) -> String {
    format!("{name}={sealed}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={seconds}")
}

/// `Set-Cookie` for a preference.
pub(crate) fn lasting_cookie(name: &str, value: &str) -> String {
    format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{YEAR}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, "a=1; __Host-guichet=abc; b=2".parse().unwrap());
        assert_eq!(cookie(&headers, SESSION_COOKIE), Some("abc"));
        assert_eq!(cookie(&headers, "guichet"), None);
    }

    #[test]
    fn the_session_cookie_keeps_to_this_origin() {
        let cookie = session_cookie("s");
        for attribute in ["__Host-guichet=s", "Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
            assert!(cookie.contains(attribute), "{attribute}");
        }
        assert!(!cookie.contains("Domain"));
    }
}
