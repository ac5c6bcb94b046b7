//! One command, and then what a newcomer does with the bank, step by step.

use serde_json::{Value, json};

use crate::client::{Ask, Client};
use crate::people::{self, PASSWORD, Somebody, account_of, approve, open_account, registration, sign_in, text};
use crate::process::{Line, Running, Up, eventually};

/// An id that names nothing.
const NOTHING: &str = "01900000-0000-7000-8000-000000000000";

#[tokio::test(flavor = "multi_thread")]
async fn one_command_gives_a_bank_that_a_newcomer_can_use() {
    if let Some(line) = Line::elsewhere() {
        let login = format!("newcomer-{}", vocabulary::Clock::system().now().micros());
        return a_newcomer_uses_the_bank(&line, &login).await;
    }
    let home = tempfile::tempdir().unwrap();
    let bank = Up::in_any_way_on(&home.path().join("bank")).with(&["--demo"]).start();
    the_demonstration_is_worth_looking_at(&bank).await;
    a_newcomer_uses_the_bank(&bank.line, "newcomer").await;
    // What was done stays: the next start finds the same bank, and needs no demonstration.
    let (data_dir, people) = (bank.line.data_dir.clone(), bank.people("agent"));
    assert!(bank.terminate().success());
    let again = Up::in_any_way_on(&data_dir).with(&["--demo"]).start();
    let agent = sign_in(&again.client(), &people[0].login, &people[0].password).await;
    let newcomers = agent.client.all("/api/auth/users?search=newcomer").await;
    assert_eq!(newcomers.len(), 1, "{newcomers:?}");
    assert!(again.terminate().success());
}

async fn the_demonstration_is_worth_looking_at(bank: &Running) {
    let people = &bank.line.people;
    assert!(people.len() >= 12, "only {} people", people.len());
    for role in ["member", "agent", "superuser"] {
        assert!(!bank.people(role).is_empty(), "nobody is {role}");
    }
    assert!(people.iter().all(|person| !person.name.is_empty()));
    let agent = &bank.people("agent")[0];
    let agent = sign_in(&bank.client(), &agent.login, &agent.password).await;
    let (mut movements, mut days) = (std::collections::HashSet::new(), std::collections::BTreeSet::new());
    for account in agent.client.all("/api/accounts").await {
        for line in agent.client.all(&format!("/api/accounts/{}/transactions", text(&account["id"]))).await {
            movements.insert(text(&line["id"]));
            days.insert(text(&line["at"]).chars().take(10).collect::<String>());
        }
    }
    assert!(movements.len() >= 500, "only {} transactions", movements.len());
    let months: std::collections::BTreeSet<&str> = days.iter().map(|day| &day[..7]).collect();
    assert!(months.len() >= 3, "only in {months:?}");
    assert!(!agent.client.all("/api/requests?state=pending").await.is_empty(), "nothing waits for the agents");
    assert!(!agent.client.all("/api/auth/users?state=pending").await.is_empty(), "nobody waits to be activated");
    for log in [bank.log()] {
        for person in people {
            assert!(!log.contains(&person.password), "the password of {} stands in the log", person.login);
        }
    }
}

pub(crate) async fn a_newcomer_uses_the_bank(bank: &Line, login: &str) {
    let anyone = bank.client();
    let agents = bank.people("agent");
    let anne = sign_in(&anyone, &agents[0].login, &agents[0].password).await;
    let luc = sign_in(&anyone, &agents[1].login, &agents[1].password).await;
    let other = &bank.people("member")[0];
    let other = sign_in(&anyone, &other.login, &other.password).await;

    let newcomer = registers_and_is_let_in(&anyone, &anne, login).await;
    let account = opens_an_account(&newcomer, &anne).await;
    deposits(&newcomer, &anne, &account).await;
    let theirs = open_account(&other, &luc, "For the newcomer").await;
    transfers(&newcomer, &anne, &account, &other, &theirs).await;
    nobody_decides_their_own(&anne, &luc).await;
    both_histories_agree(&newcomer, &account, &other, &theirs).await;
    cannot_spend_what_is_not_there(&newcomer, &account).await;
    asks_once_with_a_key(&newcomer, &account).await;
    sees_nothing_of_others(&newcomer, &theirs).await;
    finds_every_step_in_the_logs(&newcomer, &anne).await;
    every_truth_holds(&anyone).await;
}

