//! The authority of a bank that stands apart on one machine, as its operator would keep it.
//!
//! Promises: services get their certificates by tokens and over the network, as on other machines; one whose certificate
//! ended while this machine slept is invited again, one that was sent away is not. The root's key lies in a folder of its
//! own, encrypted, to be taken away.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bus::nats::Connection;
use chassis::Shutdown;
use contracts::peers;
use pki::files::{self, Readers};
use pki::{Algorithm, Bounds, Folder, Identity, Member, Passphrase, Plan, PrivateKey, Said, Token};
use tokio::sync::Notify;
use vocabulary::{Chance, Clock};
use zeroize::Zeroizing;

use super::STOPPING;
use super::nats::{Nats, Reload};
use crate::links::{self, Invitation, Keeping, Links, Place};
use crate::postgres::{NAME, Postgres};
use crate::rooms::rounds;
use crate::settings::Settings;
use crate::up::names;
use crate::{Failure, broker, postgres};

/// Where a service's process finds a token when its certificate has ended.
pub(super) const TOKEN: &str = "join-token";
/// How long a token waits.
const WAITS: Duration = Duration::from_mins(10);
/// How often it is looked whose certificate has ended.
const LOOK: Duration = Duration::from_secs(10);
/// How often it is looked who was sent away, and whether the broker has its stream.
const RIGHTS: Duration = Duration::from_secs(2);

/// See the module.
#[derive(Clone)]
pub(super) struct Office {
    data_dir: PathBuf,
    /// Where the authority's process answers.
    url: String,
    /// Names that browsers use.
    public: Vec<String>,
    life: Duration,
    root_pem: String,
    fingerprint: String,
    new: bool,
    clock: Clock,
    chance: Chance,
}

impl Office {
    /// Takes up the authority, or makes one.
    pub(super) fn open(
        settings: &Settings,
        url: String,
        life: Option<Duration>,
        clock: &Clock,
        chance: &Chance,
    ) -> Result<Self, Failure> {
        let dir = pki_dir(&settings.data_dir);
        let new = !dir.join("root.pem").exists();
        let folder = if new { make(&settings.data_dir, clock, chance)? } else { Folder::open(&dir)? };
        let office = Self {
            url,
            public: names(settings, settings.listen.ip()),
            life: life.unwrap_or(Duration::from_secs(Member::new("").life_seconds)),
            root_pem: folder.root_pem()?,
            fingerprint: folder.authority(clock)?.fingerprint(),
            new,
            data_dir: settings.data_dir.clone(),
            clock: clock.clone(),
            chance: chance.clone(),
        };
        files::write(&office.ca(), &office.root_pem, Readers::Everyone)?;
        Ok(office)
    }

    /// What browsers have to trust.
    pub(super) fn ca(&self) -> PathBuf {
        self.data_dir.join("ca.pem")
    }

    pub(super) fn pki_dir(&self) -> PathBuf {
        pki_dir(&self.data_dir)
    }

    pub(super) fn root_pem(&self) -> &str {
        &self.root_pem
    }

    pub(super) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Whether it was made just now: nobody trusts it yet.
    pub(super) const fn is_new(&self) -> bool {
        self.new
    }

    /// Where the certificates of a member are.
    fn place(&self, name: &str) -> Place {
        Place { folder: self.data_dir.join(name).join("tls"), name: name.to_owned(), https: name == peers::WEB }
    }

