//! Whether a password is hard to guess: long enough, and not made of words, patterns or the person's own data.
//!
//! No rules of composition: they make people write passwords that are easy to guess and hard to remember. The estimate
//! knows some 30 000 passwords that are used most, besides words and names; an operator may refuse others.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use aaa::Password;
use vocabulary::{Email, Login, PersonName};
use zxcvbn::{Score, zxcvbn};

use crate::error::Error;

/// Fewest characters.
const SHORTEST: usize = 12;

/// Fewest characters besides the person's own data: the estimate forgives a name too much.
const FEWEST_BESIDES: usize = 8;

/// Passwords that an operator refuses besides, such as those that were found in a breach.
#[derive(Clone, Default)]
pub struct RefusedPasswords(Arc<HashSet<String>>);

/// Largest list, in bytes.
const LARGEST_LIST: u64 = 16 << 20;

impl RefusedPasswords {
    /// One per line, whatever the capitals, 16 MiB at most. No file: no such passwords.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        let mut text = String::new();
        if file.take(LARGEST_LIST + 1).read_to_string(&mut text)? as u64 > LARGEST_LIST {
            return Err(io::Error::other("it is larger than 16 MiB"));
        }
        let lines = text.lines().map(|line| line.trim().to_lowercase()).filter(|line| !line.is_empty());
        Ok(Self(Arc::new(lines.collect())))
    }
}

/// What the person's own data is, so that it counts as easy to guess.
pub(crate) struct About<'a> {
    pub(crate) login: &'a Login,
    pub(crate) email: &'a Email,
    pub(crate) first_name: &'a PersonName,
    pub(crate) last_name: &'a PersonName,
    /// What the operator refuses besides.
    pub(crate) refused: &'a RefusedPasswords,
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
    if about.refused.0.contains(&password.to_lowercase()) {
        return Some("is on the list of passwords that this bank refuses. Several unusual words work well.".into());
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
        weak_besides(password, &RefusedPasswords::default())
    }

    fn weak_besides(password: &str, refused: &RefusedPasswords) -> bool {
        let (login, email) = ("camille".parse().unwrap(), "camille.durand@example.org".parse().unwrap());
        let (first_name, last_name) = ("Camille".parse().unwrap(), "Durand".parse().unwrap());
        let about = About { login: &login, email: &email, first_name: &first_name, last_name: &last_name, refused };
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
    fn the_passwords_that_are_used_most_are_weak_even_when_they_are_long() {
        for password in [
            "password1234",
            "123456789012",
            "qwertyuiop12",
            "iloveyou1234",
            "unbelievable",
            "1q2w3e4r5t6y",
            "manchesterunited",
            "q1w2e3r4t5y6",
            "passwordpassword1",
            "letmeinletmein",
        ] {
            assert!(weak(password), "{password}");
        }
    }

    #[test]
    fn an_operator_refuses_further_passwords_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("refused-passwords.txt");
        let none = RefusedPasswords::open(&path).unwrap();
        assert!(!weak_besides("velvet anchor tumbles south", &none));
        std::fs::write(&path, "\nVelvet Anchor tumbles south\r\nanother\n").unwrap();
        let listed = RefusedPasswords::open(&path).unwrap();
        assert!(weak_besides("velvet anchor tumbles South", &listed));
        assert!(!weak_besides("velvet anchor tumbles north", &listed));
    }

    #[test]
    fn long_unusual_passwords_need_no_composition() {
        for password in ["velvet anchor tumbles south", "mfqzkxwhvbtjr", "vélo-orage-citron-latin"] {
            assert!(!weak(password), "{password}");
        }
    }
}
