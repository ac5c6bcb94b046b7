//! Who may do what at the broker, as the part of its configuration that changes: a user per certificate.
//!
//! NATS knows no revocation list: whoever is sent away loses their line here, and the broker is told to read it again
//! (SIGHUP), at which it ends their links. Nobody gets `$JS.>`: with it, one may empty streams.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use pki::PkiError;
use pki::files::{self, Readers};

use super::connection::inbox;
use super::wire::{CONFIRM, TOLD};
use super::{CONSUMER, STREAM};

/// Longest name of a service, and longest subject.
const LONGEST: usize = 64;

/// Why nobody can be given such rights.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RightsError {
    /// Not a name.
    #[error("`{0}` cannot be a user of the broker: a name has 1 to {LONGEST} small letters, digits and hyphens")]
    Name(String),
    /// Not a subject.
    #[error(
        "`{0}` is no subject that a source may be given: tokens of small letters, digits, `-` and `_` between dots, `*` for any token, `>` for the rest"
    )]
    Subject(String),
    /// Two roles in one.
    #[error("`{0}` is there already: each name has one part")]
    Twice(String),
}

/// Every user of the broker. Names are the common names of certificates.
#[derive(Clone, Debug)]
pub struct Rights {
    users: BTreeMap<String, User>,
}

#[derive(Clone, Default, Debug)]
struct User {
    publish: Vec<String>,
    subscribe: Vec<String>,
}

impl Rights {
    /// `keeper` reads everything that is told and confirms it, `operator` makes the stream.
    pub fn new(keeper: &str, operator: &str) -> Result<Self, RightsError> {
        let api = |what: &str| format!("$JS.API.{what}");
        let keeps = User {
            publish: vec![
                api(&format!("CONSUMER.INFO.{STREAM}.{CONSUMER}")),
                api(&format!("CONSUMER.MSG.NEXT.{STREAM}.{CONSUMER}")),
                format!("$JS.ACK.{STREAM}.{CONSUMER}.>"),
                format!("{CONFIRM}.*"),
            ],
            subscribe: vec![],
        };
        let operates = User {
            publish: vec![
                api(&format!("STREAM.INFO.{STREAM}")),
                api(&format!("STREAM.CREATE.{STREAM}")),
                api(&format!("STREAM.UPDATE.{STREAM}")),
                api(&format!("CONSUMER.INFO.{STREAM}.{CONSUMER}")),
                api(&format!("CONSUMER.CREATE.{STREAM}.{CONSUMER}")),
            ],
            subscribe: vec![],
        };
        Self { users: BTreeMap::new() }.with(keeper, keeps)?.with(operator, operates)
    }

    /// `name` tells about `subjects`, as itself only, and hears what is confirmed to it. The keeper may be a source too.
    pub fn source(mut self, name: &str, subjects: &[&str]) -> Result<Self, RightsError> {
        if let Some(wrong) = subjects.iter().find(|subject| !is_subject(subject)) {
            return Err(RightsError::Subject((*wrong).to_owned()));
        }
        let told: Vec<String> = subjects.iter().map(|subject| format!("{TOLD}.{name}.{subject}")).collect();
        let confirmed = format!("{CONFIRM}.{name}");
        if let Some(keeper) =
            self.users.get_mut(name).filter(|user| user.publish.iter().any(|it| it.starts_with("$JS.ACK")))
        {
            keeper.publish.extend(told);
            keeper.subscribe.push(confirmed);
            return Ok(self);
        }
        self.with(name, User { publish: told, subscribe: vec![confirmed] })
    }

    /// `name` may do nothing any more.
    pub fn without(mut self, name: &str) -> Self {
        self.users.remove(name);
        self
    }

    fn with(mut self, name: &str, mut user: User) -> Result<Self, RightsError> {
        let right = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name.len() > LONGEST || !name.chars().all(right) {
            return Err(RightsError::Name(name.chars().take(LONGEST).collect()));
        }
        user.subscribe.insert(0, format!("{}.>", inbox(name)));
        match self.users.insert(name.to_owned(), user) {
            None => Ok(self),
            Some(_) => Err(RightsError::Twice(name.to_owned())),
        }
    }

    /// As the broker reads it: the file that `nats-server.conf` includes.
    pub fn conf(&self) -> String {
        let mut conf = String::from(
            "# Who may do what, by the common name of their certificate. After a change: `systemctl reload nats-server`.\n\
             authorization {\n  users: [\n",
        );
        for (name, user) in &self.users {
            // Writing to a string cannot fail.
            let _ = write!(
                conf,
                "    {{ user: \"CN={name}\", permissions: {{\n      publish: {{ allow: {} }}\n      subscribe: {{ allow: {} }}\n    }} }}\n",
                list(&user.publish),
                list(&user.subscribe)
            );
        }
        conf.push_str("  ]\n}\n");
        conf
    }

    /// Puts it in the place of the file at `path`, whole. The broker goes on as before until it gets a SIGHUP.
    pub fn write(&self, path: &Path) -> Result<(), PkiError> {
        files::write(path, &self.conf(), Readers::Everyone)
    }
}

fn list(subjects: &[String]) -> String {
    format!("[{}]", subjects.iter().map(|subject| format!("\"{subject}\"")).collect::<Vec<_>>().join(", "))
}

fn is_subject(subject: &str) -> bool {
    let token = |text: &str| {
        text == "*"
            || !text.is_empty()
                && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_')
    };
    let (all_but_last, last) = subject.rsplit_once('.').unwrap_or(("", subject));
    subject.len() <= LONGEST
        && (last == ">" || token(last))
        && (all_but_last.is_empty() && !subject.starts_with('.') || all_but_last.split('.').all(token))
}
