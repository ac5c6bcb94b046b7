//! Forged requests are refused twice over: by what the browser says of where a POST comes from, and by a token that
//! only a page of this session holds.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use http::{HeaderMap, Uri, header};
use sha2::{Digest, Sha256};

/// The form token of a session: derived from its secret, so that every instance of the web knows it.
pub(crate) fn token(secret: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(b"guichet form token\0");
    digest.update(secret.as_bytes());
    hex::encode(digest.finalize())
}

/// Whether `given` is the token `wanted`; takes the same time whatever differs.
pub(crate) fn fits(wanted: &str, given: &str) -> bool {
    verify_slices_are_equal(wanted.as_bytes(), given.as_bytes()).is_ok()
}

/// Whether the browser says that a POST comes from a page of this site. Clients that say nothing are no browsers: no
/// cookie travels with them unless they mean it.
pub(crate) fn same_site(headers: &HeaderMap, uri: &Uri) -> bool {
    let text = |name| headers.get(name).map(|value: &http::HeaderValue| value.to_str().unwrap_or("?"));
    match text(header::HeaderName::from_static("sec-fetch-site")) {
        Some("same-origin" | "none") => return true,
        Some(_) => return false,
        None => {}
    }
    match text(header::ORIGIN) {
        None => true,
        Some(origin) => {
            let host = uri.authority().map(http::uri::Authority::as_str).or_else(|| text(header::HOST));
            origin.split_once("://").map(|(_, host)| host).is_some_and(|origin| Some(origin) == host)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn another_site_is_refused_and_this_one_is_not() {
        let uri = Uri::from_static("/transfer");
        let of = |pairs: &[_]| same_site(&headers(pairs), &uri);
        assert!(of(&[("sec-fetch-site", "same-origin")]));
        assert!(of(&[("host", "bank.example"), ("origin", "https://bank.example")]));
        assert!(of(&[("host", "bank.example")]));
        assert!(!of(&[("sec-fetch-site", "cross-site")]));
        assert!(!of(&[("sec-fetch-site", "same-site")]));
        assert!(!of(&[("host", "bank.example"), ("origin", "https://evil.example")]));
        assert!(!of(&[("host", "bank.example"), ("origin", "null")]));
    }

    #[test]
    fn a_token_belongs_to_one_session() {
        assert!(fits(&token("a"), &token("a")));
        assert!(!fits(&token("a"), &token("b")));
        assert!(!fits(&token("a"), ""));
    }
}
