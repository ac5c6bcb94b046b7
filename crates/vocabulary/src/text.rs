//! Short texts that people write, each with its limits.

use std::fmt;
use std::str::FromStr;

use schemars::json_schema;

/// Why a text is refused. The words complete "`field` …".
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TextError {
    /// Fewer characters than needed.
    #[error("is too short: at least {0} characters")]
    TooShort(usize),
    /// More characters than allowed.
    #[error("is too long: at most {0} characters")]
    TooLong(usize),
    /// Line breaks and other control characters, or characters that change the writing direction.
    #[error("holds a character that cannot be shown, such as a line break")]
    Unprintable,
    /// Not the form asked for.
    #[error("{0}")]
    Form(&'static str),
}

/// One line of `MIN` to `MAX` printable characters, without spaces around it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text<const MIN: usize, const MAX: usize>(String);

/// An account's name, chosen by its owner.
pub type Label = Text<1, 60>;
/// What a payment is for.
pub type Reference = Text<0, 140>;
/// Why an agent refused.
pub type Reason = Text<3, 500>;
/// A first or last name.
pub type PersonName = Text<1, 80>;

impl<const MIN: usize, const MAX: usize> Text<MIN, MAX> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MIN: usize, const MAX: usize> FromStr for Text<MIN, MAX> {
    type Err = TextError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        printable(text)?;
        match text.chars().count() {
            n if n < MIN => Err(TextError::TooShort(MIN)),
            n if n > MAX => Err(TextError::TooLong(MAX)),
            _ => Ok(Self(text.to_owned())),
        }
    }
}

/// Control characters would forge lines in logs; direction marks and characters that take no room would forge what an
/// agent reads: two names that look alike, a reason that is none.
fn printable(text: &str) -> Result<(), TextError> {
    let forges = |c: char| {
        c.is_control()
            || matches!(c,
                '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
                | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}'
                | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    };
    // Joiners shape Persian and Indic words and emoji; alone they show nothing.
    let shows = |c: char| !matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}') && !c.is_whitespace();
    if text.chars().any(forges) || (!text.is_empty() && !text.chars().any(shows)) {
        Err(TextError::Unprintable)
    } else {
        Ok(())
    }
}

impl<const MIN: usize, const MAX: usize> fmt::Display for Text<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const MIN: usize, const MAX: usize> fmt::Debug for Text<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

crate::written_as_text!(
    Text<const MIN: usize, const MAX: usize>,
    "Text",
    "a text",
    json_schema!({ "type": "string", "minLength": MIN, "maxLength": MAX })
);

/// The name one signs in with: 3 to 32 of `a-z 0-9 . _ -`, a letter first. Capitals are taken as small letters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Login(String);

impl Login {
    /// The login, in small letters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Login {
    type Err = TextError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let login = text.trim().to_ascii_lowercase();
        if login.len() < 3 {
            return Err(TextError::TooShort(3));
        }
        if login.len() > 32 {
            return Err(TextError::TooLong(32));
        }
        let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'.' | b'_' | b'-');
        if login.bytes().all(allowed) && login.starts_with(|c: char| c.is_ascii_lowercase()) {
            Ok(Self(login))
        } else {
            Err(TextError::Form("may hold letters a-z, digits, '.', '_' and '-', and begins with a letter"))
        }
    }
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

crate::written_as_text!(
    Login,
    "Login",
    "a login",
    json_schema!({ "type": "string", "minLength": 3, "maxLength": 32, "pattern": "^[A-Za-z][A-Za-z0-9._-]+$", "examples": ["claire"] })
);

/// An e-mail address, checked for shape only: one `@`, a domain with a point, at most 254 characters (RFC 5321). That
/// it is read by its owner only a mail can show.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(String);

impl Email {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Email {
    type Err = TextError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: TextError = TextError::Form("is not an e-mail address, such as name@example.org");
        let text = text.trim();
        printable(text)?;
        if text.len() > 254 {
            return Err(TextError::TooLong(254));
        }
        let (local, domain) = text.rsplit_once('@').ok_or(WRONG)?;
        let domain_fits = domain.contains('.')
            && domain.split('.').all(|part| {
                !part.is_empty() && part.len() <= 63 && part.chars().all(|c| c.is_alphanumeric() || c == '-')
            });
        let local_fits = !local.is_empty()
            && local.len() <= 64
            && !local.chars().any(|c| c.is_whitespace() || matches!(c, '@' | '"' | '<' | '>' | '(' | ')' | ',' | ';'));
        if domain_fits && local_fits { Ok(Self(text.to_owned())) } else { Err(WRONG) }
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Hides most of the address: logs are read by more people than should know it.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

crate::written_as_text!(
    Email,
    "Email",
    "an e-mail address",
    json_schema!({ "type": "string", "format": "email", "maxLength": 254 })
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_trimmed_measured_in_characters_and_cannot_forge_lines() {
        assert_eq!(" Épargne ".parse::<Label>().unwrap().as_str(), "Épargne");
        assert_eq!("é".repeat(61).parse::<Label>(), Err(TextError::TooLong(60)));
        assert_eq!("  ".parse::<Label>(), Err(TextError::TooShort(1)));
        assert_eq!("a\nb".parse::<Reference>(), Err(TextError::Unprintable));
        assert_eq!("pay \u{202e}evil".parse::<Reference>(), Err(TextError::Unprintable));
    }

    #[test]
    fn what_cannot_be_seen_is_no_text() {
        for hidden in [
            "\u{200b}\u{200b}\u{200b}",
            "\u{200d}\u{200d}\u{200d}",
            "\u{3164}",
            "Alice\u{200b}",
            "a\u{200f}b",
            "a\u{e0041}",
        ] {
            assert_eq!(hidden.parse::<PersonName>(), Err(TextError::Unprintable), "{hidden:?}");
        }
        for shown in ["می\u{200c}خواهم", "👩\u{200d}🌾", "❤\u{fe0f}", "Ana\u{301}"] {
            assert!(shown.parse::<PersonName>().is_ok(), "{shown}");
        }
    }

    #[test]
    fn a_login_is_one_name_whatever_the_capitals() {
        assert_eq!("Claire".parse::<Login>().unwrap(), "claire".parse().unwrap());
        for wrong in ["ab", "1abc", "a b c", "a:b:c", "é'--", &"a".repeat(33)] {
            assert!(wrong.parse::<Login>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_address_has_one_at_sign_and_a_domain() {
        assert!("zoé.o'neil+bank@exämple.co.uk".parse::<Email>().is_ok());
        for wrong in ["a", "a@b", "@b.c", "a@.c", "a@b..c", "a b@c.d", "a@b.c\r\nBcc: x@y.z", "<a@b.c>"] {
            assert!(wrong.parse::<Email>().is_err(), "{wrong}");
        }
    }
}
