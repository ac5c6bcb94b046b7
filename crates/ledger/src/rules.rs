//! The rules of one balance and the words for changing it. Pure: no I/O, no time, no database.
//!
//! Promises that a [`Balance`] which exists is sound: nothing held is negative, `booked − held` fits 64 bits and is not
//! below the floor.

use vocabulary::{AccountId, Currency, HoldId, Money, Timestamp, TransferId};

/// What an account holds. Amounts are in minor units of its currency.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Balance {
    currency: Currency,
    booked: i64,
    held: i64,
    floor: Option<i64>,
    entries: i64,
}

impl Balance {
    /// Zero, never to go below `floor`; `None` is for the bank's own accounts, which have no limit.
    pub(crate) const fn zero(currency: Currency, floor: Option<i64>) -> Self {
        Self { currency, booked: 0, held: 0, floor, entries: 0 }
    }

    /// As a database keeps it; `None` when it breaks a rule.
    pub(crate) fn from_parts(
        currency: Currency,
        booked: i64,
        held: i64,
        floor: Option<i64>,
        entries: i64,
    ) -> Option<Self> {
        Self { currency, booked, held, floor, entries }.sound()
    }

    /// The one currency of the account.
    pub const fn currency(&self) -> Currency {
        self.currency
    }

    /// The sum of all its entries.
    pub const fn booked(&self) -> Money {
        Money::new(self.booked, self.currency)
    }

    /// The sum of its open holds.
    pub const fn held(&self) -> Money {
        Money::new(self.held, self.currency)
    }

    /// Booked less held.
    pub const fn available(&self) -> Money {
        // Fits: a balance for which it does not is never made.
        Money::new(self.booked.saturating_sub(self.held), self.currency)
    }

    /// How low `available` may go; `None` when nothing limits it.
    pub fn floor(&self) -> Option<Money> {
        self.floor.map(|floor| Money::new(floor, self.currency))
    }

    /// What can still be held or debited; `None` when nothing limits it.
    pub fn spendable(&self) -> Option<Money> {
        self.floor.map(|floor| Money::new(self.available().minor().saturating_sub(floor), self.currency))
    }

    /// How many entries it has: the number of the last one.
    pub const fn entries(&self) -> i64 {
        self.entries
    }

    fn sound(self) -> Option<Self> {
        let available = self.booked.checked_sub(self.held)?;
        let above = self.floor.is_none_or(|floor| available >= floor);
        (above && self.held >= 0 && self.entries >= 0).then_some(self)
    }

    /// With `amount` more set aside.
    pub(crate) fn hold(self, amount: i64) -> Result<Self, Refusal> {
        let held = self.held.checked_add(amount).ok_or(Refusal::Overflow)?;
        self.limited(Self { held, ..self })
    }

    /// With `amount` no longer set aside.
    pub(crate) fn release(self, amount: i64) -> Result<Self, Refusal> {
        let held = self.held.checked_sub(amount).filter(|held| *held >= 0).ok_or(Refusal::HoldMismatch)?;
        Self { held, ..self }.sound().ok_or(Refusal::Overflow)
    }

    /// With one more entry of `amount`, negative for a debit, that `released` was set aside for.
    pub(crate) fn book(self, amount: i64, released: i64) -> Result<Self, Refusal> {
        let booked = self.booked.checked_add(amount).ok_or(Refusal::Overflow)?;
        let held = self.held.checked_sub(released).filter(|held| *held >= 0).ok_or(Refusal::HoldMismatch)?;
        let entries = self.entries.checked_add(1).ok_or(Refusal::Overflow)?;
        self.limited(Self { booked, held, entries, ..self })
    }

    fn limited(self, after: Self) -> Result<Self, Refusal> {
        let available = after.booked.checked_sub(after.held).ok_or(Refusal::Overflow)?;
        match after.floor {
            Some(floor) if available < floor => {
                Err(Refusal::Insufficient { available: self.spendable().unwrap_or_else(|| self.available()) })
            }
            _ => Ok(after),
        }
    }
}

/// What can be asked of a [`crate::Book`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Set funds aside.
    Hold {
        /// Made by the caller; a second hold under it is refused.
        hold: HoldId,
        /// Whose funds.
        account: AccountId,
        /// How much; more than zero.
        amount: Money,
    },
    /// Give held funds back.
    Release {
        /// Which, once.
        hold: HoldId,
    },
    /// Move money: one entry of `−amount`, one of `+amount`.
    Post {
        /// Made by the caller; a second transfer under it is refused.
        transfer: TransferId,
        /// From here.
        debit: AccountId,
        /// To here.
        credit: AccountId,
        /// How much; more than zero.
        amount: Money,
        /// The hold it uses up: of the debited account, of the same amount.
        hold: Option<HoldId>,
        /// When it is booked.
        at: Timestamp,
        /// What it is, in the owner's words: `deposit`, `transfer`…
        kind: &'static str,
    },
}

/// Why a command cannot happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// The account has no balance, or was not loaded.
    #[error("the account is not known")]
    UnknownAccount,
    /// The account has a balance already.
    #[error("the account exists already")]
    AccountExists,
    /// No such hold, or it was not loaded.
    #[error("no funds are held under this id")]
    UnknownHold,
    /// Funds were held under this id before.
    #[error("funds are held under this id already")]
    HoldExists,
    /// The hold was used up or given back before.
    #[error("the held funds were used or given back already")]
    HoldResolved,
    /// The hold is of another account or amount than what is posted.
    #[error("the held funds are of another account or amount")]
    HoldMismatch,
    /// A transfer was posted under this id before.
    #[error("this transfer was posted already")]
    TransferExists,
    /// Less is available than asked for.
    #[error("only {available} is available")]
    Insufficient {
        /// What could be had.
        available: Money,
    },
    /// The account holds another currency.
    #[error("the account holds another currency")]
    CurrencyMismatch,
    /// Zero or less.
    #[error("the amount must be more than zero")]
    NotPositive,
    /// From an account to itself.
    #[error("an account cannot pay itself")]
    SameAccount,
    /// More than 64 bits hold.
    #[error("the sum goes beyond what an account can hold")]
    Overflow,
}

/// Funds set aside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeldFunds {
    /// Whose.
    pub account: AccountId,
    /// How much, in minor units of the account's currency.
    pub amount: i64,
    /// Where they stand.
    pub state: HoldState,
}

/// Where held funds stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HoldState {
    /// Set aside.
    Open,
    /// Used up by a transfer.
    Posted,
    /// Given back.
    Released,
}

impl HoldState {
    /// As the database keeps it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Posted => "posted",
            Self::Released => "released",
        }
    }
}

impl std::str::FromStr for HoldState {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Open, Self::Posted, Self::Released]
            .into_iter()
            .find(|state| state.word() == text)
            .ok_or("is not the state of a hold")
    }
}
