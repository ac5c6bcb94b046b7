//! People who use a bank through its API: how they register, sign in, and open their first account.

use serde_json::{Value, json};

use crate::client::{Ask, Client};

/// A password that nobody guesses.
pub(crate) const PASSWORD: &str = "velvet anchor tumbles south";

/// Somebody who signed in.
#[derive(Clone)]
pub(crate) struct Somebody {
    pub(crate) id: String,
    pub(crate) login: String,
    pub(crate) client: Client,
}

/// What `POST /api/auth/register` takes.
pub(crate) fn registration(login: &str) -> Value {
    json!({
        "login": login, "password": PASSWORD, "email": format!("{login}@example.org"),
        "first_name": "Noé", "last_name": "Martin",
    })
}

/// Signs in and tells who it is.
pub(crate) async fn sign_in(bank: &Client, login: &str, password: &str) -> Somebody {
    let tokens = bank.call(Ask::new("POST", "/api/auth/login").basic(login, password)).await.expect(200);
    let client = bank.with_token(tokens["access_token"].as_str().unwrap());
    let me = client.get("/api/auth/whoami").await.expect(200);
    Somebody { id: text(&me["id"]), login: text(&me["login"]), client }
}

/// A member, registered, activated by `agent` and signed in.
pub(crate) async fn join(bank: &Client, agent: &Somebody, login: &str) -> Somebody {
    let user = bank.post("/api/auth/register", &registration(login)).await.expect(201);
    agent.client.post(format!("/api/auth/users/{}/activate", text(&user["id"])), &json!({})).await.expect(200);
    sign_in(bank, login, PASSWORD).await
}

/// An agent, created by `superuser` and signed in.
pub(crate) async fn hire(bank: &Client, superuser: &Somebody, login: &str) -> Somebody {
    superuser.client.post("/api/auth/users", &registration(login)).await.expect(201);
    sign_in(bank, login, PASSWORD).await
}

/// An open account of `owner`, with nothing in it.
pub(crate) async fn open_account(owner: &Somebody, agent: &Somebody, label: &str) -> Value {
    let account = owner.client.post("/api/accounts", &json!({ "label": label, "currency": "EUR" })).await.expect(201);
    assert_eq!(account["state"], "pending", "{account}");
    approve(agent, &account["request"]).await;
    let account = account_of(owner, &account).await;
    assert_eq!(account["state"], "open", "{account}");
    account
}

/// Puts money into an account, with everybody's consent.
pub(crate) async fn fund(owner: &Somebody, agent: &Somebody, account: &Value, amount: &str) {
    let wish = json!({ "account": account["id"], "amount": amount, "currency": "EUR", "reference": "" });
    let request = owner.client.post("/api/deposits", &wish).await.expect(201);
    approve(agent, &request).await;
}

/// Approves a request that can be approved.
pub(crate) async fn approve(agent: &Somebody, request: &Value) -> Value {
    let decided = agent.client.post(format!("/api/requests/{}/approve", text(&request["id"])), &json!({})).await;
    let decided = decided.expect(200);
    assert_eq!(decided["state"], "approved", "{decided}");
    decided
}

/// An account as it is now.
pub(crate) async fn account_of(who: &Somebody, account: &Value) -> Value {
    who.client.get(format!("/api/accounts/{}", text(&account["id"]))).await.expect(200)
}

/// A JSON string.
#[track_caller]
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a string")).to_owned()
}
