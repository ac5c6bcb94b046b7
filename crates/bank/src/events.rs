//! What the journal is told of each step. Account numbers are masked: logs are read by more people than should know them.

use std::collections::BTreeMap;

use contracts::bank::RequestKind;
use contracts::events::{Action, Audience, Level, LogEvent, Person};
use vocabulary::{EventId, Iban, Timestamp};

use crate::account::Account;
use crate::request::{self, Request};
use crate::store::Holder;

/// What became of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    Requested,
    Approved,
    Rejected,
    Cancelled,
    Expired,
}

impl Step {
    const fn words(self) -> &'static str {
        match self {
            Self::Requested => "asked for",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired undecided",
        }
    }
}

/// What all events of one command share.
pub(crate) struct Moment {
    pub(crate) id: EventId,
    pub(crate) at: Timestamp,
    pub(crate) trace_id: Option<String>,
}

pub(crate) fn person(holder: &Holder) -> Person {
    Person { id: holder.id, login: holder.login.clone() }
}

/// A step of a request. It concerns the maker, whoever took the step.
pub(crate) fn of_request(
    moment: Moment,
    step: Step,
    request: &Request,
    account: &Account,
    maker: Option<Person>,
    actor: Option<Person>,
) -> LogEvent {
    let mut details = details(request, account);
    if let Some(reason) = &request.reason {
        details.insert("reason".into(), reason.clone());
    }
    LogEvent {
        id: moment.id,
        at: moment.at,
        audience: Audience::Members,
        level: Level::Info,
        action: action(request.kind, step),
        actor,
        subject: maker,
        message: format!("{} {}", what(request, account), step.words()),
        details,
        trace_id: moment.trace_id,
    }
}

/// Money came from somebody else. Told to the payee: nothing of the payer's account but what its history shows.
pub(crate) fn received(
    moment: Moment,
    request: &Request,
    to: &Account,
    payer: &str,
    payee: Option<Person>,
    actor: Option<Person>,
) -> LogEvent {
    let mut details = BTreeMap::from([("account".to_owned(), to.label.to_string())]);
    details.insert("from".into(), payer.to_owned());
    add_money(&mut details, request);
    if let Some(iban) = &to.iban {
        details.insert("iban".into(), Iban::masked(iban));
    }
    LogEvent {
        id: moment.id,
        at: moment.at,
        audience: Audience::Members,
        level: Level::Info,
        action: Action::TransferReceived,
        actor,
        subject: payee,
        message: format!("{} received from {payer}", amount(request)),
        details,
        trace_id: moment.trace_id,
    }
}

/// An account has another name.
pub(crate) fn renamed(moment: Moment, before: &str, account: &Account, owner: Person) -> LogEvent {
    LogEvent {
        id: moment.id,
        at: moment.at,
        audience: Audience::Members,
        level: Level::Info,
        action: Action::AccountRenamed,
        actor: Some(owner.clone()),
        subject: Some(owner),
        message: format!("Account “{before}” renamed to “{}”", account.label),
        details: BTreeMap::from([("account".into(), account.label.to_string()), ("before".into(), before.to_owned())]),
        trace_id: moment.trace_id,
    }
}

/// A stored request is not what was asked: somebody wrote past this program.
pub(crate) fn tampered(
    moment: Moment,
    request: &Request,
    account: &Account,
    maker: Option<Person>,
    actor: Person,
) -> LogEvent {
    LogEvent {
        id: moment.id,
        at: moment.at,
        audience: Audience::Agents,
        level: Level::Error,
        action: Action::RequestTampered,
        actor: Some(actor),
        subject: maker,
        message: "A stored request is not what its maker asked for; its decision was refused".to_owned(),
        details: details(request, account),
        trace_id: moment.trace_id,
    }
}

fn details(request: &Request, account: &Account) -> BTreeMap<String, String> {
    let mut details = BTreeMap::from([
        ("request".to_owned(), request.id.to_string()),
        ("kind".to_owned(), request::kind_name(request.kind).to_owned()),
        ("account".to_owned(), account.label.to_string()),
        ("currency".to_owned(), request.currency.to_string()),
    ]);
    add_money(&mut details, request);
    if let Some(iban) = &account.iban {
        details.insert("iban".into(), iban.masked());
    }
    if let Some(payee) = &request.payee {
        details.insert("to".into(), payee.iban.masked());
    }
    details
}

fn add_money(details: &mut BTreeMap<String, String>, request: &Request) {
    if let Some(money) = request.money {
        details.insert("amount".into(), money.amount().to_string());
        details.insert("currency".into(), money.currency().to_string());
    }
    if !request.reference.as_str().is_empty() {
        details.insert("reference".into(), request.reference.to_string());
    }
}

fn amount(request: &Request) -> String {
    request.money.map(|money| money.to_string()).unwrap_or_default()
}

fn what(request: &Request, account: &Account) -> String {
    let label = &account.label;
    match request.kind {
        RequestKind::OpenAccount => format!("Opening of account “{label}”"),
        RequestKind::CloseAccount => format!("Closing of account “{label}”"),
        RequestKind::RenewIban => format!("New IBAN of account “{label}”"),
        RequestKind::Deposit => format!("Deposit of {} into “{label}”", amount(request)),
        RequestKind::Withdrawal => format!("Withdrawal of {} from “{label}”", amount(request)),
        RequestKind::Transfer => {
            let to = request.payee.as_ref().map(|payee| payee.iban.masked()).unwrap_or_default();
            format!("Transfer of {} from “{label}” to {to}", amount(request))
        }
    }
}

const fn action(kind: RequestKind, step: Step) -> Action {
    macro_rules! steps {
        ($requested:ident $approved:ident $rejected:ident $cancelled:ident $expired:ident) => {
            match step {
                Step::Requested => Action::$requested,
                Step::Approved => Action::$approved,
                Step::Rejected => Action::$rejected,
                Step::Cancelled => Action::$cancelled,
                Step::Expired => Action::$expired,
            }
        };
    }
    match kind {
        RequestKind::OpenAccount => {
            steps!(OpenAccountRequested OpenAccountApproved OpenAccountRejected OpenAccountCancelled OpenAccountExpired)
        }
        RequestKind::CloseAccount => {
            steps!(CloseAccountRequested CloseAccountApproved CloseAccountRejected CloseAccountCancelled CloseAccountExpired)
        }
        RequestKind::RenewIban => {
            steps!(RenewIbanRequested RenewIbanApproved RenewIbanRejected RenewIbanCancelled RenewIbanExpired)
        }
        RequestKind::Deposit => {
            steps!(DepositRequested DepositApproved DepositRejected DepositCancelled DepositExpired)
        }
        RequestKind::Withdrawal => {
            steps!(WithdrawalRequested WithdrawalApproved WithdrawalRejected WithdrawalCancelled WithdrawalExpired)
        }
        RequestKind::Transfer => {
            steps!(TransferRequested TransferApproved TransferRejected TransferCancelled TransferExpired)
        }
    }
}
