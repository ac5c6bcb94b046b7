//! What the clients of a bank know, from the answers they were given: nothing else says what the bank should hold.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value, json};
use vocabulary::{Amount, Currency};

use crate::people::{Somebody, text};
use crate::process::eventually;

/// How the truth ends of which each service has one: it depends on how often the bank was killed in the last minute.
const LATE: &str = ": what happened reaches the journal within a minute";

/// An account that takes part.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) iban: String,
    pub(crate) owner: String,
    /// In cents, before anything else happened.
    pub(crate) opening: i64,
}

/// What somebody asked for; its reference names it, in the bank too.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) maker: String,
    pub(crate) kind: Kind,
    /// In cents.
    pub(crate) amount: i64,
    /// How the payee is written: an IBAN or an id.
    pub(crate) to: String,
    /// Once the bank said 201.
    pub(crate) id: Option<String>,
    /// The decision that the bank acknowledged.
    pub(crate) decided: Option<Decision>,
}

/// Accounts are indices into [`Oracle::accounts`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Deposit { account: usize },
    Withdrawal { account: usize },
    Transfer { from: usize, to: usize },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Decision {
    pub(crate) verb: Verb,
    pub(crate) by: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verb {
    Approve,
    Reject,
    Cancel,
}

impl Verb {
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Cancel => "cancel",
        }
    }

    pub(crate) const fn state(self) -> &'static str {
        match self {
            Self::Approve => "approved",
            Self::Reject => "rejected",
            Self::Cancel => "cancelled",
        }
    }
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Deposit { .. } => "deposit",
            Self::Withdrawal { .. } => "withdrawal",
            Self::Transfer { .. } => "transfer",
        }
    }

    /// What it does to accounts once it is booked, in cents.
    fn moves(self, amount: i64) -> Vec<(usize, i64)> {
        match self {
            Self::Deposit { account } => vec![(account, amount)],
            Self::Withdrawal { account } => vec![(account, -amount)],
            Self::Transfer { from, to } => vec![(from, -amount), (to, amount)],
        }
    }

    /// The account whose funds are held while it waits.
    const fn holds(self) -> Option<usize> {
        match self {
            Self::Deposit { .. } => None,
            Self::Withdrawal { account } | Self::Transfer { from: account, .. } => Some(account),
        }
    }
}

/// The record of all clients.
pub(crate) struct Oracle {
    pub(crate) accounts: Vec<Account>,
    pub(crate) wishes: BTreeMap<String, Wish>,
}

/// Cents of an amount as the API writes it.
pub(crate) fn cents(amount: &Value) -> i64 {
    text(amount).parse::<Amount>().unwrap().of(Currency::EUR).unwrap().minor()
}

