//! What an account is and when it can be used. Pure rules: no balance here, the ledger keeps them.

use contracts::bank::AccountState;
use vocabulary::{AccountId, Chance, Currency, Iban, Label, RequestId, Timestamp, UserId};

use crate::error::Error;

/// An account as the bank keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Account {
    pub(crate) id: AccountId,
    pub(crate) owner: UserId,
    pub(crate) label: Label,
    pub(crate) currency: Currency,
    pub(crate) state: AccountState,
    pub(crate) iban: Option<Iban>,
    pub(crate) request: RequestId,
    pub(crate) created_at: Timestamp,
}

impl Account {
    /// Money moves, names and numbers change on open accounts only.
    pub(crate) fn must_be_open(&self) -> Result<(), Error> {
        if self.state == AccountState::Open { Ok(()) } else { Err(Error::AccountNotOpen(self.state)) }
    }
}

/// As databases carry it.
pub(crate) const fn state_name(state: AccountState) -> &'static str {
    match state {
        AccountState::Pending => "pending",
        AccountState::Open => "open",
        AccountState::Closed => "closed",
        AccountState::Rejected => "rejected",
    }
}

pub(crate) fn state_from(name: &str) -> Option<AccountState> {
    [AccountState::Pending, AccountState::Open, AccountState::Closed, AccountState::Rejected]
        .into_iter()
        .find(|state| state_name(*state) == name)
}

/// An account number by chance, so that nobody finds payees by counting: 11 digits.
pub(crate) fn draw_number(chance: &Chance) -> String {
    format!("{:011}", chance.below(100_000_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_eleven_digits_whatever_chance_gives() {
        let chance = Chance::seeded(3);
        for _ in 0..1000 {
            let number = draw_number(&chance);
            assert!(number.len() == 11 && number.bytes().all(|c| c.is_ascii_digit()), "{number}");
        }
    }

    #[test]
    fn every_state_survives_being_stored() {
        for name in ["pending", "open", "closed", "rejected"] {
            assert_eq!(state_from(name).map(state_name), Some(name));
        }
        assert_eq!(state_from("Open"), None);
    }
}
