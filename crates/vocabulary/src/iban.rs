//! Account numbers: the IBAN (ISO 13616) and the French RIB that stands inside it.

use std::fmt;
use std::str::FromStr;

use schemars::json_schema;

/// Why a text is not an account number. The words complete "`field` …".
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IbanError {
    /// Not the shape of any country's IBAN.
    #[error("is not an IBAN: check its length and country")]
    Shape,
    /// The two check digits do not match the rest (ISO 7064 mod 97-10): a digit is wrong or two are swapped.
    #[error("is not a valid IBAN: its check digits do not match, so a character is probably mistyped")]
    CheckDigits,
    /// The French key inside does not match the rest.
    #[error("is not a valid French IBAN: its RIB key does not match")]
    RibKey,
    /// Bank, branch or account is not of the RIB's fixed width.
    #[error("is not a RIB: 5 characters of bank, 5 of branch and 11 of account, digits and capitals")]
    RibShape,
}

/// A valid IBAN, without spaces. Shown in groups of four by [`Iban::grouped`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Iban(String);

impl Iban {
    /// Without spaces, as machines exchange it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// In groups of four, as paper shows it.
    pub fn grouped(&self) -> String {
        let mut out = String::with_capacity(self.0.len().saturating_add(8));
        for (position, c) in self.0.chars().enumerate() {
            if position > 0 && position.checked_rem(4) == Some(0) {
                out.push(' ');
            }
            out.push(c);
        }
        out
    }

    /// First and last four characters only, for lists and logs.
    pub fn masked(&self) -> String {
        let end = self.0.get(self.0.len().saturating_sub(4)..).unwrap_or("");
        format!("{} •••• {end}", self.0.get(..4).unwrap_or(""))
    }

    /// The French RIB inside; `None` for other countries.
    pub fn rib(&self) -> Option<Rib> {
        let bban = self.0.strip_prefix("FR")?.get(2..)?;
        Rib::new(bban.get(..5)?, bban.get(5..10)?, bban.get(10..21)?).ok()
    }
}

impl FromStr for Iban {
    type Err = IbanError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // No IBAN is longer than 34; spaces may double that.
        if text.len() > 80 {
            return Err(IbanError::Shape);
        }
        let compact: String =
            text.chars().filter(|c| !matches!(c, ' ' | '\u{a0}' | '\u{202f}')).collect::<String>().to_ascii_uppercase();
        let base = compact.parse::<iban::BaseIban>().map_err(|error| match error {
            iban::ParseBaseIbanError::InvalidChecksum => IbanError::CheckDigits,
            iban::ParseBaseIbanError::InvalidFormat => IbanError::Shape,
        })?;
        iban::Iban::try_from(base).map_err(|_| IbanError::Shape)?;
        let number = Self(compact);
        match (number.rib(), number.0.get(25..27)) {
            (Some(rib), Some(key)) if key != rib.key() => Err(IbanError::RibKey),
            _ => Ok(number),
        }
    }
}

impl fmt::Display for Iban {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Masked: logs are read by more people than should know it.
impl fmt::Debug for Iban {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

crate::written_as_text!(
    Iban,
    "Iban",
    "an IBAN",
    json_schema!({ "type": "string", "minLength": 15, "maxLength": 42, "description": "IBAN (ISO 13616); spaces are ignored",
        "examples": ["FR1420041010050500013M02606"] })
);

/// A French account number (relevé d'identité bancaire): bank, branch, account; the key follows from them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rib {
    bank: String,
    branch: String,
    account: String,
}

impl Rib {
    /// From a bank code (5), a branch code (5) and an account number (11), digits or capitals.
    pub fn new(bank: &str, branch: &str, account: &str) -> Result<Self, IbanError> {
        let fits = |part: &str, width: usize| {
            part.len() == width && part.bytes().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase())
        };
        if fits(bank, 5) && fits(branch, 5) && fits(account, 11) {
            Ok(Self { bank: bank.into(), branch: branch.into(), account: account.into() })
        } else {
            Err(IbanError::RibShape)
        }
    }

    /// Code banque.
    pub fn bank(&self) -> &str {
        &self.bank
    }

    /// Code guichet.
    pub fn branch(&self) -> &str {
        &self.branch
    }

