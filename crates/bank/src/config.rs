//! Which bank this is: its name, its codes, its currencies. Set by the operator, the same for every process of a bank.

use contracts::bank::BankInfo;
use vocabulary::{Bic, Currency, Iban, IbanError, Rib};

/// Which bank this is.
#[derive(Clone, Debug)]
pub struct BankConfig {
    /// Its name, as documents show it.
    pub name: String,
    /// Code banque, 5 digits or capitals. Accounts opened under another code keep their numbers.
    pub bank_code: String,
    /// Code guichet, 5 digits or capitals.
    pub branch_code: String,
    /// Its BIC.
    pub bic: Bic,
    /// The currencies in which accounts can be opened; the first is the usual one.
    pub currencies: Vec<Currency>,
}

/// Why a configuration cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConfigError {
    /// The codes make no account number.
    #[error("the bank's codes are wrong: the bank code and the branch code are 5 digits or capitals each")]
    Codes(#[from] IbanError),
    /// Nothing to open accounts in.
    #[error("the bank has no currency: name at least one, such as EUR")]
    NoCurrency,
    /// The BIC is none.
    #[error("the bank's BIC {0}")]
    Bic(&'static str),
}

impl BankConfig {
    /// A bank to begin with: Banque du Guichet, in euros and five other currencies.
    pub fn example() -> Result<Self, ConfigError> {
        Ok(Self {
            name: "Banque du Guichet".to_owned(),
            bank_code: "17569".to_owned(),
            branch_code: "00001".to_owned(),
            bic: "GUICFRPP".parse().map_err(ConfigError::Bic)?,
            currencies: vec![Currency::EUR, Currency::USD, Currency::GBP, Currency::CHF, Currency::JPY, Currency::TND],
        })
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        self.rib("00000000000")?;
        if self.currencies.is_empty() { Err(ConfigError::NoCurrency) } else { Ok(()) }
    }

    /// The RIB of the account `number` (11 digits).
    pub(crate) fn rib(&self, number: &str) -> Result<Rib, IbanError> {
        Rib::new(&self.bank_code, &self.branch_code, number)
    }

    /// Whether an IBAN is of the shape that this bank gives.
    pub(crate) fn is_ours(&self, iban: &Iban) -> bool {
        iban.rib().is_some_and(|rib| rib.bank() == self.bank_code)
    }

    pub(crate) fn info(&self) -> BankInfo {
        BankInfo {
            name: self.name.clone(),
            bank: self.bank_code.clone(),
            branch: self.branch_code.clone(),
            bic: self.bic.clone(),
            currencies: self.currencies.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_a_bank_and_wrong_codes_are_not() {
        let example = BankConfig::example().unwrap();
        assert_eq!(example.check(), Ok(()));
        assert_eq!(BankConfig { bank_code: "123".into(), ..example.clone() }.check(), Err(IbanError::RibShape.into()));
        assert_eq!(BankConfig { currencies: vec![], ..example }.check(), Err(ConfigError::NoCurrency));
    }

    #[test]
    fn an_iban_is_ours_by_its_bank_code() {
        let bank = BankConfig::example().unwrap();
        assert!(bank.is_ours(&bank.rib("00000000042").unwrap().iban()));
        assert!(!bank.is_ours(&Rib::new("20041", "01005", "0500013M026").unwrap().iban()));
        assert!(!bank.is_ours(&"GB82WEST12345698765432".parse().unwrap()));
    }
}
