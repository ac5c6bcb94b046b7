//! `authority`: the certificates of services that stand apart, and the lists of those taken back.
//!
//! Certificates, requests and lists are PEM. Of a request only the public key is taken.

use aaa::{Faults, Fields, In, Open, Operation, Route, Scheme};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::peers::{self, Certified};

/// The service's name, which its certificate says too.
pub const SERVICE: &str = "authority";

/// Longest text of one request for a certificate; one with an RSA key of 4096 bits has 1,700 characters.
const LONGEST: usize = 8 * 1024;

/// Certificates, as they were asked for.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Certificates {
    /// For the inner links, with those between it and the root.
    pub own: String,
    /// For browsers, where it was asked for.
    pub https: Option<String>,
    /// The root, which everybody trusts.
    pub root: String,
    /// The newest lists of certificates taken back.
    pub lists: String,
}

/// Gets the first certificates of a service: the token proves that it was invited. There is no other way in without a
/// certificate.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct Join {
    /// The secret of the token.
    #[schemars(length(max = 100))]
    pub token: String,
    /// Which service it is.
    #[schemars(length(max = 64))]
    pub service: String,
    /// The signing request of the inner links' certificate.
    #[schemars(length(max = 8192))]
    pub own: String,
    /// The signing request of the certificate for browsers.
    #[schemars(length(max = 8192))]
    pub https: Option<String>,
}
impl Operation for Join {
    const ROUTE: Route = Route::post(SERVICE, peers::JOIN);
    type Policy = Open;
    type Reply = Certificates;

    fn check(&self, faults: &mut Faults) {
        if self.token.len() > 100 {
            faults.add("token", "is longer than any token");
        }
        if self.service.len() > 64 {
            faults.add("service", "is longer than any service's name");
        }
        check(&self.own, self.https.as_deref(), faults);
    }
}

/// Gets the next certificates of the service that the caller's certificate names, for new keys.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct Renew {
    /// As in [`Join`].
    #[schemars(length(max = 8192))]
    pub own: String,
    /// As in [`Join`].
    #[schemars(length(max = 8192))]
    pub https: Option<String>,
}
impl Operation for Renew {
    const ROUTE: Route = Route::post(SERVICE, peers::CERTIFICATES).accepts(&[Scheme::Certificate]);
    type Policy = In<Certified>;
    type Reply = Certificates;

    fn check(&self, faults: &mut Faults) {
        check(&self.own, self.https.as_deref(), faults);
    }
}

/// The newest lists of certificates taken back: asked again and again by every service.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct GetLists {}
impl Operation for GetLists {
    const ROUTE: Route = Route::get(SERVICE, peers::LISTS).accepts(&[Scheme::Certificate]);
    type Policy = In<Certified>;
    type Reply = Lists;
}

/// See [`GetLists`].
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Lists {
    /// One after another, in PEM.
    pub lists: String,
    /// The services that were sent away: a broker knows users by name, not by serial number.
    #[serde(default)]
    pub sent_away: Vec<String>,
}

fn check(own: &str, https: Option<&str>, faults: &mut Faults) {
    for (field, text) in [("own", Some(own)), ("https", https)] {
        if text.is_some_and(|text| text.len() > LONGEST) {
            faults.add(field, "is longer than any signing request");
        }
    }
}
