//! What each caller is shown of accounts, requests and history.

use aaa::Principal;
use contracts::bank::{
    Account, AccountState, Request, RequestKind, RequestLink, RequestState, RibDocument, Transaction,
};
use contracts::roles::Agent;
use ledger::Line;
use vocabulary::{AccountId, Money, Timestamp};

use crate::config::BankConfig;
use crate::error::Error;
use crate::store::{AccountSeen, RequestSeen};

/// An account, for its owner and agents.
pub(crate) fn account(seen: &AccountSeen) -> Account {
    let account = &seen.account;
    let zero = Money::new(0, account.currency);
    let (booked, held, available) =
        seen.balance.as_ref().map_or((zero, zero, zero), |it| (it.booked(), it.held(), it.available()));
    Account {
        id: account.id,
        label: account.label.clone(),
        currency: account.currency,
        state: account.state,
        iban: account.iban.clone(),
        owner: account.owner,
        holder: seen.holder.clone(),
        booked: booked.amount(),
        pending: held.amount(),
        available: available.amount(),
        created_at: account.created_at,
        request: Some(RequestLink { id: account.request }),
    }
}

/// A request, for its maker and agents.
pub(crate) fn request(seen: &RequestSeen, by: &Principal, now: Timestamp) -> Request {
    let (request, payee) = (&seen.request, seen.request.payee.as_ref());
    let agent = by.is_in::<Agent>();
    let told = agent || payee.is_some_and(|payee| payee.owner == by.id);
    Request {
        id: request.id,
        kind: request.kind,
        state: request.state,
        maker: request.maker,
        maker_name: seen.maker_name.clone(),
        checker: request.checker,
        checker_name: seen.checker_name.clone(),
        reason: request.reason.clone(),
        account: request.account,
        account_label: seen.account_label.clone(),
        from: (request.kind == RequestKind::Transfer).then_some(request.account),
        to: payee.map(|payee| payee.asked.clone()),
        to_iban: payee.map(|payee| payee.iban.clone()),
        to_name: seen.payee_name.clone().filter(|_| told),
        amount: request.money.map(Money::amount),
        currency: request.currency,
        reference: request.reference.clone(),
        created_at: request.created_at,
        decided_at: request.decided_at,
        expires_at: request.expires_at,
        digest: hex::encode(request.digest),
        decidable: agent
            && request.state == RequestState::Pending
            && request.waits(now)
            && request.is_decided_by_other_eyes(by.id),
    }
}

/// A line of an account's history: the movement, and the request that caused it.
pub(crate) fn transaction(account: AccountId, line: &Line, cause: &RequestSeen) -> Transaction {
    let request = &cause.request;
    let outgoing = request.account == account;
    let (counterparty, counterparty_iban) = match &request.payee {
        Some(payee) if outgoing => (cause.payee_name.clone(), Some(payee.iban.clone())),
        Some(_) => (Some(cause.owner_name.clone()), cause.account_iban.clone()),
        None => (None, None),
    };
    Transaction {
        id: line.transfer,
        at: line.at,
        kind: request.kind,
        amount: line.amount.amount(),
        currency: line.amount.currency(),
        balance_after: line.balance_after.amount(),
        counterparty,
        counterparty_iban,
        reference: request.reference.clone(),
        request: request.id,
    }
}

/// The RIB of an open account.
pub(crate) fn rib(account: &Account, bank: &BankConfig) -> Result<RibDocument, Error> {
    let iban = account.iban.clone().filter(|_| account.state == AccountState::Open);
    let iban = iban.ok_or(Error::AccountNotOpen(account.state))?;
    let rib = iban.rib().ok_or_else(|| Error::Broken("an IBAN of ours holds no RIB".to_owned()))?;
    Ok(RibDocument {
        holder: account.holder.clone(),
        bank_name: bank.name.clone(),
        bank: rib.bank().to_owned(),
        branch: rib.branch().to_owned(),
        account: rib.account().to_owned(),
        key: rib.key(),
        iban,
        bic: bank.bic.clone(),
        currency: account.currency,
    })
}
