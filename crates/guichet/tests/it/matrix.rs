//! The authorization matrix, proved by itself: every route that `guichet routes` lists, with every kind of credential,
//! answers what the list says; and what was refused left nothing behind but its audit record.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aaa::{Claims, Principal, Signer};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use guichet::{Databases, House, Plan};
use identity::SigningKey;
use serde::Deserialize;
use serde_json::{Value, json};
use vocabulary::{Chance, Clock, SessionId, Timestamp};

use crate::client::{Answer, Ask, Client};
use crate::people::{Somebody, fund, hire, join, open_account, sign_in, text};
use crate::process::output;

/// A line of `guichet routes --json`.
#[derive(Deserialize, Clone, Debug)]
struct Line {
    service: String,
    method: String,
    path: String,
    operation: String,
    who: String,
    right: Option<String>,
}

/// Names nothing.
const NOTHING: &str = "01900000-0000-7000-8000-000000000000";
const ROLES: [&str; 3] = ["member", "agent", "superuser"];
/// How the layer refuses a role, as distinct from an object.
const NOT_THIS_ROLE: &str = "your role does not include it";

fn matrix() -> Vec<Line> {
    let lines: Vec<Line> = serde_json::from_str(&output(&["routes", "--json"])).unwrap();
    assert!(lines.len() > 40, "only {} routes", lines.len());
    lines
}

impl Line {
    /// A request with `id` in its path and a body without fields.
    fn ask(&self, id: &str) -> Ask {
        self.ask_with(id, &json!({}))
    }

    fn ask_with(&self, id: &str, body: &Value) -> Ask {
        let method = ["GET", "POST", "PATCH", "PUT", "DELETE"].into_iter().find(|it| *it == self.method).unwrap();
        let ask = Ask::new(method, self.path.replace("{id}", id));
        if matches!(method, "GET" | "DELETE") { ask } else { ask.json(body) }
    }

    fn admits(&self, role: &str) -> bool {
        match self.who.as_str() {
            "open" | "signed in" => true,
            groups => groups.split(" or ").any(|group| group == role),
        }
    }

    fn is_open(&self) -> bool {
        self.who == "open"
    }
}

