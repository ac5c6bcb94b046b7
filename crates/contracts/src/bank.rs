//! `bank`: accounts, and the requests by which money moves.
//!
//! Nothing moves on one person's word: opening, closing, a new RIB, deposits, withdrawals and transfers are requests
//! that an agent, who neither made nor benefits from them, approves or rejects.

use std::fmt;
use std::str::FromStr;

use aaa::{Created, Faults, Fields, FourEyes, May, On, Open, Operation, Right, Route, Signed};
use schemars::{JsonSchema, json_schema};
use serde::{Deserialize, Serialize};
use vocabulary::{
    AccountId, Amount, Bic, Currency, Day, Iban, Label, Reason, Reference, RequestId, Timestamp, TransferId, UserId,
};

use crate::roles::Agents;
use crate::scopes::{Payers, Readers};
use crate::{Cursor, Limit, Page};

/// The service's name.
pub const SERVICE: &str = "bank";

const fn get(path: &'static str) -> Route {
    Route::get(SERVICE, path)
}
/// A creating POST: every one takes an `Idempotency-Key`.
const fn create(path: &'static str) -> Route {
    Route::post(SERVICE, path).idempotent()
}
const fn post(path: &'static str) -> Route {
    Route::post(SERVICE, path)
}

/// Where an account stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum AccountState {
    /// Asked for; an agent has not decided yet.
    Pending,
    /// Money can move.
    Open,
    /// Closed at zero, for good.
    Closed,
    /// Refused by an agent.
    Rejected,
}

/// An account, as its owner and agents see it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Account {
    /// Identifies the account.
    pub id: AccountId,
    /// Its name, chosen by the owner.
    pub label: Label,
    /// The one currency it holds.
    pub currency: Currency,
    /// Where it stands.
    pub state: AccountState,
    /// Its IBAN, once it was opened.
    pub iban: Option<Iban>,
    /// Whose it is.
    pub owner: UserId,
    /// The owner's name.
    pub holder: String,
    /// The sum of all booked entries.
    pub booked: Amount,
    /// What pending requests have set aside: booked − available.
    pub pending: Amount,
    /// What can still be spent.
    pub available: Amount,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// The request that opened it, or that waits to.
    pub request: Option<RequestLink>,
}

/// Points to a request.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RequestLink {
    /// The request.
    pub id: RequestId,
}

/// What a request asks for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum RequestKind {
    /// Open an account.
    OpenAccount,
    /// Close one at zero.
    CloseAccount,
    /// Give it another account number.
    RenewIban,
    /// Put money in.
    Deposit,
    /// Take money out.
    Withdrawal,
    /// Move money to another account.
    Transfer,
}

/// Where a request stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum RequestState {
    /// Waits for an agent; funds are held.
    Pending,
    /// Done.
    Approved,
    /// Refused, with a reason; held funds are free again.
    Rejected,
    /// Taken back by its maker.
    Cancelled,
    /// Not decided in time.
    Expired,
}

/// Something a maker asked and a checker decides.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Request {
    /// Identifies the request.
    pub id: RequestId,
    /// What is asked.
    pub kind: RequestKind,
    /// Where it stands.
    pub state: RequestState,
    /// Who asked.
    pub maker: UserId,
    /// Their name.
    pub maker_name: String,
    /// Who decided.
    pub checker: Option<UserId>,
    /// Their name; members see "an agent" only in the pages.
    pub checker_name: Option<String>,
    /// Why it was refused.
    pub reason: Option<String>,
    /// The account concerned; of a transfer, the one debited (as `from`).
    pub account: AccountId,
    /// That account's name.
    pub account_label: Label,
    /// Of a transfer: the account debited.
    pub from: Option<AccountId>,
    /// Of a transfer: the account credited, as it was asked for.
    pub to: Option<Payee>,
    /// Of a transfer: the IBAN credited.
    pub to_iban: Option<Iban>,
    /// Of a transfer: who is credited. Only agents and the payee are told.
    pub to_name: Option<String>,
    /// How much, for requests that move money.
    pub amount: Option<Amount>,
    /// The account's currency.
    pub currency: Currency,
    /// What it is for.
    pub reference: Reference,
    /// When it was asked.
    pub created_at: Timestamp,
    /// When it was decided, cancelled or expired.
    pub decided_at: Option<Timestamp>,
    /// When it expires unless it is decided.
    pub expires_at: Timestamp,
    /// SHA-256 over the exact content, in hexadecimal: send it along with a decision to bind it to what you read.
    pub digest: String,
    /// Whether the caller may decide it: false for one's own (four eyes), and once it is decided.
    pub decidable: bool,
}

