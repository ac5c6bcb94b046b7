//! What a request is, who may decide it, and what exactly was asked. Pure rules.

use std::time::Duration;

use contracts::bank::{Payee, RequestKind, RequestState};
use serde::Serialize;
use sha2::{Digest, Sha256};
use vocabulary::{
    AccountId, Currency, HoldId, Iban, Label, Money, Reference, RequestId, Timestamp, TransferId, UserId,
};

use crate::error::Error;

/// How long a request waits for an agent.
pub(crate) const LIFETIME: Duration = Duration::from_hours(30 * 24);

/// A request as the bank keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Request {
    pub(crate) id: RequestId,
    pub(crate) kind: RequestKind,
    pub(crate) state: RequestState,
    pub(crate) maker: UserId,
    pub(crate) checker: Option<UserId>,
    pub(crate) account: AccountId,
    pub(crate) account_owner: UserId,
    pub(crate) payee: Option<PayeeSide>,
    pub(crate) money: Option<Money>,
    pub(crate) currency: Currency,
    pub(crate) reference: Reference,
    pub(crate) reason: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) decided_at: Option<Timestamp>,
    pub(crate) expires_at: Timestamp,
    pub(crate) digest: [u8; 32],
}

/// Who a transfer credits. The account is settled when it is asked for, whatever becomes of the IBAN.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct PayeeSide {
    pub(crate) account: AccountId,
    pub(crate) owner: UserId,
    pub(crate) asked: Payee,
    pub(crate) iban: Iban,
}

/// The exact content, in the order in which it is digested. Another order is another digest: never change it.
#[derive(Serialize)]
struct Content<'a> {
    version: u8,
    id: RequestId,
    kind: RequestKind,
    maker: UserId,
    account: AccountId,
    account_owner: UserId,
    /// Of an account to open: its name is part of what is asked.
    label: Option<&'a Label>,
    payee: Option<AccountId>,
    payee_owner: Option<UserId>,
    payee_asked: Option<&'a Payee>,
    payee_iban: Option<&'a Iban>,
    amount: Option<i64>,
    currency: Currency,
    reference: &'a Reference,
    created_at: i64,
    expires_at: i64,
}

impl Request {
    /// SHA-256 over the exact content; `label` is the account's name.
    pub(crate) fn content_digest(&self, label: &Label) -> Result<[u8; 32], Error> {
        let payee = self.payee.as_ref();
        let content = Content {
            version: 1,
            id: self.id,
            kind: self.kind,
            maker: self.maker,
            account: self.account,
            account_owner: self.account_owner,
            label: (self.kind == RequestKind::OpenAccount).then_some(label),
            payee: payee.map(|payee| payee.account),
            payee_owner: payee.map(|payee| payee.owner),
            payee_asked: payee.map(|payee| &payee.asked),
            payee_iban: payee.map(|payee| &payee.iban),
            amount: self.money.map(Money::minor),
            currency: self.currency,
            reference: &self.reference,
            created_at: self.created_at.micros(),
            expires_at: self.expires_at.micros(),
        };
        let bytes = serde_json::to_vec(&content).map_err(|error| Error::Broken(error.to_string()))?;
        Ok(Sha256::digest(bytes).into())
    }

    /// Four eyes: neither the maker nor anyone whose account is concerned.
    pub(crate) fn is_decided_by_other_eyes(&self, by: UserId) -> bool {
        self.parties().all(|party| party != by)
    }

    /// Who made it, and whose accounts are concerned.
    pub(crate) fn parties(&self) -> impl Iterator<Item = UserId> {
        [self.maker, self.account_owner].into_iter().chain(self.payee.as_ref().map(|payee| payee.owner))
    }

    /// Whether it still waits, at `now`, for an agent.
    pub(crate) fn waits(&self, now: Timestamp) -> bool {
        self.state == RequestState::Pending && now < self.expires_at
    }

    /// An agent's decision is admitted: by other eyes, on what still waits.
    pub(crate) fn must_be_decidable(&self, by: UserId, now: Timestamp) -> Result<(), Error> {
        if !self.is_decided_by_other_eyes(by) {
            return Err(Error::OwnRequest);
        }
        self.must_be_pending()?;
        if self.waits(now) { Ok(()) } else { Err(Error::Expired) }
    }

    /// It is not decided, cancelled or expired.
    pub(crate) fn must_be_pending(&self) -> Result<(), Error> {
        if self.state == RequestState::Pending { Ok(()) } else { Err(Error::AlreadyDecided(self.state)) }
    }

    /// Ends it.
    pub(crate) fn end(&mut self, state: RequestState, checker: Option<UserId>, reason: Option<String>, at: Timestamp) {
        self.state = state;
        self.checker = checker;
        self.reason = reason;
        self.decided_at = Some(at);
    }

    /// The funds it sets aside while it waits: those of a withdrawal or a transfer, under the request's own id.
    pub(crate) fn hold(&self) -> Option<HoldId> {
        holds_funds(self.kind).then_some(HoldId(self.id.0))
    }

    /// The movement it causes, under its own id: a request can be posted once only.
    pub(crate) fn transfer(&self) -> TransferId {
        TransferId(self.id.0)
    }
}

/// Whether requests of this kind set funds aside.
pub(crate) const fn holds_funds(kind: RequestKind) -> bool {
    matches!(kind, RequestKind::Withdrawal | RequestKind::Transfer)
}

const KINDS: [RequestKind; 6] = [
    RequestKind::OpenAccount,
    RequestKind::CloseAccount,
    RequestKind::RenewIban,
    RequestKind::Deposit,
    RequestKind::Withdrawal,
    RequestKind::Transfer,
];