type Tables = BTreeMap<(&'static str, String), Vec<String>>;

/// A whole bank in this process: two members, two agents and a superuser, an account each, and requests that wait.
struct Scene {
    house: House,
    anyone: Client,
    signer: Arc<Signer>,
    clock: Clock,
    chance: Chance,
    member: Somebody,
    other: Somebody,
    agent: Somebody,
    colleague: Somebody,
    superuser: Somebody,
    /// Of the first member.
    account: Value,
    /// Made by the first member.
    request: Value,
    _home: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp::from_seconds(1_790_000_000));
        let key = home.path().join("signing.key");
        let plan = Plan {
            proxies: 0,
            origin: None,
            databases: Databases::Directory(home.path().to_owned()),
            key: key.clone(),
            log: home.path().to_owned(),
            bank: bank::BankConfig::example().unwrap(),
            mail: None,
            checks: monitor::Settings::default(),
            backup: None,
            clock: clock.clone(),
            chance: Chance::seeded(1),
        };
        let house = House::open(plan).await.unwrap();
        let keys = SigningKey::open_or_create(&key, &clock, &Chance::seeded(3)).unwrap();
        let signer = keys.signer(clock.now());
        let (login, password) = house.identity.ensure_first_superuser().await.unwrap().unwrap();
        let anyone = Client::in_process(house.router.clone());
        let superuser = sign_in(&anyone, login.as_str(), password.expose()).await;
        let agent = hire(&anyone, &superuser, "agathe").await;
        let colleague = hire(&anyone, &superuser, "albert").await;
        let member = join(&anyone, &agent, "basile").await;
        let other = join(&anyone, &agent, "carole").await;
        let account = open_account(&member, &agent, "Every day").await;
        open_account(&other, &agent, "Hers").await;
        fund(&member, &agent, &account, "100.00").await;
        let wish = json!({ "account": account["id"], "amount": "10.00", "currency": "EUR", "reference": "Waits" });
        let request = member.client.post("/api/withdrawals", &wish).await.expect(201);
        Self {
            house,
            anyone,
            signer,
            clock,
            chance: Chance::seeded(2),
            member,
            other,
            agent,
            colleague,
            superuser,
            account,
            request,
            _home: home,
        }
    }

    fn somebody(&self, role: &str) -> &Somebody {
        match role {
            "member" => &self.member,
            "agent" => &self.agent,
            _ => &self.superuser,
        }
    }

    /// Good claims of a new session.
    fn claims(&self, role: &str) -> Claims {
        let (now, who) = (self.clock.now(), self.somebody(role));
        self.signer.claims(&Principal {
            id: who.id.parse().unwrap(),
            session: SessionId::new(&self.clock, &self.chance),
            token: Some(self.chance.below(u64::MAX).to_string()),
            ..Principal::named(&who.login, [role]).during(now, now.plus(Duration::from_mins(10)))
        })
    }

    fn token(&self, role: &str) -> String {
        self.signer.sign(&self.claims(role)).unwrap()
    }

    /// Credentials that prove nothing, by what is wrong with them.
    fn bad_credentials(&self) -> Vec<(&'static str, Option<String>)> {
        let now = self.clock.now().seconds();
        let bearer = |token: String| Some(format!("Bearer {token}"));
        let signed = |change: fn(&mut Claims, i64)| {
            let mut claims = self.claims("superuser");
            change(&mut claims, now);
            bearer(self.signer.sign(&claims).unwrap())
        };
        let stranger = Signer::from_seed(&[7; 32], identity::ISSUER, identity::ISSUER).unwrap();
        let forged = stranger.sign(&self.claims("superuser")).unwrap();
        let good = self.token("superuser");
        let (good_head, good_body, good_mark) = parts(&good);
        let (_, other_body, forged_mark) = parts(&forged);
        let unsigned = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        vec![
            ("no credential", None),
            ("an empty one", Some("Bearer ".into())),
            ("no token", bearer("not-a-token".into())),
            ("three dots", bearer("a.b.c".into())),
            ("another scheme", Some(format!("Token {good}"))),
            ("a password", Some("Basic c3VwZXJ1c2VyOnN1cGVydXNlcg==".into())),
            ("expired", signed(|claims, now| (claims.nbf, claims.iat, claims.exp) = (now - 700, now - 700, now - 100))),
            ("too early", signed(|claims, now| claims.nbf = now + 100)),
            ("of another issuer", signed(|claims, _| claims.iss = "somebody".into())),
            ("for another audience", signed(|claims, _| claims.aud = "somebody".into())),
            ("signed with another key", bearer(forged.clone())),
            ("another key's signature under ours", bearer(format!("{good_head}.{good_body}.{forged_mark}"))),
            ("other claims over our signature", bearer(format!("{good_head}.{other_body}.{good_mark}"))),
            ("unsigned", bearer(format!("{unsigned}.{good_body}."))),
            ("cut short", bearer(good[..good.len() - 4].to_owned())),
            ("endless", bearer("x".repeat(6000))),
        ]
    }

    /// Every table of every store but the audit records, and how many of those there are.
    async fn tables(&self) -> (Tables, BTreeMap<&'static str, usize>) {
        self.house.settle().await;
        let (mut tables, mut audits) = (Tables::new(), BTreeMap::new());
        for (service, store) in self.house.stores() {
            for (table, rows) in store.dump().await.unwrap() {
                if table == "audit" {
                    audits.insert(*service, rows.len());
                } else {
                    tables.insert((*service, table), rows);
                }
            }
        }
        (tables, audits)
    }
}

fn parts(token: &str) -> (&str, &str, &str) {
    let mut parts = token.split('.');
    (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap())
}