/// A line of an account's history.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Transaction {
    /// Identifies the movement; both sides show the same.
    pub id: TransferId,
    /// When it was booked.
    pub at: Timestamp,
    /// What kind of request caused it.
    pub kind: RequestKind,
    /// Signed: what leaves the account is negative.
    pub amount: Amount,
    /// The account's currency.
    pub currency: Currency,
    /// The booked balance after this line.
    pub balance_after: Amount,
    /// The other side's name; absent for cash.
    pub counterparty: Option<String>,
    /// The other side's IBAN.
    pub counterparty_iban: Option<Iban>,
    /// What it was for.
    pub reference: Reference,
    /// The request that caused it.
    pub request: RequestId,
}

/// Relevé d'identité bancaire: what one gives to somebody who pays.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RibDocument {
    /// Whose account it is.
    pub holder: String,
    /// The bank's name.
    pub bank_name: String,
    /// Code banque.
    pub bank: String,
    /// Code guichet.
    pub branch: String,
    /// Numéro de compte.
    pub account: String,
    /// Clé RIB.
    pub key: String,
    /// The same as an IBAN.
    pub iban: Iban,
    /// The bank's BIC.
    pub bic: Bic,
    /// The account's currency.
    pub currency: Currency,
}

/// The bank itself, for pages and payers.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct BankInfo {
    /// Its name.
    pub name: String,
    /// Code banque.
    pub bank: String,
    /// Code guichet.
    pub branch: String,
    /// Its BIC.
    pub bic: Bic,
    /// The currencies in which accounts can be opened; the first is the usual one.
    pub currencies: Vec<Currency>,
}

/// Tells about the bank.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct GetBank {}
impl Operation for GetBank {
    const ROUTE: Route = get("/api/bank");
    type Policy = Open;
    type Reply = BankInfo;
}

/// Who is credited: an account by its id, or any IBAN of this bank.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Payee {
    /// An account of the maker's own.
    Account(AccountId),
    /// Anyone's account at this bank.
    Iban(Iban),
}

impl FromStr for Payee {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(id) => Ok(Self::Account(id)),
            Err(_) => text.parse().map(Self::Iban).map_err(|error: vocabulary::IbanError| error.to_string()),
        }
    }
}

impl TryFrom<String> for Payee {
    type Error = String;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for Payee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(id) => id.fmt(f),
            Self::Iban(iban) => iban.fmt(f),
        }
    }
}

impl From<Payee> for String {
    fn from(payee: Payee) -> Self {
        payee.to_string()
    }
}

impl JsonSchema for Payee {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Payee".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        json_schema!({ "type": "string", "maxLength": 80, "description": "the id of an own account, or an IBAN of this bank" })
    }
}

/// May see an account: its owner and agents. To others it does not exist (404).
pub struct SeeAccount;
impl Right for SeeAccount {
    const NAME: &'static str = "see account";
    type Id = AccountId;
}

/// May use an account: its owner alone.
pub struct UseAccount;
impl Right for UseAccount {
    const NAME: &'static str = "use account";
    type Id = AccountId;
}

/// May see a request: its maker and agents. To others it does not exist (404).
pub struct SeeRequest;
impl Right for SeeRequest {
    const NAME: &'static str = "see request";
    type Id = RequestId;
}

/// May decide a request: who neither made it nor benefits from it (four eyes).
pub struct DecideRequest;
impl Right for DecideRequest {
    const NAME: &'static str = "decide request";
    type Id = RequestId;
}