    /// Sees to it that a member has certificates that are good.
    pub(super) async fn admit(&self, name: &str) -> Result<Place, Failure> {
        let place = self.place(name);
        if !links::are_good(&place, &self.root_pem, &self.clock) || self.is_taken_back(&place)? {
            let token = Invitation::Token(self.invite(name)?);
            links::obtained(&place, Some(&token), &self.clock, &self.chance).await?;
            // One that was put there before would be taken for a newer one.
            match std::fs::remove_file(self.token_of(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Failure::file("remove the former token", &self.token_of(name), &error));
                }
                _ => {}
            }
        }
        Ok(place)
    }

    /// Whether the certificate at `place` was revoked, by what the authority knows.
    fn is_taken_back(&self, place: &Place) -> Result<bool, Failure> {
        let folder = Folder::open(&self.pki_dir())?;
        let serial = Identity::open(&place.folder, &place.name)?.seen().map(|it| it.serial);
        Ok(folder.issued().iter().any(|one| Some(&one.serial) == serial.as_ref() && one.revoked.is_some()))
    }

    fn invite(&self, name: &str) -> Result<Token, Failure> {
        let mut folder = Folder::open(&self.pki_dir())?;
        self.refuse_dismissed(&folder, name)?;
        let said = Said {
            names: [NAME, broker::NAME].contains(&name).then(postgres::names),
            https: (name == peers::WEB).then(|| self.public.clone()),
            life: Some(self.life),
        };
        let member = folder.member(name, said);
        Ok(folder.invite(&member, &self.url, WAITS, &self.clock, &self.chance)?)
    }

    /// Whoever was sent away by hand is invited again by hand, or not at all.
    fn refuse_dismissed(&self, folder: &Folder, name: &str) -> Result<(), Failure> {
        let dismissed = folder.members().iter().find(|one| one.name == name).and_then(|one| one.dismissed);
        let Some(at) = dismissed else { return Ok(()) };
        Err(Failure::Refused(format!(
            "{name} was sent away on {at}, with `guichet pki revoke --service {name}`, and the bank does not work without it. To \
             have it back: guichet pki token --service {name} --dir {} --authority {} > {}",
            self.pki_dir().display(),
            self.url,
            self.token_of(name).display()
        )))
    }

    /// Puts a token where a service finds it whose certificate has ended: this machine slept, or the authority was away.
    pub(super) fn invite_who_is_late(&self, shutdown: &Shutdown) {
        let (office, told) = (self.clone(), Arc::new(Mutex::new(BTreeMap::new())));
        rounds(LOOK, shutdown, move || {
            let (office, told) = (office.clone(), Arc::clone(&told));
            async move {
                // Files, and the wait for the authority's folder.
                let _ = tokio::task::spawn_blocking(move || office.invite_all_who_are_late(&told)).await;
            }
        });
    }

    /// Says what went wrong once, not at every look: `told` is what was said of whom.
    fn invite_all_who_are_late(&self, told: &Mutex<BTreeMap<&'static str, String>>) {
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        for name in
            STOPPING.map(crate::cli::ServiceName::name).into_iter().chain([NAME, broker::NAME, broker::OPERATOR])
        {
            let Err(failure) = self.invite_if_late(name) else {
                told.remove(name);
                continue;
            };
            let why = failure.to_string();
            if told.get(name) != Some(&why) {
                tracing::error!(why, name, "a service whose certificate has ended is not invited again");
                told.insert(name, why);
            }
        }
    }

    fn invite_if_late(&self, name: &str) -> Result<(), Failure> {
        let place = self.place(name);
        let ended = Identity::open(&place.folder, name).is_ok_and(|it| it.until() < self.clock.now());
        if !ended {
            return Ok(());
        }
        let token = self.invite(name)?;
        Ok(files::write(&self.token_of(name), &token.expose(), Readers::Owner)?)
    }

    fn token_of(&self, name: &str) -> PathBuf {
        self.data_dir.join(name).join(TOKEN)
    }

    /// Keeps the certificate of the database's server fresh, and ends the sessions of those whose certificate was taken
    /// back.
    pub(super) fn keep_postgres(&self, server: &Postgres, place: &Place, shutdown: &Shutdown) -> Result<(), Failure> {
        let (_, changed) = self.keep(place, shutdown)?;
        let warden = Arc::new(server.warden(place)?);
        let work = move || {
            let warden = Arc::clone(&warden);
            async move { warden.take_up().await }
        };
        tokio::spawn(links::after_each_change(changed, shutdown.clone(), work));
        Ok(())
    }
}

