//! `guichet keys`: the keys that sign access tokens, from the command line.

use identity::SigningKey;
use vocabulary::{Chance, Clock};

use crate::cli::Place;
use crate::house::signing_key;
use crate::settings::Settings;
use crate::{Failure, data_dir, say};

pub(crate) fn rotate(place: &Place, revoke: bool) -> Result<(), Failure> {
    let settings = Settings::of_place(place)?;
    let _lock = data_dir::take(&settings.data_dir)?;
    let (clock, chance) = (Clock::system(), Chance::system());
    let wrong = |error: identity::SigningKeyError| Failure::Settings(error.to_string());
    let mut keys = SigningKey::open_or_create(&signing_key(&settings.data_dir), &clock, &chance).map_err(wrong)?;
    if revoke {
        keys.replace_all(clock.now(), &chance).map_err(wrong)?;
        return say(
            "From the next start on a new key signs, and no other of this instance is trusted: everybody signs in again.\n",
        );
    }
    let from = keys.rotate(clock.now(), &chance).map_err(wrong)?;
    say(&format!("The next key is published from the next start on and signs from {from} on.\n"))
}