/// May take a request back: its maker.
pub struct CancelRequestRight;
impl Right for CancelRequestRight {
    const NAME: &'static str = "cancel request";
    type Id = RequestId;
}

/// Accounts, newest first: the caller's own; for agents everyone's, unless `mine`.
#[derive(Serialize, Deserialize, JsonSchema, Fields, Default)]
pub struct ListAccounts {
    /// Only those of this person (agents).
    pub owner: Option<UserId>,
    /// Only those in this state.
    pub state: Option<AccountState>,
    /// Only those whose label, holder or IBAN contains this.
    #[schemars(length(max = 100))]
    pub search: Option<String>,
    /// Only the caller's own, for agents too.
    #[serde(default)]
    pub mine: bool,
    /// From `next` of the page before.
    pub cursor: Option<Cursor>,
    /// How many.
    #[serde(default)]
    pub limit: Limit,
}
impl Operation for ListAccounts {
    const ROUTE: Route = get("/api/accounts");
    type Policy = Readers;
    type Reply = Page<Account>;
}

/// Asks to open an account. It gets its IBAN when an agent approves.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct OpenAccount {
    /// Its name.
    pub label: Label,
    /// Its currency; the bank's usual one unless given.
    pub currency: Option<Currency>,
}
impl Operation for OpenAccount {
    const ROUTE: Route = create("/api/accounts");
    type Policy = Signed;
    type Reply = Created<Account>;
}