/// As the API takes it.
pub(crate) fn written(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

impl Oracle {
    /// Requests that wait, as far as their makers know; the newest last.
    pub(crate) fn waiting(&self) -> Vec<(&String, &Wish)> {
        self.wishes.iter().filter(|(_, wish)| wish.id.is_some() && wish.decided.is_none()).collect()
    }

    /// The bank said 201.
    pub(crate) fn acknowledge(&mut self, reference: &str, answer: &Value) {
        let wish = self.wishes.get_mut(reference).unwrap();
        let id = text(&answer["id"]);
        assert!(wish.id.as_ref().is_none_or(|known| *known == id), "{reference} is two requests: {wish:?} and {id}");
        assert_eq!(answer["reference"], reference, "{answer}");
        wish.id = Some(id);
    }

    /// The bank acknowledged a decision, or says that it had been done.
    pub(crate) fn decide(&mut self, reference: &str, decision: Decision) {
        let wish = self.wishes.get_mut(reference).unwrap();
        let first = wish.decided.get_or_insert_with(|| decision.clone());
        assert_eq!(*first, decision, "{reference} was decided twice");
    }

    /// Everything the bank holds against everything that it acknowledged. Nothing may be under way.
    pub(crate) async fn compare(&self, agent: &Somebody) {
        let requests = agent.client.all("/api/requests").await;
        let listed: Vec<&Value> = requests.iter().filter(|it| text(&it["reference"]).starts_with("k-")).collect();
        let references: BTreeSet<String> = listed.iter().map(|it| text(&it["reference"])).collect();
        assert_eq!(references.len(), listed.len(), "something acknowledged once stands there twice");
        let known: BTreeMap<&String, &Wish> = self.wishes.iter().filter(|(_, wish)| wish.id.is_some()).collect();
        let expected: BTreeSet<String> = known.keys().map(|it| (*it).clone()).collect();
        let (lost, unknown) = (expected.difference(&references), references.difference(&expected));
        assert_eq!(
            references,
            expected,
            "lost: {:?}, never acknowledged: {:?}",
            lost.collect::<Vec<_>>(),
            unknown.collect::<Vec<_>>()
        );
        for request in listed {
            self.compare_request(request, known[&text(&request["reference"])]);
        }
        self.compare_accounts(agent).await;
        // What was told before a kill may have waited through several: it arrives. All else holds at any moment.
        eventually("what happened reaches the journal", async || {
            let truths = agent.client.get("/health/truths").await.expect(200);
            let truths = truths.as_array().unwrap();
            let broken = truths.iter().filter(|truth| truth["holds"] != json!(true));
            let (late, broken): (Vec<_>, Vec<_>) = broken.partition(|truth| text(&truth["name"]).ends_with(LATE));
            assert!(truths.len() > 3 && broken.is_empty(), "{broken:?}");
            late.is_empty().then_some(())
        })
        .await;
    }

    fn compare_request(&self, request: &Value, wish: &Wish) {
        let (account, to) = match wish.kind {
            Kind::Deposit { account } | Kind::Withdrawal { account } => (account, Value::Null),
            Kind::Transfer { from, .. } => (from, json!(wish.to)),
        };
        let (state, checker) = match &wish.decided {
            None => ("pending", Value::Null),
            Some(Decision { verb: Verb::Cancel, .. }) => ("cancelled", request["checker"].clone()),
            Some(decision) => (decision.verb.state(), json!(decision.by)),
        };
        let expected = [
            ("id", json!(wish.id)),
            ("kind", json!(wish.kind.name())),
            ("maker", json!(wish.maker)),
            ("account", json!(self.accounts[account].id)),
            ("to", to),
            ("amount", json!(written(wish.amount))),
            ("state", json!(state)),
            ("checker", checker),
        ];
        for (field, value) in expected {
            assert_eq!(request[field], value, "{field} of {request}, which should be {wish:?}");
        }
    }

    async fn compare_accounts(&self, agent: &Somebody) {
        let mut booked: Vec<i64> = self.accounts.iter().map(|account| account.opening).collect();
        let mut held = vec![0; booked.len()];
        let mut lines: HashMap<(usize, String), i64> = HashMap::new();
        for wish in self.wishes.values() {
            let Some(id) = &wish.id else { continue };
            match &wish.decided {
                Some(Decision { verb: Verb::Approve, .. }) => {
                    for (account, change) in wish.kind.moves(wish.amount) {
                        booked[account] += change;
                        lines.insert((account, id.clone()), change);
                    }
                }
                Some(_) => {}
                None => held[wish.kind.holds().unwrap_or(0)] += wish.kind.holds().map_or(0, |_| wish.amount),
            }
        }
        for (index, account) in self.accounts.iter().enumerate() {
            let shown = agent.client.get(format!("/api/accounts/{}", account.id)).await.expect(200);
            let balances = (cents(&shown["booked"]), cents(&shown["pending"]), cents(&shown["available"]));
            let expected = (booked[index], held[index], booked[index] - held[index]);
            assert_eq!(balances, expected, "booked, pending and available of {shown}");
            assert!(expected.2 >= 0, "more was promised than there is: {shown}");
            let mut balance = booked[index];
            for line in agent.client.all(&format!("/api/accounts/{}/transactions", account.id)).await {
                assert_eq!(cents(&line["balance_after"]), balance, "{line}");
                balance -= cents(&line["amount"]);
                match lines.remove(&(index, text(&line["request"]))) {
                    Some(change) => assert_eq!(cents(&line["amount"]), change, "{line}"),
                    None => assert_eq!(line["reference"], "opening", "booked and not approved, or twice: {line}"),
                }
            }
            assert_eq!(balance, 0, "the history of {shown} does not begin at zero");
        }
        assert!(lines.is_empty(), "approved and not booked: {lines:?}");
    }

    /// What the journal should hold of each acknowledged step, once: the action and the request's id.
    pub(crate) fn steps(&self) -> BTreeSet<(String, String)> {
        let mut steps = BTreeSet::new();
        for wish in self.wishes.values() {
            let Some(id) = &wish.id else { continue };
            let kind = wish.kind.name().to_uppercase();
            steps.insert((format!("{kind}_REQUESTED"), id.clone()));
            if let Some(decision) = &wish.decided {
                steps.insert((format!("{kind}_{}", decision.verb.state().to_uppercase()), id.clone()));
            }
        }
        steps
    }
}
