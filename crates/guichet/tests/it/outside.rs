//! One typed test for every bank: one in this process, one that runs as a program, and whichever `GUICHET_TEST_URL` names.
//!
//! Knows contracts and people alone; neither transport nor tables.

use aaa::testing::{Credential, Tester};
use aaa::{Created, Entry, Password, Transport};
use contracts::bank::{
    Account, AccountState, ApproveRequest, GetAccount, OpenAccount, RequestDeposit, RequestState, RequestTransfer,
};
use contracts::identity::{ActivateUser, CreateAgent, Register, SignIn, User, WhoAmI};
use guichet::{Databases, House, Plan};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use vocabulary::{AccountId, Chance, Clock, Currency};

use crate::people::{PASSWORD, registration};
use crate::process::{Line, Person, Up};

/// As one would write it.
fn of<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn credential(login: &str, password: &str) -> SignIn {
    SignIn { login: login.into(), password: Password::try_from(password.to_owned()).unwrap(), otp: None, device: None }
}

async fn signs_in(tester: &mut Tester, login: &str, password: &str) {
    let tokens = tester.anyone().call(credential(login, password)).await.unwrap();
    tester.knows(login, Credential::Bearer(tokens.access_token));
}

/// A bank as the test finds it: how it is reached, and one person of each role.
struct Found {
    tester: Tester,
    superuser: String,
}

impl Found {
    async fn new(transport: Transport, superuser: &Person) -> Self {
        let mut tester = Tester::new(transport);
        signs_in(&mut tester, &superuser.login, &superuser.password).await;
        Self { tester, superuser: superuser.login.clone() }
    }

    /// Makes people of their own: a bank that somebody runs may know others already.
    async fn hires(&mut self, login: &str) -> User {
        let agent: CreateAgent = of(registration(login));
        let Created(agent) = self.tester.person(&self.superuser).call(agent).await.unwrap();
        signs_in(&mut self.tester, login, PASSWORD).await;
        agent
    }

    async fn joins(&mut self, login: &str, agent: &str) -> User {
        let Created(user) = self.tester.anyone().call(of::<Register>(registration(login))).await.unwrap();
        self.tester.person(agent).call(ActivateUser { id: user.id }).await.unwrap();
        signs_in(&mut self.tester, login, PASSWORD).await;
        user
    }

    async fn opens(&self, member: &str, agent: &str) -> AccountId {
        let wish = OpenAccount { label: of(json!("Every day")), currency: Some(Currency::EUR) };
        let Created(account) = self.tester.person(member).call(wish).await.unwrap();
        let id = account.request.unwrap().id;
        self.tester.person(agent).call(ApproveRequest { id, digest: None }).await.unwrap();
        account.id
    }

    async fn account(&self, who: &str, id: AccountId) -> Account {
        self.tester.person(who).call(GetAccount { id }).await.unwrap()
    }
}

/// Whether every operation answers everybody and every broken credential as declared, and money goes where it was sent.
pub(crate) async fn is_a_bank(transport: Transport, superuser: &Person) {
    let mut bank = Found::new(transport, superuser).await;
    let unique = Clock::system().now().micros() % 1_000_000_000;
    let [agent, member, other] = ["agent", "member", "other"].map(|role| format!("{role}-{unique}"));
    bank.hires(&agent).await;
    let who = bank.joins(&member, &agent).await;
    bank.joins(&other, &agent).await;
    let me = bank.tester.person(&member).call(WhoAmI {}).await.unwrap();
    assert_eq!((me.id, me.login.as_str()), (who.id, member.as_str()));

    let (mine, theirs) = (bank.opens(&member, &agent).await, bank.opens(&other, &agent).await);
    let amount = |text: &str| text.parse().unwrap();
    let deposit =
        RequestDeposit { account: mine, amount: amount("100.00"), currency: Currency::EUR, reference: of(json!("In")) };
    let Created(asked) = bank.tester.person(&member).call(deposit).await.unwrap();
    bank.tester.person(&agent).call(ApproveRequest { id: asked.id, digest: Some(asked.digest) }).await.unwrap();
    let iban = bank.account(&other, theirs).await.iban.unwrap();
    let transfer: RequestTransfer = of(json!({
        "from": mine, "to": iban, "amount": "30.00", "currency": "EUR", "reference": "Over",
    }));
    let Created(sent) = bank.tester.person(&member).call(transfer).await.unwrap();
    assert_eq!(sent.state, RequestState::Pending);
    let own = bank.tester.person(&member).call(ApproveRequest { id: sent.id, digest: None }).await.err().unwrap();
    assert_eq!(own.status(), 403);
    bank.tester.person(&agent).call(ApproveRequest { id: sent.id, digest: None }).await.unwrap();
    let (mine_now, theirs_now) = (bank.account(&member, mine).await, bank.account(&other, theirs).await);
    assert_eq!((mine_now.booked, theirs_now.booked), (amount("70.00"), amount("30.00")));
    assert_eq!(theirs_now.state, AccountState::Open);
    let unseen = bank.tester.person(&other).call(GetAccount { id: mine }).await.err().unwrap();
    assert_eq!((unseen.status().as_u16(), unseen.code()), (404, "not-found"));

    // What needs no field would be done: none of that may end the sign-ins of this test.
    let harmless = |entry: &Entry| entry.operation != "SignOut";
    let entries: Vec<Entry> = guichet::operations().into_iter().filter(harmless).collect();
    let people: [(&str, &[&str]); 3] =
        [(&member, &["member"]), (&agent, &["agent"]), (&bank.superuser, &["superuser"])];
    let wrong = bank.tester.systematic(&entries, &people).await;
    assert!(wrong.is_empty(), "{} answers are not as declared:\n{}", wrong.len(), wrong.join("\n"));
}

pub(crate) fn reach(line: &Line) -> Transport {
    let ca = std::fs::read_to_string(&line.ca).unwrap();
    chassis::reach(&line.url, Some(&ca), &Clock::system()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_does_the_same_inside_and_outside() {
    if let Some(line) = Line::elsewhere() {
        return is_a_bank(reach(&line), &line.people("superuser")[0]).await;
    }
    let home = tempfile::tempdir().unwrap();
    let house = House::open(Plan {
        databases: Databases::Directory(home.path().to_owned()),
        key: home.path().join("signing.key"),
        log: home.path().to_owned(),
        proxies: 0,
        origin: None,
        bank: bank::BankConfig::example().unwrap(),
        mail: None,
        checks: monitor::Settings::default(),
        backup: None,
        clock: Clock::system(),
        chance: Chance::seeded(1),
    })
    .await
    .unwrap();
    let (login, password) = house.identity.ensure_first_superuser().await.unwrap().unwrap();
    let first = Person {
        login: login.to_string(),
        password: password.expose().to_owned(),
        role: "superuser".into(),
        name: String::new(),
    };
    is_a_bank(Transport::in_process(house.router.clone()), &first).await;
    house.settle().await;

    let bank = Up::in_any_way_on(&home.path().join("data")).start();
    is_a_bank(reach(&bank.line), &bank.line.people("superuser")[0]).await;
    assert!(!bank.log().contains("panic"), "{}", bank.log());
}
