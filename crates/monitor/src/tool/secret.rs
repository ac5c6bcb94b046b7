//! Secrets of the tool, and the mask over everything that it writes.
//!
//! Promises: no secret is in `Debug`; what went through [`Mask::over`] holds none of them, whoever brought it there.

use std::fmt;

use zeroize::Zeroizing;

/// Shorter ones are refused: they would be guessed, and a mask over them would hide half of every text.
pub(crate) const SHORTEST: usize = 4;
const HIDDEN: &str = "[hidden]";

/// Something that nobody is to read.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Of this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text, for whom it is meant.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Hides secrets in texts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mask(Vec<Secret>);

impl Mask {
    /// Hides this one too.
    pub(crate) fn add(&mut self, secret: Secret) {
        if secret.reveal().len() >= SHORTEST {
            self.0.push(secret);
            // A secret that is part of another is hidden after it.
            self.0.sort_by_key(|secret| std::cmp::Reverse(secret.reveal().len()));
        }
    }

    /// Hides an address that may have a password in it: the whole, and the password as it is written.
    pub(crate) fn add_address(&mut self, address: &str) {
        self.add(Secret::new(address));
        let user = address.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@'));
        if let Some((_, password)) = user.and_then(|(user, _)| user.split_once(':')) {
            self.add(Secret::new(password));
        }
    }

    /// The text without secrets, and without what would steer a terminal or break a line.
    pub(crate) fn over(&self, text: &str) -> String {
        let hidden = self.0.iter().fold(text.to_owned(), |text, it| text.replace(it.reveal(), HIDDEN));
        hidden.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    }

    /// Whether a secret is in it.
    pub(crate) fn holds(&self, text: &str) -> bool {
        self.0.iter().any(|secret| text.contains(secret.reveal()))
    }

    /// Whether a secret is in it, or it is a piece of one, in whatever case.
    pub(crate) fn shows(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let secrets = self.0.iter().map(|secret| Zeroizing::new(secret.reveal().to_lowercase()));
        secrets.into_iter().any(|secret| text.contains(secret.as_str()) || secret.contains(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_masked_holds_no_secret_and_steers_no_terminal() {
        let mut mask = Mask::default();
        for secret in ["river", "river-stone", "abc"] {
            mask.add(Secret::new(secret));
        }
        assert_eq!(mask.over("a river-stone\nin a river, abc"), "a [hidden] in a [hidden], abc");
        assert!(mask.shows("RIVERbed") && mask.shows("STONE") && !mask.shows("abc"));
        assert_eq!(format!("{mask:?}"), "Mask([Secret, Secret])");
    }
}
