//! The tests that follow from the declarations alone: operation × method × role × broken credential.

use std::fmt::Write as _;

use http::{Method, StatusCode, header};

use super::{Answer, Credential, Tester};
use crate::matrix::Entry;
use crate::policy::Who;

/// Credentials that prove nothing, by what is wrong with them. Each operation guesses another login: one that is guessed
/// at again and again is slowed down.
fn broken(operation: &str) -> Vec<(&'static str, Credential)> {
    let bearer = |token: &str| Credential::Bearer(token.to_owned());
    let unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJhZG1pbiIsImV4cCI6NDEwMjQ0NDgwMH0.";
    vec![
        ("an empty token", bearer("")),
        ("no token at all", bearer("not-a-token")),
        ("three dots", bearer("a.b.c.d")),
        ("unsigned", bearer(unsigned)),
        ("endless", bearer(&"x".repeat(6000))),
        ("a readable token of nobody's", bearer("realm:admin:20991231235959:00000000000000000000000000000000")),
        ("an unknown login", Credential::basic(&format!("nobody-{operation}"), "nor-this-password")),
        ("an empty password", Credential::basic("admin", "")),
        ("a malformed password header", Credential::Prefix("Basic".into(), "%%%".into())),
        ("a scheme nobody knows", Credential::Prefix("Magic".into(), "word".into())),
    ]
}

/// Names nothing, whatever a path asks for.
const NOTHING: [&str; 2] = ["01900000-0000-7000-8000-000000000000", "987654321"];

impl Tester {
    /// Sends every operation of `entries` with every broken credential, as everybody in `people` (whom the tester knows,
    /// each with their groups), and with the methods that were not declared. Gives what was not as declared, in words.
    ///
    /// It never sends a body: what is granted fails on its missing fields, or has none. Operations that would do harm to
    /// the test's own people without any field are to be left out of `entries`.
    pub async fn systematic(&self, entries: &[Entry], people: &[(&str, &[&str])]) -> Vec<String> {
        let mut wrong = Vec::new();
        for entry in entries {
            self.unproved(entry, &mut wrong).await;
            for (name, groups) in people {
                self.proved(entry, name, groups, &mut wrong).await;
            }
            self.undeclared(entry, entries, &mut wrong).await;
        }
        wrong
    }

    async fn unproved(&self, entry: &Entry, wrong: &mut Vec<String>) {
        let nobody = ("no credential", Credential::None);
        for (what, credential) in std::iter::once(nobody).chain(broken(entry.operation)) {
            let answer = self.with(credential.clone()).ask(entry.route.method(), path(entry)).send().await;
            let challenged = answer.headers.contains_key(header::WWW_AUTHENTICATE);
            let fits = match entry.demands.who {
                Who::Nobody => answer.status == StatusCode::FORBIDDEN,
                Who::Open => answer.status != StatusCode::FORBIDDEN && !answer.status.is_server_error(),
                _ => answer.status == StatusCode::UNAUTHORIZED && (challenged || !entry.can_be_challenged()),
            };
            if !fits {
                wrong.push(told(entry, &format!("with {what}"), &answer));
            }
        }
    }

    async fn proved(&self, entry: &Entry, name: &str, groups: &[&str], wrong: &mut Vec<String>) {
        if !entry.route.accepts.is_empty() {
            return;
        }
        let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
        let answer = self.person(name).ask(entry.route.method(), path(entry)).send().await;
        let fits = if entry.demands.who.admits(&groups) {
            // What is asked for may be missing, malformed or somebody else's: but who it is was accepted.
            let stepped = answer.json()["type"] == "urn:problem:step-up-required";
            (answer.status != StatusCode::UNAUTHORIZED || stepped || entry.demands.who == Who::Open)
                && !answer.status.is_server_error()
        } else {
            answer.status == StatusCode::FORBIDDEN
        };
        if !fits {
            wrong.push(told(entry, &format!("as {name}"), &answer));
        }
    }

    async fn undeclared(&self, entry: &Entry, entries: &[Entry], wrong: &mut Vec<String>) {
        let declared = |method: &Method| {
            entries.iter().any(|other| other.path() == entry.path() && other.route.method() == *method)
        };
        let others =
            [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS, Method::TRACE];
        for method in others.into_iter().filter(|method| !declared(method)) {
            let answer = self.anyone().ask(method.clone(), path(entry)).send().await;
            if answer.status != StatusCode::METHOD_NOT_ALLOWED {
                wrong.push(told(entry, &format!("with the method {method}"), &answer));
            }
        }
    }
}

impl Entry {
    /// Whether HTTP has a name for how to sign in here.
    fn can_be_challenged(&self) -> bool {
        use crate::credentials::Scheme;
        let named = |scheme: &Scheme| !matches!(scheme, Scheme::Header | Scheme::Cookie | Scheme::Parameters);
        self.route.accepts.is_empty() || self.route.accepts.iter().any(named)
    }
}

/// A path of the entry that names nothing.
fn path(entry: &Entry) -> String {
    let mut path = String::new();
    for part in entry.path().split('/').skip(1) {
        let [uuid, number] = NOTHING;
        let part = if part.starts_with('{') { if part == "{id}" { uuid } else { number } } else { part };
        let _ = write!(path, "/{part}");
    }
    path
}

fn told(entry: &Entry, how: &str, answer: &Answer) -> String {
    let Answer { status, .. } = answer;
    format!("{} {} ({}) {how}: {status} {}", entry.route.method(), entry.path(), entry.demands, answer.text())
}