async fn registers_and_is_let_in(anyone: &Client, agent: &Somebody, newcomer: &str) -> Somebody {
    let user = anyone.post("/api/auth/register", &registration(newcomer)).await.expect(201);
    assert_eq!((&user["state"], &user["role"]), (&json!("pending"), &json!("member")), "{user}");
    assert!(!user.to_string().contains(PASSWORD));
    let login = async |login: &str, password: &str| {
        let basic = anyone.call(Ask::new("POST", "/api/auth/login").basic(login, password)).await;
        basic.clone().problem(401, "sign-in-refused");
        let fields = anyone.post("/api/auth/login", &json!({ "login": login, "password": password })).await;
        assert_eq!(basic.visible(), fields.visible());
        basic.visible()
    };
    // Nobody can tell a pending person from a wrong password, nor from nobody.
    let pending = login(newcomer, PASSWORD).await;
    assert_eq!(login(newcomer, "not the password at all").await, pending);
    assert_eq!(login("nobody-of-this-name", PASSWORD).await, pending);
    let activate = format!("/api/auth/users/{}/activate", text(&user["id"]));
    assert_eq!(agent.client.post(&activate, &json!({})).await.expect(200)["state"], "active");
    sign_in(anyone, newcomer, PASSWORD).await
}

async fn opens_an_account(newcomer: &Somebody, agent: &Somebody) -> Value {
    let asked = newcomer.client.post("/api/accounts", &json!({ "label": "Every day" })).await.expect(201);
    assert_eq!((&asked["state"], &asked["iban"]), (&json!("pending"), &Value::Null), "{asked}");
    let wish = json!({ "account": asked["id"], "amount": "1.00", "currency": "EUR" });
    newcomer.client.post("/api/deposits", &wish).await.problem(409, "account-not-open");
    approve(agent, &asked["request"]).await;
    let account = account_of(newcomer, &asked).await;
    assert_eq!((&account["state"], &account["booked"]), (&json!("open"), &json!("0.00")), "{account}");

    let rib = newcomer.client.get(format!("/api/accounts/{}/rib", text(&account["id"]))).await.expect(200);
    let iban = text(&account["iban"]);
    assert_eq!(rib["iban"], account["iban"]);
    assert_eq!(rib["holder"], "Noé Martin");
    assert!(iban.starts_with("FR") && iban.len() == 27, "{iban}");
    assert_eq!(mod97(&format!("{}{}", &iban[4..], &iban[..4])), 1, "{iban}");
    let parts: Vec<String> = ["bank", "branch", "account", "key"].iter().map(|part| text(&rib[*part])).collect();
    assert_eq!(iban[4..], parts.concat());
    assert_eq!(parts[3], rib_key(&parts[0], &parts[1], &parts[2]), "{rib}");
    assert!(matches!(text(&rib["bic"]).len(), 8 | 11), "{rib}");
    account
}

/// ISO 7064: letters stand for two digits, A for 10.
fn mod97(text: &str) -> u64 {
    let digits: String = text.chars().map(|c| c.to_digit(36).unwrap().to_string()).collect();
    digits.bytes().fold(0, |rest, digit| (rest * 10 + u64::from(digit - b'0')) % 97)
}

/// The French key, from its definition: bank, branch, account and key together are a multiple of 97.
fn rib_key(bank: &str, branch: &str, account: &str) -> String {
    let digit = |c: char| match c {
        '0'..='9' => u64::from(c) - u64::from('0'),
        'A'..='R' => (u64::from(c) - u64::from('A')) % 9 + 1,
        _ => u64::from(c) - u64::from('S') + 2,
    };
    let rest = format!("{bank}{branch}{account}00").chars().fold(0, |rest, c| (rest * 10 + digit(c)) % 97);
    format!("{:02}", 97 - rest)
}

async fn balances(who: &Somebody, account: &Value) -> (String, String, String) {
    let account = account_of(who, account).await;
    (text(&account["booked"]), text(&account["pending"]), text(&account["available"]))
}

fn three(booked: &str, pending: &str, available: &str) -> (String, String, String) {
    (booked.into(), pending.into(), available.into())
}

async fn deposits(newcomer: &Somebody, agent: &Somebody, account: &Value) {
    let wish = json!({ "account": account["id"], "amount": "100.00", "currency": "EUR", "reference": "First" });
    let request = newcomer.client.post("/api/deposits", &wish).await.expect(201);
    assert_eq!((&request["state"], &request["kind"]), (&json!("pending"), &json!("deposit")), "{request}");
    assert_eq!(balances(newcomer, account).await, three("0.00", "0.00", "0.00"));
    let decided = approve(agent, &request).await;
    assert_eq!(decided["checker"], json!(agent.id), "{decided}");
    assert_eq!(balances(newcomer, account).await, three("100.00", "0.00", "100.00"));
}

