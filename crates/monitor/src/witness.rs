//! The witness of the journal's log: it remembers the last head that it saw, and cosigns the next only if the log goes on from
//! there.
//!
//! Promises: what it has cosigned once, no later head contradicts unseen; a log that shrank, forked or changed its key is
//! never cosigned again until somebody looks, and both heads are kept as evidence. Must not know what the entries say.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aaa::{Caller, Directory, Problem};
use chassis::Shutdown;
use contracts::peers::{Extension, GetExtension, TakeCosignature};
use tlog::{Hash, KeyError, KeyKind, Note, Refusal, SigningKey, VerifierKey, Witness};
use tokio::time::MissedTickBehavior;
use vocabulary::Clock;
use zeroize::Zeroizing;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(5);
/// What its key is called.
const NAME: &str = "guichet/witness";
/// Files in its folder: the log's key and its own, for whoever checks proofs; the head it remembers; and what proves a
/// rewritten history.
const LOG_KEY: &str = "journal.pub";
const OWN_KEY: &str = "witness.pub";
const REMEMBERED: &str = "witness.note";
const EVIDENCE: &str = "witness.evidence";

/// The key of a witness, from its secret.
pub fn witness_key(secret: Zeroizing<[u8; 32]>) -> Result<SigningKey, KeyError> {
    SigningKey::from_seed(NAME, KeyKind::Witness, secret)
}

/// Why a head was not cosigned.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsigned {
    /// The journal does not answer: it is asked again.
    #[error("the journal does not answer: {0}")]
    Silent(Problem),
    /// The log is not what it was.
    #[error("{0}")]
    Rewritten(String),
    #[error("the witness cannot remember: {path}: {source}", path = path.display())]
    File { path: PathBuf, source: io::Error },
}

/// A witness at work. Clones share what it thinks of the log.
#[derive(Clone)]
pub(crate) struct Watch(Arc<Inner>);

struct Inner {
    secret: Zeroizing<String>,
    public: String,
    folder: PathBuf,
    caller: Caller,
    clock: Clock,
    /// What is wrong with the log.
    alarm: Mutex<Option<String>>,
}

impl Watch {
    /// Over the journal that `directory` reaches; remembers in `folder`.
    pub(crate) fn new(key: &SigningKey, folder: &Path, directory: &Directory, clock: Clock) -> Self {
        let caller = directory.caller().within(PATIENCE);
        let (secret, public, folder) = (key.secret_text(), key.verifier().to_string(), folder.to_owned());
        Self(Arc::new(Inner { secret, public, folder, caller, clock, alarm: Mutex::default() }))
    }

    /// Whether the log goes on as it should, as far as it could be seen.
    pub(crate) fn is_calm(&self) -> bool {
        self.0.alarm.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Looks again and again, until `shutdown`. Calls `changed` when it thinks otherwise of the log than before.
    pub(crate) async fn keep(self, shutdown: Shutdown, changed: impl Fn() + Send) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        if let Err(error) = self.write(OWN_KEY, &format!("{}\n", self.0.public)) {
            tracing::warn!(%error, "whoever checks proofs does not find the witness's key");
        }
        loop {
            tokio::select! {
                () = shutdown.begun() => return,
                _ = ticks.tick() => {}
            }
            let thinks_otherwise = match self.look().await {
                Ok(()) => self.raise(None),
                Err(Unsigned::Rewritten(why)) => self.raise(Some(why)),
                Err(error) => {
                    tracing::debug!(%error, "the journal's log was not looked at");
                    false
                }
            };
            if thinks_otherwise {
                changed();
            }
        }
    }

    /// Whether that is new.
    fn raise(&self, why: Option<String>) -> bool {
        let mut alarm = self.0.alarm.lock().unwrap_or_else(PoisonError::into_inner);
        let new = *alarm != why;
        if new {
            if let Some(why) = &why {
                tracing::error!(why, "the journal's history is not what it was; nothing more is cosigned");
            } else {
                tracing::warn!("the journal's log goes on from what the witness remembers again");
            }
            *alarm = why;
        }
        new
    }

    /// Cosigns the newest head, if it is new and the log goes on.
    async fn look(&self) -> Result<(), Unsigned> {
        let last = self.read(REMEMBERED)?;
        let pinned = self.read(LOG_KEY)?;
        let from = match (&last, &pinned) {
            (Some(note), Some(key)) => self.witness(key)?.size(Some(note)).map_err(|error| self.refused(&error))?,
            _ => 0,
        };
        let Extension { checkpoint, path, key } =
            self.0.caller.call(GetExtension { from }).await.map_err(Unsigned::Silent)?;
        let pinned = if let Some(pinned) = pinned {
            pinned
        } else {
            // The first time there is nothing to hold it to.
            self.write(LOG_KEY, &format!("{key}\n"))?;
            key
        };
        let Some(checkpoint) = checkpoint else {
            return match from {
                0 => Ok(()),
                from => Err(Unsigned::Rewritten(format!("the log had {from} entries, and has none now"))),
            };
        };
        let path: Result<Vec<Hash>, _> = path.iter().map(|hash| hash.parse()).collect();
        let path = path.map_err(|error| Unsigned::Rewritten(format!("the proof that the log goes on: {error}")))?;
        let witness = self.witness(&pinned)?;
        let signed = witness.cosign(last.as_deref(), &checkpoint, &path, self.0.clock.now());
        let signed = signed.map_err(|error| self.refused(&error))?;
        let size = witness.size(Some(&checkpoint)).map_err(|error| self.refused(&error))?;
        let own = signed.signature.signer();
        let there = checkpoint.parse().is_ok_and(|note: Note| note.signatures().iter().any(|it| it.signer() == own));
        if size == from && there {
            return Ok(());
        }
        // Remembered before it is handed out: what it has signed once it never contradicts.
        self.write(REMEMBERED, &signed.note.to_string())?;
        let signature = signed.signature.to_string();
        self.0.caller.call(TakeCosignature { size, signature }).await.map_err(Unsigned::Silent)?;
        Ok(())
    }

    fn witness(&self, log: &str) -> Result<Witness, Unsigned> {
        let wrong =
            |error: &dyn std::fmt::Display| Unsigned::Rewritten(format!("the keys of log and witness: {error}"));
        let key: SigningKey = self.0.secret.parse().map_err(|error| wrong(&error))?;
        let log: VerifierKey = log.trim().parse().map_err(|error| wrong(&error))?;
        Witness::new(key, log).map_err(|error| wrong(&error))
    }

    fn refused(&self, refusal: &Refusal) -> Unsigned {
        if let Some(evidence) = refusal.evidence() {
            let text = format!("{}\n\n{}", evidence.before, evidence.now);
            if let Err(error) = self.write(EVIDENCE, &text) {
                return error;
            }
        }
        Unsigned::Rewritten(refusal.to_string())
    }

    fn read(&self, name: &str) -> Result<Option<String>, Unsigned> {
        let path = self.0.folder.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Unsigned::File { path, source }),
        }
    }

    /// Whole or not at all.
    fn write(&self, name: &str, text: &str) -> Result<(), Unsigned> {
        let path = self.0.folder.join(name);
        pki::files::write(&path, text, pki::files::Readers::Everyone)
            .map_err(|error| Unsigned::File { path, source: io::Error::other(error) })
    }
}