    /// Numéro de compte.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Clé RIB: two digits, 97 − (89·bank + 15·branch + 3·account) mod 97, letters standing for digits.
    pub fn key(&self) -> String {
        let sum = [(&self.bank, 89_u64), (&self.branch, 15), (&self.account, 3)]
            .iter()
            .map(|(part, weight)| number(part).saturating_mul(*weight))
            .fold(0, u64::saturating_add);
        format!("{:02}", 97_u64.saturating_sub(sum.checked_rem(97).unwrap_or(0)))
    }

    /// The IBAN that carries this RIB.
    pub fn iban(&self) -> Iban {
        let bban = format!("{}{}{}{}", self.bank, self.branch, self.account, self.key());
        let remainder = mod97(&format!("{bban}FR00"));
        Iban(format!("FR{:02}{bban}", 98_u64.saturating_sub(remainder)))
    }
}

/// The RIB's letters: A-I are 1-9, J-R are 1-9, S-Z are 2-9.
fn number(part: &str) -> u64 {
    part.bytes().fold(0_u64, |sum, c| {
        let digit = match c {
            b'0'..=b'9' => c.saturating_sub(b'0'),
            b'A'..=b'I' => c.saturating_sub(b'A').saturating_add(1),
            b'J'..=b'R' => c.saturating_sub(b'J').saturating_add(1),
            _ => c.saturating_sub(b'S').saturating_add(2),
        };
        sum.saturating_mul(10).saturating_add(u64::from(digit))
    })
}

/// ISO 7064 over digits and capitals, where A is 10 and Z is 35.
fn mod97(text: &str) -> u64 {
    text.chars().filter_map(|c| c.to_digit(36)).fold(0_u64, |rest, value| {
        let factor = if value > 9 { 100 } else { 10 };
        rest.saturating_mul(factor).saturating_add(u64::from(value)).checked_rem(97).unwrap_or(0)
    })
}

/// A bank's own address: BIC of ISO 9362, 8 or 11 characters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bic(String);

impl FromStr for Bic {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let letters =
            |range: std::ops::Range<usize>| text.get(range).is_some_and(|s| s.bytes().all(|c| c.is_ascii_uppercase()));
        let rest_fits = text.get(6..).is_some_and(|s| s.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()));
        if matches!(text.len(), 8 | 11) && letters(0..6) && rest_fits {
            Ok(Self(text.to_owned()))
        } else {
            Err("is not a BIC: 8 or 11 capitals and digits, such as GUICFRPP")
        }
    }
}

impl fmt::Display for Bic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

crate::written_as_text!(
    Bic,
    "Bic",
    "a BIC",
    json_schema!({ "type": "string", "pattern": "^[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?$" })
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_published_example_holds() {
        // The example of the French standard: key 06, check digits 14.
        let rib = Rib::new("20041", "01005", "0500013M026").unwrap();
        assert_eq!(rib.key(), "06");
        assert_eq!(rib.iban().as_str(), "FR1420041010050500013M02606");
        assert_eq!("fr14 2004 1010 0505 0001 3M02 606".parse::<Iban>().unwrap().rib(), Some(rib));
    }

    #[test]
    fn other_countries_are_read_without_a_rib() {
        let iban: Iban = "GB82 WEST 1234 5698 7654 32".parse().unwrap();
        assert_eq!(iban.rib(), None);
        assert_eq!(iban.grouped(), "GB82 WEST 1234 5698 7654 32");
    }

    #[test]
    fn a_right_checksum_over_a_wrong_key_is_refused() {
        let bban = "20041010050500013M02607";
        let check = 98_u64.saturating_sub(mod97(&format!("{bban}FR00")));
        assert_eq!(format!("FR{check:02}{bban}").parse::<Iban>(), Err(IbanError::RibKey));
    }

    proptest! {
        #[expect(clippy::arithmetic_side_effects, reason = "a digit stays a digit modulo ten")]
        #[test]
        fn one_wrong_digit_is_always_seen(account in 0_u64..99_999_999_999, position in 4_usize..27, by in 1_u8..10) {
            let iban = Rib::new("17569", "00001", &format!("{account:011}")).unwrap().iban();
            prop_assert_eq!(iban.as_str().parse::<Iban>(), Ok(iban.clone()));
            let mut wrong = iban.as_str().as_bytes().to_vec();
            wrong[position] = b'0' + (wrong[position] - b'0' + by) % 10;
            prop_assert!(String::from_utf8(wrong).unwrap().parse::<Iban>().is_err());
        }
    }
}
