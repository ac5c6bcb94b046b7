//! The keys that open what sources closed: files of the journal's, the same at all of its instances.
//!
//! `events-1.key`, `events-2.key`…: sources are told of the one with the highest number, and the former open what is still
//! on its way. An instance without the newest would not read what comes, so it does not start; the database says which that is.

use std::path::{Path, PathBuf};

use ::store::{Store, StoreError};
use bus::{KeyId, OpeningKey, OpeningKeys, SealError};

use crate::store::receiving;

const BEFORE: &str = "events-";
const AFTER: &str = ".key";
/// Most keys that are held at a time.
const MOST: usize = 20;

/// Why the keys for events cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventKeysError {
    /// A key cannot be read, written or made.
    #[error(transparent)]
    Key(#[from] SealError),
    /// The folder cannot be looked into.
    #[error("cannot look for the keys of events in {}: {why}", folder.display())]
    Folder {
        /// Where they should be.
        folder: PathBuf,
        /// What was answered.
        why: std::io::Error,
    },
    /// Sources seal with a key that another instance has.
    #[error(
        "events are sealed with the key {id}, which is not in {}: copy events-{number}.key from the instance of the journal that \
         made it",
        folder.display()
    )]
    Missing {
        /// The key.
        id: String,
        /// Its number.
        number: i64,
        /// Where it should be.
        folder: PathBuf,
    },
    /// Former keys were never taken away.
    #[error("{} holds more than {MOST} keys of events: take the oldest away, nothing sealed with them is on its way", folder.display())]
    Many {
        /// Where they are.
        folder: PathBuf,
    },
    /// The database cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where an instance of the journal has its keys for events.
#[derive(Clone, Debug)]
pub struct EventKeys {
    folder: PathBuf,
}

impl EventKeys {
    /// The keys in `folder`.
    pub fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Makes the next key. A journal that runs takes it up within seconds and tells the sources; what was sealed with a former
    /// key opens as long as its file is there.
    pub fn make_next(&self) -> Result<(PathBuf, KeyId), EventKeysError> {
        let next = self.numbers()?.last().copied().unwrap_or(0).saturating_add(1);
        let (key, path) = (OpeningKey::generate()?, self.path(next));
        key.keep(&path)?;
        Ok((path, key.sealing().id().clone()))
    }

    /// Which there are, oldest first.
    pub(crate) fn numbers(&self) -> Result<Vec<i64>, EventKeysError> {
        let trouble = |why| EventKeysError::Folder { folder: self.folder.clone(), why };
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(trouble)? {
            let name = entry.map_err(trouble)?.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(BEFORE)?.strip_suffix(AFTER)?.parse().ok());
            numbers.extend(number.filter(|number: &i64| *number > 0));
        }
        numbers.sort_unstable();
        if numbers.len() > MOST {
            return Err(EventKeysError::Many { folder: self.folder.clone() });
        }
        Ok(numbers)
    }

    /// Opens them, and tells the database which is the newest. Makes the first one where nobody made any.
    pub(crate) async fn open(&self, store: &Store) -> Result<(Vec<i64>, OpeningKeys), EventKeysError> {
        let told = receiving::newest_key(&mut store.read().await?).await?;
        let mut numbers = self.numbers()?;
        if numbers.is_empty() && told.is_none() {
            self.make_next()?;
            numbers = self.numbers()?;
        }
        let mut keys = Vec::with_capacity(numbers.len());
        for number in &numbers {
            keys.push(OpeningKey::open(&self.path(*number))?);
        }
        if let Some((id, number)) = told
            && !keys.iter().any(|key| key.sealing().id().as_str() == id)
        {
            return Err(EventKeysError::Missing { id, number, folder: self.folder.clone() });
        }
        let (Some(newest), Some(number)) = (keys.pop(), numbers.last()) else {
            return Err(SealError::Crypto("find the key of events that was there just now").into());
        };
        let mut tx = store.begin().await?;
        receiving::add_key(&mut tx, newest.sealing().id().as_str(), *number).await?;
        tx.commit().await?;
        Ok((numbers, OpeningKeys::new(newest, keys)))
    }

    fn path(&self, number: i64) -> PathBuf {
        self.folder.join(format!("{BEFORE}{number}{AFTER}"))
    }
}