/// As databases carry it.
pub(crate) const fn kind_name(kind: RequestKind) -> &'static str {
    match kind {
        RequestKind::OpenAccount => "open_account",
        RequestKind::CloseAccount => "close_account",
        RequestKind::RenewIban => "renew_iban",
        RequestKind::Deposit => "deposit",
        RequestKind::Withdrawal => "withdrawal",
        RequestKind::Transfer => "transfer",
    }
}

pub(crate) fn kind_from(name: &str) -> Option<RequestKind> {
    KINDS.into_iter().find(|kind| kind_name(*kind) == name)
}

const STATES: [RequestState; 5] = [
    RequestState::Pending,
    RequestState::Approved,
    RequestState::Rejected,
    RequestState::Cancelled,
    RequestState::Expired,
];

/// As databases carry it and people read it.
pub(crate) const fn state_name(state: RequestState) -> &'static str {
    match state {
        RequestState::Pending => "pending",
        RequestState::Approved => "approved",
        RequestState::Rejected => "rejected",
        RequestState::Cancelled => "cancelled",
        RequestState::Expired => "expired",
    }
}

pub(crate) fn state_from(name: &str) -> Option<RequestState> {
    STATES.into_iter().find(|state| state_name(*state) == name)
}

#[cfg(test)]
mod tests {
    use vocabulary::{Chance, Clock, Rib};

    use super::*;

    fn transfer() -> Request {
        let (clock, chance) = (Clock::manual(Timestamp::from_seconds(1_800_000_000)), Chance::seeded(1));
        let iban = Rib::new("17569", "00001", "00000000042").unwrap().iban();
        Request {
            id: RequestId::new(&clock, &chance),
            kind: RequestKind::Transfer,
            state: RequestState::Pending,
            maker: UserId::new(&clock, &chance),
            checker: None,
            account: AccountId::new(&clock, &chance),
            account_owner: UserId::new(&clock, &chance),
            payee: Some(PayeeSide {
                account: AccountId::new(&clock, &chance),
                owner: UserId::new(&clock, &chance),
                asked: Payee::Iban(iban.clone()),
                iban,
            }),
            money: Some(Money::new(1234, Currency::EUR)),
            currency: Currency::EUR,
            reference: "rent".parse().unwrap(),
            reason: None,
            created_at: clock.now(),
            decided_at: None,
            expires_at: clock.now().plus(LIFETIME),
            digest: [0; 32],
        }
    }

    fn stranger() -> UserId {
        UserId::new(&Clock::system(), &Chance::system())
    }

    #[test]
    fn nobody_decides_what_they_made_or_benefit_from() {
        let request = transfer();
        let payee = request.payee.as_ref().unwrap().owner;
        for own in [request.maker, request.account_owner, payee] {
            assert_eq!(request.must_be_decidable(own, request.created_at), Err(Error::OwnRequest));
        }
        assert_eq!(request.must_be_decidable(stranger(), request.created_at), Ok(()));
    }

    #[test]
    fn a_request_is_decided_once_and_in_time() {
        let mut request = transfer();
        let last = request.expires_at.minus(Duration::from_micros(1));
        assert_eq!(request.must_be_decidable(stranger(), last), Ok(()));
        assert_eq!(request.must_be_decidable(stranger(), request.expires_at), Err(Error::Expired));
        for state in STATES.into_iter().skip(1) {
            request.end(state, None, None, last);
            assert_eq!(request.must_be_decidable(stranger(), last), Err(Error::AlreadyDecided(state)));
        }
    }

    #[test]
    fn the_digest_changes_with_every_part_of_the_content_and_with_nothing_else() {
        let (label, request): (Label, _) = ("Salary".parse().unwrap(), transfer());
        let digest = |request: &Request| request.content_digest(&label).unwrap();
        let original = digest(&request);
        let other = |change: fn(&mut Request)| {
            let mut changed = request.clone();
            change(&mut changed);
            assert_ne!(digest(&changed), original);
        };
        other(|it| it.id = RequestId(stranger().0));
        other(|it| it.kind = RequestKind::Deposit);
        other(|it| it.maker = stranger());
        other(|it| it.account = AccountId(stranger().0));
        other(|it| it.account_owner = stranger());
        other(|it| it.money = Some(Money::new(1235, Currency::EUR)));
        other(|it| it.currency = Currency::USD);
        other(|it| it.reference = "Rent".parse().unwrap());
        other(|it| it.created_at = Timestamp::from_micros(1));
        other(|it| it.expires_at = Timestamp::from_micros(1));
        other(|it| it.payee = None);
        other(|it| it.payee.as_mut().unwrap().owner = stranger());
        other(|it| it.payee.as_mut().unwrap().account = AccountId(stranger().0));
        let mut decided = request.clone();
        decided.end(RequestState::Rejected, Some(stranger()), Some("no".into()), Timestamp::from_micros(5));
        assert_eq!(digest(&decided), original);
    }

    #[test]
    fn the_name_of_an_account_to_open_is_part_of_what_is_asked() {
        let open = Request { kind: RequestKind::OpenAccount, payee: None, money: None, ..transfer() };
        let (one, two): (Label, Label) = ("One".parse().unwrap(), "Two".parse().unwrap());
        assert_ne!(open.content_digest(&one), open.content_digest(&two));
        assert_eq!(transfer().content_digest(&one), transfer().content_digest(&two));
    }

    #[test]
    fn every_kind_and_state_survives_being_stored() {
        assert!(KINDS.into_iter().all(|kind| kind_from(kind_name(kind)) == Some(kind)));
        assert!(STATES.into_iter().all(|state| state_from(state_name(state)) == Some(state)));
        assert_eq!((kind_from("loan"), state_from("Pending")), (None, None));
    }
}
