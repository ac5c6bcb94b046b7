//! What waits between two pages, for a few minutes and in this process alone: a sign-in whose second step is still to
//! come, and an authenticator app that is being set up.
//!
//! Promises: neither a password nor an app's secret is ever part of a form or a cookie, and what waits is bounded. Knows
//! no page.

use std::time::Duration;

use aaa::{Cache, Password};
use contracts::identity::TotpSetup;

use crate::session::Secret;

/// How long anything waits.
const PATIENCE: Duration = Duration::from_mins(5);
/// Most sign-ins that wait; of more, the least used ones begin again.
const MOST: u64 = 10_000;

/// A login and a password that were right, of somebody who has a second factor.
#[derive(Clone)]
pub(crate) struct HalfSignIn {
    pub(crate) login: String,
    pub(crate) password: Password,
    /// Where they wanted to go.
    pub(crate) next: String,
}

/// What waits. Clones share it.
#[derive(Clone)]
pub(crate) struct Halfway {
    sign_ins: Cache<Secret, HalfSignIn>,
    setups: Cache<Secret, TotpSetup>,
}

impl Halfway {
    pub(crate) fn new() -> Self {
        Self { sign_ins: Cache::new(MOST, PATIENCE), setups: Cache::new(MOST, PATIENCE) }
    }

    /// Keeps a sign-in under a name that only its browser knows.
    pub(crate) fn keep_sign_in(&self, name: Secret, sign_in: HalfSignIn) {
        self.sign_ins.put(name, sign_in);
    }

    /// The sign-in that waits under the name.
    pub(crate) fn sign_in(&self, name: Option<&Secret>) -> Option<HalfSignIn> {
        name.and_then(|name| self.sign_ins.get(name))
    }

    /// It went on, or was given up.
    pub(crate) fn forget_sign_in(&self, name: Option<&Secret>) {
        if let Some(name) = name {
            self.sign_ins.forget(name);
        }
    }

    /// Keeps what an authenticator app is given, for the session that asked.
    pub(crate) fn keep_setup(&self, session: &Secret, setup: TotpSetup) {
        self.setups.put(session.clone(), setup);
    }

    /// What the session's authenticator app is given.
    pub(crate) fn setup(&self, session: &Secret) -> Option<TotpSetup> {
        self.setups.get(session)
    }

    /// It works, or was given up.
    pub(crate) fn forget_setup(&self, session: &Secret) {
        self.setups.forget(session);
    }
}