impl Office {
    /// Keeps the certificates at `place` fresh; gives the links that they make, and what tells of each change.
    fn keep(&self, place: &Place, shutdown: &Shutdown) -> Result<(Links, Arc<Notify>), Failure> {
        let links = Links::open(place, &self.clock)?;
        let keeping = Keeping {
            place: place.clone(),
            authority: Some(vec![self.url.clone()]),
            invitation: Some(Invitation::File(self.token_of(&place.name))),
            clock: self.clock.clone(),
            chance: self.chance.clone(),
        };
        let changed = keeping.follow(&links, shutdown)?.changed;
        Ok((links, changed))
    }

    /// Those whom somebody sent away.
    pub(super) fn sent_away(&self) -> Result<Vec<String>, Failure> {
        Ok(broker::sent_away(&Folder::open(&self.pki_dir())?))
    }

    /// Keeps the broker's certificate fresh, and takes their user from those who are sent away.
    pub(super) fn keep_broker(&self, server: &Nats, place: &Place, shutdown: &Shutdown) -> Result<(), Failure> {
        let (_, changed) = self.keep(place, shutdown)?;
        let reload = server.reload(place);
        let work = {
            let reload = reload.clone();
            move || {
                let reload = reload.clone();
                async move { reload.certificates().await }
            }
        };
        tokio::spawn(links::after_each_change(changed, shutdown.clone(), work));
        let office = self.clone();
        rounds(RIGHTS, shutdown, move || {
            let (office, reload) = (office.clone(), reload.clone());
            async move {
                if let Err(failure) = office.take_rights(&reload).await {
                    tracing::error!(%failure, "the broker was not told who was sent away; it is told again");
                }
            }
        });
        Ok(())
    }

    async fn take_rights(&self, reload: &Reload) -> Result<(), Failure> {
        let office = self.clone();
        // Files, and the wait for the authority's folder.
        let gone = tokio::task::spawn_blocking(move || office.sent_away()).await.map_err(std::io::Error::other)??;
        reload.rights(&gone).await
    }

    /// The operator makes the stream, and again whenever the broker lost it.
    pub(super) async fn operate(&self, place: &Place, url: &str, shutdown: &Shutdown) -> Result<(), Failure> {
        let (links, _) = self.keep(place, shutdown)?;
        let operator = Connection::open(&[url.to_owned()], broker::OPERATOR, &links.inner).await?;
        broker::first_prepared(&operator).await?;
        rounds(RIGHTS, shutdown, move || {
            let operator = operator.clone();
            async move {
                if let Err(error) = broker::keep_prepared(&operator).await {
                    tracing::warn!(%error, "the broker's stream is not as it should be yet");
                }
            }
        });
        Ok(())
    }
}

fn pki_dir(data_dir: &Path) -> PathBuf {
    data_dir.join(contracts::authority::SERVICE).join("pki")
}

/// A root and an intermediate. The passphrase lies beside the root's key: whoever means it takes both away, to two places.
fn make(data_dir: &Path, clock: &Clock, chance: &Chance) -> Result<Folder, Failure> {
    let dir = data_dir.join("root");
    files::make_folder(&dir)?;
    let words = Zeroizing::new(format!("{:032x}", u128::from_be_bytes(chance.bytes())));
    files::write(&dir.join("passphrase"), &format!("{}\n", words.as_str()), Readers::Owner)?;
    let key = dir.join("root-key.pem");
    if key.exists() {
        // Cut off while it was made: nobody has trusted that root yet.
        std::fs::remove_file(&key).map_err(|error| Failure::file("remove the unfinished", &key, &error))?;
    }
    let plan = Plan {
        name: "Guichet",
        root_key: PrivateKey::generate(Algorithm::P256)?,
        intermediate_key: PrivateKey::generate(Algorithm::P256)?,
        passphrase: &Passphrase::new(words.to_string())?,
        root_key_file: Some(&key),
        bounds: &Bounds::new([])?,
    };
    let at = pki_dir(data_dir);
    if let Some(parent) = at.parent() {
        files::make_folder(parent)?;
    }
    Ok(Folder::init(&at, plan, clock, chance)?)
}