macro_rules! on_account {
    ($($(#[$doc:meta])* $name:ident $route:expr, $who:ty, $right:ty => $reply:ty, { $($(#[$fdoc:meta])* $field:ident: $type:ty),* $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Serialize, Deserialize, JsonSchema, Fields)]
        pub struct $name {
            /// The account.
            pub id: AccountId,
            $($(#[$fdoc])* pub $field: $type,)*
        }
        impl On<AccountId> for $name {
            fn on(&self) -> AccountId {
                self.id
            }
        }
        impl Operation for $name {
            const ROUTE: Route = $route;
            type Policy = May<$who, $right>;
            type Reply = $reply;
        }
    )+};
}

on_account! {
    /// One account.
    GetAccount get("/api/accounts/{id}"), Readers, SeeAccount => Account, {}
    /// Renames an account.
    EditAccount Route::patch(SERVICE, "/api/accounts/{id}"), Signed, UseAccount => Account, {
        /// Its new name.
        label: Label,
    }
    /// Asks to close an account; it must stand at zero with nothing pending.
    CloseAccount Route::delete(SERVICE, "/api/accounts/{id}").idempotent(), Signed, UseAccount => Created<Request>, {}
    /// Asks for another account number; the old one stops working when an agent approves.
    RenewIban create("/api/accounts/{id}/iban"), Signed, UseAccount => Created<Request>, {}
    /// The account's RIB.
    GetRib get("/api/accounts/{id}/rib"), Readers, SeeAccount => RibDocument, {}
    /// The account's history, newest first, with the balance after each line.
    ListTransactions get("/api/accounts/{id}/transactions"), Readers, SeeAccount => Page<Transaction>, {
        /// From this day on.
        #[serde(default)]
        from: Option<Day>,
        /// Up to this day, included.
        #[serde(default)]
        to: Option<Day>,
        /// From `next` of the page before.
        #[serde(default)]
        cursor: Option<Cursor>,
        /// How many.
        #[serde(default)]
        limit: Limit,
    }
}

/// The fault of `amount`, if it is not money that can move in `currency`.
fn check_amount(amount: Amount, currency: Currency, faults: &mut Faults) {
    faults.take("amount", amount.positive(currency));
}

macro_rules! cash {
    ($($(#[$doc:meta])* $name:ident $path:literal)+) => {$(
        $(#[$doc])*
        #[derive(Serialize, Deserialize, JsonSchema, Fields)]
        pub struct $name {
            /// The account.
            pub account: AccountId,
            /// How much, more than zero, with no more decimals than the currency has.
            pub amount: Amount,
            /// The account's currency.
            pub currency: Currency,
            /// What it is for.
            #[serde(default)]
            pub reference: Reference,
        }
        impl On<AccountId> for $name {
            fn on(&self) -> AccountId {
                self.account
            }
        }
        impl Operation for $name {
            const ROUTE: Route = create($path);
            type Policy = May<Payers, UseAccount>;
            type Reply = Created<Request>;
            fn check(&self, faults: &mut Faults) {
                check_amount(self.amount, self.currency, faults);
            }
        }
    )+};
}

cash! {
    /// Asks to put money into an account; an agent approves once it is there.
    RequestDeposit "/api/deposits"
    /// Asks to take money out; the funds are held until an agent decides.
    RequestWithdrawal "/api/withdrawals"
}

/// Asks for a transfer; the funds are held until an agent decides.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct RequestTransfer {
    /// The account to debit.
    pub from: AccountId,
    /// Who is credited.
    pub to: Payee,
    /// How much, more than zero, with no more decimals than the currency has.
    pub amount: Amount,
    /// The currency of both accounts.
    pub currency: Currency,
    /// What it is for.
    #[serde(default)]
    pub reference: Reference,
}
impl On<AccountId> for RequestTransfer {
    fn on(&self) -> AccountId {
        self.from
    }
}
impl Operation for RequestTransfer {
    const ROUTE: Route = create("/api/transfers");
    type Policy = May<Payers, UseAccount>;
    type Reply = Created<Request>;
    fn check(&self, faults: &mut Faults) {
        check_amount(self.amount, self.currency, faults);
    }
}

/// Requests, newest first: the caller's own; for agents everyone's, unless `mine`.
#[derive(Serialize, Deserialize, JsonSchema, Fields, Default)]
pub struct ListRequests {
    /// Only those in this state.
    pub state: Option<RequestState>,
    /// Only those of this kind.
    pub kind: Option<RequestKind>,
    /// Only those that concern this account.
    pub account: Option<AccountId>,
    /// Only those of this maker (agents).
    pub maker: Option<UserId>,
    /// Only the caller's own, for agents too.
    #[serde(default)]
    pub mine: bool,
    /// Oldest first, as an inbox is worked off.
    #[serde(default)]
    pub oldest_first: bool,
    /// From `next` of the page before.
    pub cursor: Option<Cursor>,
    /// How many.
    #[serde(default)]
    pub limit: Limit,
}
impl Operation for ListRequests {
    const ROUTE: Route = get("/api/requests");
    type Policy = Readers;
    type Reply = Page<Request>;
}

macro_rules! on_request {
    ($($(#[$doc:meta])* $name:ident $route:expr, $policy:ty, { $($(#[$fdoc:meta])* $field:ident: $type:ty),* $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Serialize, Deserialize, JsonSchema, Fields)]
        pub struct $name {
            /// The request.
            pub id: RequestId,
            $($(#[$fdoc])* pub $field: $type,)*
        }
        impl On<RequestId> for $name {
            fn on(&self) -> RequestId {
                self.id
            }
        }
        impl Operation for $name {
            const ROUTE: Route = $route;
            type Policy = $policy;
            type Reply = Request;
        }
    )+};
}

on_request! {
    /// One request.
    GetRequest get("/api/requests/{id}"), May<Readers, SeeRequest>, {}
    /// Approves a request: what was asked is done at once. 409 if it is decided already.
    ApproveRequest post("/api/requests/{id}/approve"), FourEyes<Agents, DecideRequest>, {
        /// The `digest` that was read; the approval is refused if the content is another.
        #[serde(default)]
        digest: Option<String>,
    }
    /// Rejects a request with a reason; held funds are free again. 409 if it is decided already.
    RejectRequest post("/api/requests/{id}/reject"), FourEyes<Agents, DecideRequest>, {
        /// Why; the maker reads it.
        reason: Reason,
    }
    /// Takes one's own pending request back; held funds are free again.
    CancelRequest post("/api/requests/{id}/cancel"), May<Signed, CancelRequestRight>, {}
}