/// The tables that differ.
fn changed(before: &Tables, after: &Tables) -> Vec<String> {
    let names = before.keys().chain(after.keys()).collect::<std::collections::BTreeSet<_>>();
    names
        .into_iter()
        .filter(|it| before.get(it) != after.get(it))
        .map(|(service, table)| format!("{service}.{table}"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_every_credential_as_the_matrix_says() {
    let scene = Scene::new().await;
    let mut wrong = Vec::new();
    for line in matrix() {
        let (before, noted) = scene.tables().await;
        let mut refusals = 0;
        let mut first = BTreeMap::new();
        for (what, credential) in scene.bad_credentials() {
            let ask = line.ask(NOTHING);
            let ask = match credential {
                Some(credential) => ask.header("authorization", credential),
                None => ask,
            };
            let answer = scene.anyone.call(ask).await;
            let fits = if line.is_open() {
                // What nobody looks at changes nothing. (Signing in is the one route where Basic is looked at.)
                answer.status == 400 || answer.status < 300 || answer.body["type"] == "urn:problem:sign-in-refused"
            } else {
                refusals += 1;
                // RFC 6750: only a token that was shown is called invalid; what is wrong with it is never told.
                let shown = format!("{:?}", answer.headers.get("www-authenticate")).contains("invalid_token");
                let same = *first.entry(shown).or_insert_with(|| answer.visible()) == answer.visible();
                is_unauthorized(&answer) && same
            };
            if !fits {
                wrong.push(format!(
                    "{} {} with a credential that is {what}: {}",
                    line.method,
                    line.path,
                    answer.brief()
                ));
            }
        }
        for role in ROLES.into_iter().filter(|role| !line.admits(role)) {
            refusals += 1;
            let answer = scene.anyone.with_token(scene.token(role)).call(line.ask(NOTHING)).await;
            if !is_for_others(&answer) {
                wrong.push(format!("{} {} as {role}: {}", line.method, line.path, answer.brief()));
            }
        }
        let (after, noted_after) = scene.tables().await;
        let differing = changed(&before, &after);
        if !differing.is_empty() && line.operation != "SignIn" {
            wrong.push(format!("{} {} refused, and {differing:?} changed", line.method, line.path));
        }
        if let (Some(was), Some(is)) = (noted.get(line.service.as_str()), noted_after.get(line.service.as_str()))
            && !line.is_open()
            && *is != was + refusals
        {
            wrong.push(format!("{} {}: {refusals} refusals, {was} records before, {is} after", line.method, line.path));
        }
        for role in ROLES.into_iter().filter(|role| line.admits(role)) {
            let answer = scene.anyone.with_token(scene.token(role)).call(line.ask(NOTHING)).await;
            if is_unauthorized(&answer) || is_for_others(&answer) || answer.status >= 500 {
                wrong.push(format!("{} {} as {role}: {}", line.method, line.path, answer.brief()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} answers are not what the matrix says:\n{}", wrong.len(), wrong.join("\n"));
}

fn is_unauthorized(answer: &Answer) -> bool {
    answer.status == 401
        && answer.body["type"] == "urn:problem:unauthorized"
        && answer
            .headers
            .get("www-authenticate")
            .is_some_and(|it| it.to_str().unwrap().starts_with("Bearer realm=\"guichet\""))
}

fn is_for_others(answer: &Answer) -> bool {
    answer.status == 403 && answer.body["detail"].as_str().is_some_and(|it| it.contains(NOT_THIS_ROLE))
}

/// A body with which the operation would be done for whoever holds the right.
fn sound_body(line: &Line, object: &str, iban: &str) -> Value {
    match line.operation.as_str() {
        "RequestDeposit" | "RequestWithdrawal" => json!({ "account": object, "amount": "1.00", "currency": "EUR" }),
        "RequestTransfer" => json!({ "from": object, "to": iban, "amount": "1.00", "currency": "EUR" }),
        "EditAccount" => json!({ "label": "Mine now" }),
        "RejectRequest" => json!({ "reason": "because I can" }),
        _ => json!({}),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_others_answers_like_one_that_does_not_exist() {
    let scene = Scene::new().await;
    let iban = text(&scene.other.client.all("/api/accounts").await[0]["iban"]);
    let (mut tried, mut wrong) = (0, Vec::new());
    for line in matrix() {
        let object = match line.right.as_deref() {
            Some("see account" | "use account") => text(&scene.account["id"]),
            Some("see request" | "cancel request" | "decide request") => text(&scene.request["id"]),
            Some("see user" | "manage user") => scene.member.id.clone(),
            // Members never get so far; among staff, identity's own tests tell who sees what.
            None | Some("decide factor reset") => continue,
            Some(right) => panic!("this test does not know an object of the right `{right}`: teach it"),
        };
        // Agents may see accounts and requests, and superusers people: for these the object exists.
        let mut strangers = vec![&scene.other];
        match line.right.as_deref() {
            Some("see account" | "see request") => strangers.push(&scene.superuser),
            Some("use account" | "cancel request") => strangers.extend([&scene.superuser]),
            _ => {}
        }
        for stranger in strangers.into_iter().filter(|it| it.id != scene.other.id || line.admits("member")) {
            tried += 1;
            let (before, _) = scene.tables().await;
            let call = async |id: &str| stranger.client.call(line.ask_with(id, &sound_body(&line, id, &iban))).await;
            let (real, random) = (call(&object).await, call(NOTHING).await);
            let (after, _) = scene.tables().await;
            if real.status != 404 || real.visible() != random.visible() || before != after {
                let changed = changed(&before, &after);
                let (real, random) = (real.brief(), random.brief());
                wrong.push(format!("{} as {}: {real} | {random} | {changed:?}", line.operation, stranger.login));
            }
        }
    }
    assert!(tried >= 15, "only {tried} calls");
    assert!(wrong.is_empty(), "{} answers tell what they should not:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn duties_are_separate() {
    let scene = Scene::new().await;
    let Scene { member, agent, colleague, superuser, .. } = &scene;
    let own = agent.client.post("/api/accounts", &json!({ "label": "Own" })).await.expect(201);
    let own = text(&own["request"]["id"]);
    let made = text(&scene.request["id"]);
    let decide = |verb: &str, id: &str| (format!("/api/requests/{id}/{verb}"), json!({ "reason": "because I can" }));
    let approve = |id: &str| (format!("/api/requests/{id}/approve"), json!({}));
    let act = |verb: &str, who: &Somebody| (format!("/api/auth/users/{}/{verb}", who.id), json!({}));
    let refused = [
        ("an agent decides her own request", agent, approve(&own)),
        ("an agent rejects her own request", agent, decide("reject", &own)),
        ("a superuser decides", superuser, approve(&made)),
        ("a superuser rejects", superuser, decide("reject", &made)),
        ("a maker decides", member, approve(&made)),
        ("an agent cancels another's request", agent, (format!("/api/requests/{made}/cancel"), json!({}))),
        ("an agent disables a colleague", agent, act("disable", colleague)),
        ("an agent disables herself", agent, act("disable", agent)),
        ("an agent disables a superuser", agent, act("disable", superuser)),
        ("a superuser disables a member", superuser, act("disable", member)),
        ("the last superuser disables themselves", superuser, act("disable", superuser)),
        ("a member disables another", member, act("disable", &scene.other)),
    ];
    let (before, _) = scene.tables().await;
    for (what, who, (path, body)) in refused {
        let answer = who.client.post(&path, &body).await;
        assert!(matches!(answer.status, 403 | 404), "{what}: {answer:?}");
        assert_eq!(changed(&before, &scene.tables().await.0), Vec::<String>::new(), "{what}");
    }
    for who in [agent, superuser] {
        let answer = who.client.call(Ask::new("DELETE", format!("/api/auth/users/{}", who.id))).await;
        assert!(matches!(answer.status, 403 | 404), "deleting oneself: {answer:?}");
    }
    let owner = Ask::new("DELETE", format!("/api/auth/users/{}", member.id));
    agent.client.call(owner).await.problem(409, "has-accounts");
    assert_eq!(changed(&before, &scene.tables().await.0), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_matrix_does_not_list_is_not_there() {
    let scene = Scene::new().await;
    let lines = matrix();
    for path in
        ["/api", "/api/", "/api/nothing", "/api/auth", "/api/accounts/", "/api/auth/users/x/y", "/health", "/metrics"]
    {
        let answer = scene.anyone.with_token(scene.token("superuser")).get(path).await;
        assert!(answer.status == 404, "{path}: {answer:?}");
    }
    for line in lines.iter().filter(|line| line.path.starts_with("/api")) {
        let listed = |method: &str| lines.iter().any(|it| it.path == line.path && it.method == method);
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"].into_iter().filter(|method| !listed(method)) {
            let unlisted = Line { method: method.into(), ..line.clone() };
            let answer = scene.anyone.with_token(scene.token("superuser")).call(unlisted.ask(NOTHING)).await;
            answer.problem(405, "method-not-allowed");
        }
    }
}

#[test]
fn the_matrix_is_the_reviewed_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots/routes.txt");
    let now = output(&["routes"]);
    if std::env::var("GUICHET_TEST_UPDATE").is_ok_and(|it| it == "1") {
        std::fs::write(&path, &now).unwrap();
        return;
    }
    let reviewed = std::fs::read_to_string(&path).unwrap_or_default();
    let missing: Vec<&str> = reviewed.lines().filter(|line| !now.lines().any(|it| it == *line)).collect();
    let new: Vec<&str> = now.lines().filter(|line| !reviewed.lines().any(|it| it == *line)).collect();
    assert!(
        reviewed == now,
        "who may call what has changed.\nno longer so:\n{}\nnew:\n{}\nIf that is right, write it down for the review: \
         GUICHET_TEST_UPDATE=1 cargo test -p guichet the_matrix_is_the_reviewed_one",
        missing.join("\n"),
        new.join("\n")
    );
}