async fn transfers(newcomer: &Somebody, agent: &Somebody, account: &Value, other: &Somebody, theirs: &Value) {
    let wish = json!({
        "from": account["id"], "to": theirs["iban"], "amount": "30.00", "currency": "EUR", "reference": "Rent",
    });
    let request = newcomer.client.post("/api/transfers", &wish).await.expect(201);
    assert_eq!(request["to"], theirs["iban"], "{request}");
    assert_eq!(balances(newcomer, account).await, three("100.00", "30.00", "70.00"));
    assert_eq!(balances(other, theirs).await, three("0.00", "0.00", "0.00"));
    let approval = format!("/api/requests/{}/approve", text(&request["id"]));
    newcomer.client.post(&approval, &json!({})).await.problem(403, "forbidden");
    approve(agent, &request).await;
    agent.client.post(&approval, &json!({})).await.problem(409, "already-decided");
    let reject = format!("/api/requests/{}/reject", text(&request["id"]));
    agent.client.post(&reject, &json!({ "reason": "too late" })).await.problem(409, "already-decided");
    assert_eq!(balances(newcomer, account).await, three("70.00", "0.00", "70.00"));
    assert_eq!(balances(other, theirs).await, three("30.00", "0.00", "30.00"));
}

async fn nobody_decides_their_own(anne: &Somebody, luc: &Somebody) {
    let account = anne.client.post("/api/accounts", &json!({ "label": "Anne's own" })).await.expect(201);
    let approval = format!("/api/requests/{}/approve", text(&account["request"]["id"]));
    anne.client.post(&approval, &json!({})).await.problem(403, "forbidden");
    assert_eq!(account_of(anne, &account).await["state"], "pending");
    approve(luc, &account["request"]).await;
    people::fund(anne, luc, &account, "10.00").await;
    // Money that somebody else sends to her benefits her too.
    let his = open_account(luc, anne, "Luc's own").await;
    people::fund(luc, anne, &his, "10.00").await;
    let hers = account_of(anne, &account).await;
    let gift = json!({ "from": his["id"], "to": hers["iban"], "amount": "5.00", "currency": "EUR" });
    let gift = luc.client.post("/api/transfers", &gift).await.expect(201);
    let approval = format!("/api/requests/{}/approve", text(&gift["id"]));
    anne.client.post(&approval, &json!({})).await.problem(403, "forbidden");
    luc.client.post(&approval, &json!({})).await.problem(403, "forbidden");
    let cancelled = luc.client.post(format!("/api/requests/{}/cancel", text(&gift["id"])), &json!({})).await;
    assert_eq!(cancelled.expect(200)["state"], "cancelled");
    assert_eq!(balances(luc, &his).await, three("10.00", "0.00", "10.00"));
}

async fn both_histories_agree(newcomer: &Somebody, account: &Value, other: &Somebody, theirs: &Value) {
    let history = async |who: &Somebody, of: &Value| {
        who.client.all(&format!("/api/accounts/{}/transactions", text(&of["id"]))).await
    };
    let (mine, hers) = (history(newcomer, account).await, history(other, theirs).await);
    assert_eq!((mine.len(), hers.len()), (2, 1), "{mine:?} {hers:?}");
    let (out, incoming) = (&mine[0], &hers[0]);
    assert_eq!(out["id"], incoming["id"]);
    assert_eq!((&out["amount"], &out["balance_after"]), (&json!("-30.00"), &json!("70.00")), "{out}");
    assert_eq!((&incoming["amount"], &incoming["balance_after"]), (&json!("30.00"), &json!("30.00")), "{incoming}");
    assert_eq!(out["counterparty_iban"], theirs["iban"]);
    assert_eq!(incoming["counterparty_iban"], account["iban"]);
    assert_eq!((&mine[1]["amount"], &mine[1]["kind"]), (&json!("100.00"), &json!("deposit")), "{mine:?}");
}

async fn cannot_spend_what_is_not_there(newcomer: &Somebody, account: &Value) {
    let wish = json!({ "account": account["id"], "amount": "500.00", "currency": "EUR" });
    let problem = newcomer.client.post("/api/withdrawals", &wish).await.problem(422, "insufficient-funds");
    assert_eq!(problem["errors"][0]["field"], "amount", "{problem}");
    assert_eq!(balances(newcomer, account).await, three("70.00", "0.00", "70.00"));
}

