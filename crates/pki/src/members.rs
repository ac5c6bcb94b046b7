//! The register: which services get certificates over the network, and what those say.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use vocabulary::Timestamp;

use crate::authority::{DAY, check_names, subject};
use crate::{Folder, PkiError, Request, Usage};

/// Shortest and longest life of a member's certificate.
const LIVES: (Duration, Duration) = (Duration::from_secs(20), DAY.saturating_mul(90));

/// A service that gets its certificates over the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its name: the common name of its certificate, and one at which it is called.
    pub name: String,
    /// Further DNS names and addresses in its certificate.
    #[serde(default)]
    pub names: Vec<String>,
    /// The names of a second certificate, for browsers; none, no such certificate.
    #[serde(default)]
    pub https: Vec<String>,
    /// How long its certificates live, in seconds.
    pub life_seconds: u64,
    /// When it was sent away: from then on it gets nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dismissed: Option<Timestamp>,
}

impl Member {
    /// A service whose certificates live a day, under its own name alone.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), names: Vec::new(), https: Vec::new(), life_seconds: DAY.as_secs(), dismissed: None }
    }

    pub(crate) fn check(&self) -> Result<(), PkiError> {
        subject(&self.name)?;
        check_names(&self.own().names)?;
        check_names(&self.https)?;
        let life = Duration::from_secs(self.life_seconds);
        if life < LIVES.0 || life > LIVES.1 {
            return Err(PkiError::Refused("a service's certificate lives 20 seconds to 90 days".into()));
        }
        Ok(())
    }

    /// What its certificate for the inner links says.
    pub(crate) fn own(&self) -> Request {
        let names = std::iter::once(&self.name).chain(&self.names).cloned().collect();
        let life = Duration::from_secs(self.life_seconds);
        Request { names, common_name: self.name.clone(), usage: Usage::Both, life }
    }

    /// What its certificate for browsers says. It lives no longer: both are renewed together, and what was replaced long
    /// ago need not be remembered.
    pub(crate) fn browsers(&self) -> Request {
        Request { life: Duration::from_secs(self.life_seconds), ..Request::https(self.https.clone()) }
    }
}

/// What is said of a service that is invited; of what is not said, nothing changes.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// See [`Member::names`].
    pub names: Option<Vec<String>>,
    /// See [`Member::https`].
    pub https: Option<Vec<String>>,
    /// See [`Member::life_seconds`].
    pub life: Option<Duration>,
}

impl Folder {
    /// The members, those who were sent away among them.
    pub fn members(&self) -> &[Member] {
        &self.index.members
    }

    /// The member of this name: as it is said, and for the rest as it is registered, because a second instance of a service
    /// is invited in a few words. Who is new, or was sent away, begins from nothing.
    pub fn member(&self, name: &str, said: Said) -> Member {
        let known = self.index.members.iter().find(|one| one.name == name && one.dismissed.is_none());
        let known = known.cloned().unwrap_or_else(|| Member::new(name));
        Member {
            names: said.names.unwrap_or(known.names),
            https: said.https.unwrap_or(known.https),
            life_seconds: said.life.map_or(known.life_seconds, |life| life.as_secs()),
            name: known.name,
            dismissed: None,
        }
    }
}
