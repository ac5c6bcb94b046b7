//! Whether a password is hard to guess: long enough, and not made of words, patterns or the person's own data.
//!
//! No rules of composition: they make people write passwords that are easy to guess and hard to remember.

use aaa::Password;
use vocabulary::{Email, Login, PersonName};
use zxcvbn::{Score, zxcvbn};

use crate::error::Error;

/// Fewest characters.
const SHORTEST: usize = 12;

/// Fewest characters besides the person's own data: the estimate forgives a name too much.
const FEWEST_BESIDES: usize = 8;

/// What the person's own data is, so that it counts as easy to guess.
pub(crate) struct About<'a> {
    pub(crate) login: &'a Login,
    pub(crate) email: &'a Email,
    pub(crate) first_name: &'a PersonName,
    pub(crate) last_name: &'a PersonName,
}

/// Refuses a password that can be guessed, naming the `field` it came in.
pub(crate) fn check(field: &'static str, password: &Password, about: &About<'_>) -> Result<(), Error> {
    match weakness(password.expose(), about) {
        Some(words) => Err(Error::WeakPassword { field, words }),
        None => Ok(()),
    }
}

/// Why the password can be guessed, if it can.
pub(crate) fn weakness(password: &str, about: &About<'_>) -> Option<String> {
    let length = password.chars().count();
    if length < SHORTEST {
        return Some(format!(
            "is too short: {length} characters, at least {SHORTEST}. Several unusual words work well."
        ));
    }
    let (login, email) = (about.login.as_str(), about.email.as_str());
    let mut own = vec![login, email, about.first_name.as_str(), about.last_name.as_str(), "guichet"];
    own.extend(email.split(['@', '.', '+', '-', '_']));
    own.extend(login.split(['.', '_', '-']));
    let own_words = own.iter().map(|word| word.to_lowercase()).filter(|word| word.chars().count() >= 3);
    let besides = own_words.fold(password.to_lowercase(), |rest, word| rest.replace(&word, ""));
    if besides.chars().count() < FEWEST_BESIDES {
        return Some(
            "holds little more than your own name, login or address. Use words that others cannot know.".into(),
        );
    }
    let strength = zxcvbn(password, &own);
    if strength.score() >= Score::Three {
        return None;
    }
    let mut words = "can be guessed.".to_owned();
    if let Some(feedback) = strength.feedback() {
        let warning = feedback.warning().map(|warning| warning.to_string());
        for sentence in warning.into_iter().chain(feedback.suggestions().iter().map(ToString::to_string)) {
            words.push(' ');
            words.push_str(&sentence);
        }
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weak(password: &str) -> bool {
        let (login, email) = ("camille".parse().unwrap(), "camille.durand@example.org".parse().unwrap());
        let (first_name, last_name) = ("Camille".parse().unwrap(), "Durand".parse().unwrap());
        let about = About { login: &login, email: &email, first_name: &first_name, last_name: &last_name };
        weakness(password, &about).is_some()
    }

    #[test]
    fn short_common_patterned_and_personal_passwords_are_weak() {
        for password in
            ["Tr0ub4dor&3", "passwordpassword", "aaaaaaaaaaaaaaaa", "qwertyuiop123", "camilledurand", "Camille.Durand1"]
        {
            assert!(weak(password), "{password}");
        }
    }

    #[test]
    fn long_unusual_passwords_need_no_composition() {
        for password in ["velvet anchor tumbles south", "mfqzkxwhvbtjr", "vélo-orage-citron-latin"] {
            assert!(!weak(password), "{password}");
        }
    }
}