async fn asks_once_with_a_key(newcomer: &Somebody, account: &Value) {
    let wish =
        |amount: &str| json!({ "account": account["id"], "amount": amount, "currency": "EUR", "reference": "Once" });
    let ask = |amount: &str| Ask::post("/api/withdrawals", &wish(amount)).once("a-key-of-the-newcomer");
    let first = newcomer.client.call(ask("20.00")).await.expect(201);
    let again = newcomer.client.call(ask("20.00")).await.expect(201);
    assert_eq!(first["id"], again["id"]);
    newcomer.client.call(ask("21.00")).await.problem(422, "idempotency-key-reused");
    assert_eq!(balances(newcomer, account).await, three("70.00", "20.00", "50.00"));
    let mine = newcomer.client.all("/api/requests?kind=withdrawal&mine=true").await;
    assert_eq!(mine.len(), 1, "{mine:?}");
}

async fn sees_nothing_of_others(newcomer: &Somebody, theirs: &Value) {
    let theirs = text(&theirs["id"]);
    for rest in ["", "/rib", "/transactions"] {
        let look = async |id: &str| newcomer.client.get(format!("/api/accounts/{id}{rest}")).await;
        let (real, random) = (look(&theirs).await, look(NOTHING).await);
        assert_eq!(real.visible(), random.visible());
        real.problem(404, "not-found");
    }
    let wish = |id: &str| json!({ "account": id, "amount": "1.00", "currency": "EUR" });
    let (real, random) = (
        newcomer.client.post("/api/withdrawals", &wish(&theirs)).await,
        newcomer.client.post("/api/withdrawals", &wish(NOTHING)).await,
    );
    assert_eq!(real.visible(), random.visible());
    real.problem(404, "not-found");
    let mine = newcomer.client.all("/api/accounts").await;
    assert!(mine.iter().all(|account| account["owner"] == json!(newcomer.id)), "{mine:?}");
}

async fn finds_every_step_in_the_logs(newcomer: &Somebody, agent: &Somebody) {
    const STEPS: [&str; 11] = [
        "REGISTERED",
        "LOGIN_FAILED",
        "USER_ACTIVATED",
        "LOGIN",
        "OPEN_ACCOUNT_REQUESTED",
        "OPEN_ACCOUNT_APPROVED",
        "DEPOSIT_REQUESTED",
        "DEPOSIT_APPROVED",
        "TRANSFER_REQUESTED",
        "TRANSFER_APPROVED",
        "WITHDRAWAL_REQUESTED",
    ];
    let (own, of_them) = ("/api/logs".to_owned(), format!("/api/logs?user={}", newcomer.login));
    for (who, path) in [(newcomer, own), (agent, of_them)] {
        eventually("every step stands in the journal", async || {
            let entries = who.client.all(&path).await;
            STEPS.iter().all(|step| entries.iter().any(|entry| entry["action"] == *step)).then_some(())
        })
        .await;
    }
    // The key was used three times and moved the bank once.
    let asked = agent.client.all(&format!("/api/logs?user={}&action=WITHDRAWAL_REQUESTED", newcomer.login)).await;
    assert_eq!(asked.len(), 1, "{asked:?}");
    let entries = newcomer.client.all("/api/logs").await;
    assert!(!Value::from(entries).to_string().contains(PASSWORD));
    let failed = agent.client.all(&format!("/api/logs?user={}&action=LOGIN_FAILED", newcomer.login)).await;
    let reasons: Vec<_> = failed.iter().map(|entry| &entry["details"]["reason"]).collect();
    assert!(reasons.contains(&&json!("pending")) && reasons.contains(&&json!("wrong-password")), "{failed:?}");
}

async fn every_truth_holds(anyone: &Client) {
    let status = eventually("the monitor has seen every service up", async || {
        let status = anyone.get("/api/status").await.expect(200);
        (status["health"] == "up").then_some(status)
    })
    .await;
    let truths: Vec<&Value> =
        status["services"].as_array().unwrap().iter().flat_map(|it| it["truths"].as_array().unwrap()).collect();
    assert!(truths.iter().all(|truth| truth["holds"] == json!(true)), "{truths:?}");
    assert!(truths.iter().any(|truth| text(&truth["name"]).contains("zero")), "nobody says that entries sum to zero");
    let page = anyone.call(Ask::new("GET", "/status").header("accept-language", "fr")).await.text;
    let untranslated: Vec<_> = truths.iter().map(|truth| text(&truth["name"])).filter(|it| page.contains(it)).collect();
    assert!(untranslated.is_empty(), "the French page says {untranslated:?}");
}
