//! The book: balances and holds in memory, what commands did to them, and what is still to be written down.
//!
//! Promises: a command, or a list of commands, happens whole or leaves the book as it was; the outcome depends on the
//! book and the order of the commands alone. Must not know a database.

use std::collections::{HashMap, HashSet};

use vocabulary::{AccountId, Currency, HoldId, Money, Timestamp, TransferId};

use crate::rules::{Balance, Command, HeldFunds, HoldState, Refusal};

/// A working set: the balances and holds that some commands need. Loaded in a transaction, changed here, saved in the
/// same transaction.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Book {
    pub(crate) balances: HashMap<AccountId, Leaf<Balance>>,
    pub(crate) holds: HashMap<HoldId, Leaf<HeldFunds>>,
    pub(crate) transfers: Vec<Transfer>,
    pub(crate) entries: Vec<Entry>,
    posted: HashSet<TransferId>,
}

/// A row and how it stands against the database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Leaf<T> {
    pub(crate) now: T,
    pub(crate) ink: Ink,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ink {
    /// As the database has it.
    Dry,
    /// The database has an older one.
    Changed,
    /// The database has none.
    New,
}

impl Ink {
    const fn touched(self) -> Self {
        match self {
            Self::Dry | Self::Changed => Self::Changed,
            Self::New => Self::New,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Transfer {
    pub(crate) id: TransferId,
    pub(crate) kind: &'static str,
    pub(crate) at: Timestamp,
    pub(crate) debit: AccountId,
    pub(crate) credit: AccountId,
    pub(crate) amount: i64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) account: AccountId,
    pub(crate) seq: i64,
    pub(crate) transfer: TransferId,
    pub(crate) amount: i64,
    pub(crate) balance_after: i64,
    pub(crate) at: Timestamp,
}

/// What a command does once nothing refuses it.
#[derive(Default)]
struct Effect {
    balances: [Option<(AccountId, Balance)>; 2],
    hold: Option<(HoldId, HeldFunds)>,
    transfer: Option<Transfer>,
}

/// How to take an effect back.
enum Undo {
    Balance(AccountId, Leaf<Balance>),
    Hold(HoldId, Option<Leaf<HeldFunds>>),
}

impl Book {
    /// An empty book.
    pub fn new() -> Self {
        Self::default()
    }

    /// The balance of a loaded or opened account.
    pub fn balance(&self, account: AccountId) -> Option<&Balance> {
        self.balances.get(&account).map(|leaf| &leaf.now)
    }

    /// A loaded or new hold.
    pub fn hold(&self, hold: HoldId) -> Option<&HeldFunds> {
        self.holds.get(&hold).map(|leaf| &leaf.now)
    }

    /// A new balance of zero that never goes below `floor` (`None`: without limit, for the bank's own accounts). The
    /// floor is at most zero.
    pub fn open_account(&mut self, account: AccountId, currency: Currency, floor: Option<i64>) -> Result<(), Refusal> {
        if self.balances.contains_key(&account) {
            return Err(Refusal::AccountExists);
        }
        if floor.is_some_and(|floor| floor > 0) {
            return Err(Refusal::Insufficient { available: Money::new(0, currency) });
        }
        self.balances.insert(account, Leaf { now: Balance::zero(currency, floor), ink: Ink::New });
        Ok(())
    }

    /// Does one command, or refuses it and changes nothing.
    pub fn apply(&mut self, command: &Command) -> Result<(), Refusal> {
        let effect = self.effect(command)?;
        self.take(effect, &mut |_| {});
        Ok(())
    }

    /// Does all of these in order, or refuses for the first that cannot be and changes nothing.
    pub fn apply_all(&mut self, commands: &[Command]) -> Result<(), Refusal> {
        let (transfers, entries) = (self.transfers.len(), self.entries.len());
        let mut undo = Vec::with_capacity(commands.len());
        for command in commands {
            match self.effect(command) {
                Ok(effect) => self.take(effect, &mut |step| undo.push(step)),
                Err(refusal) => {
                    self.take_back(undo, transfers, entries);
                    return Err(refusal);
                }
            }
        }
        Ok(())
    }

    fn take_back(&mut self, undo: Vec<Undo>, transfers: usize, entries: usize) {
        for step in undo.into_iter().rev() {
            match step {
                Undo::Balance(account, leaf) => drop(self.balances.insert(account, leaf)),
                Undo::Hold(hold, Some(leaf)) => drop(self.holds.insert(hold, leaf)),
                Undo::Hold(hold, None) => drop(self.holds.remove(&hold)),
            }
        }
        for transfer in self.transfers.drain(transfers..) {
            self.posted.remove(&transfer.id);
        }
        self.entries.truncate(entries);
    }

    /// What the command would do: every rule is asked here, and nothing is changed yet.
    fn effect(&self, command: &Command) -> Result<Effect, Refusal> {
        match *command {
            Command::Hold { hold, account, amount } => {
                let balance = self.of(account, amount)?;
                if self.holds.contains_key(&hold) {
                    return Err(Refusal::HoldExists);
                }
                let amount = amount.minor();
                Ok(Effect {
                    balances: [Some((account, balance.hold(amount)?)), None],
                    hold: Some((hold, HeldFunds { account, amount, state: HoldState::Open })),
                    transfer: None,
                })
            }
            Command::Release { hold } => {
                let funds = self.open_hold(hold)?;
                let balance = self.balance(funds.account).ok_or(Refusal::UnknownAccount)?;
                Ok(Effect {
                    balances: [Some((funds.account, balance.release(funds.amount)?)), None],
                    hold: Some((hold, HeldFunds { state: HoldState::Released, ..funds })),
                    transfer: None,
                })
            }
            Command::Post { transfer, debit, credit, amount, hold, at, kind } => {
                let (from, to) = (self.of(debit, amount)?, self.of(credit, amount)?);
                if debit == credit {
                    return Err(Refusal::SameAccount);
                }
                if self.posted.contains(&transfer) {
                    return Err(Refusal::TransferExists);
                }
                let amount = amount.minor();
                let used = hold.map(|hold| self.usable_hold(hold, debit, amount)).transpose()?;
                let released = used.map_or(0, |(_, funds)| funds.amount);
                let debited = from.book(amount.checked_neg().ok_or(Refusal::Overflow)?, released)?;
                let credited = to.book(amount, 0)?;
                Ok(Effect {
                    balances: [Some((debit, debited)), Some((credit, credited))],
                    hold: used,
                    transfer: Some(Transfer { id: transfer, kind, at, debit, credit, amount }),
                })
            }
        }
    }

    /// The balance, if such an amount can be asked of it.
    fn of(&self, account: AccountId, amount: Money) -> Result<&Balance, Refusal> {
        let balance = self.balance(account).ok_or(Refusal::UnknownAccount)?;
        if amount.minor() <= 0 {
            return Err(Refusal::NotPositive);
        }
        if balance.currency() != amount.currency() {
            return Err(Refusal::CurrencyMismatch);
        }
        Ok(balance)
    }

    fn open_hold(&self, hold: HoldId) -> Result<HeldFunds, Refusal> {
        let funds = *self.hold(hold).ok_or(Refusal::UnknownHold)?;
        if funds.state == HoldState::Open { Ok(funds) } else { Err(Refusal::HoldResolved) }
    }

    fn usable_hold(&self, hold: HoldId, account: AccountId, amount: i64) -> Result<(HoldId, HeldFunds), Refusal> {
        let funds = self.open_hold(hold)?;
        if funds.account != account || funds.amount != amount {
            return Err(Refusal::HoldMismatch);
        }
        Ok((hold, HeldFunds { state: HoldState::Posted, ..funds }))
    }

    fn take(&mut self, effect: Effect, undo: &mut dyn FnMut(Undo)) {
        for (account, now) in effect.balances.into_iter().flatten() {
            if let Some(leaf) = self.balances.get_mut(&account) {
                undo(Undo::Balance(account, *leaf));
                *leaf = Leaf { now, ink: leaf.ink.touched() };
                if let Some(transfer) = &effect.transfer {
                    let amount =
                        if account == transfer.debit { transfer.amount.saturating_neg() } else { transfer.amount };
                    self.entries.push(Entry {
                        account,
                        seq: now.entries(),
                        transfer: transfer.id,
                        amount,
                        balance_after: now.booked().minor(),
                        at: transfer.at,
                    });
                }
            }
        }
        if let Some((hold, now)) = effect.hold {
            let before = self.holds.get(&hold).copied();
            undo(Undo::Hold(hold, before));
            let ink = before.map_or(Ink::New, |leaf| leaf.ink.touched());
            self.holds.insert(hold, Leaf { now, ink });
        }
        if let Some(transfer) = effect.transfer {
            self.posted.insert(transfer.id);
            self.transfers.push(transfer);
        }
    }
}

/// Does each command in order, refusing those that cannot be: one outcome per command.
pub fn decide(book: &mut Book, commands: &[Command]) -> Vec<Result<(), Refusal>> {
    commands.iter().map(|command| book.apply(command)).collect()
}
