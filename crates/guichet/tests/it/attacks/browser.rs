//! What another site, or whoever sits at the same computer, tries through a browser: fixed sessions, forged forms, ways out
//! to other sites, cookies that travel too far, pages that another site frames or keeps.

use std::fmt::Write;

use http::HeaderMap;
use serde_json::json;

use super::{Town, enrol, next_code};
use crate::client::{Answer, Ask, Client};
use crate::people::PASSWORD;

const SESSION: &str = "__Host-guichet";

fn form(path: &str, fields: &[(&str, &str)]) -> Ask {
    let written = |text: &str| {
        text.bytes().fold(String::new(), |mut written, byte| {
            let _ = write!(written, "%{byte:02x}");
            written
        })
    };
    let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{}={}", written(name), written(value))).collect();
    Ask::new("POST", path).raw("application/x-www-form-urlencoded", pairs.join("&"))
}

fn sign_in(login: &str) -> Ask {
    form("/sign-in", &[("login", login), ("password", PASSWORD)])
}

fn set(headers: &HeaderMap) -> Vec<String> {
    headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap().to_owned()).collect()
}

/// `name=value` of a cookie that was set.
fn cookie(answer: &Answer, name: &str) -> String {
    let found = set(&answer.headers).into_iter().find(|line| line.starts_with(&format!("{name}=")));
    found.unwrap_or_else(|| panic!("no {name}: {answer:?}")).split(';').next().unwrap().to_owned()
}

fn location(answer: &Answer) -> String {
    answer.headers.get("location").map(|it| it.to_str().unwrap().to_owned()).unwrap_or_default()
}

/// Whether the cookie opens somebody's pages.
async fn opens(client: &Client, cookie: &str) -> bool {
    client.call(Ask::new("GET", "/accounts").header("cookie", cookie)).await.status == 200
}

/// Whether a cookie that has ended opens nobody's pages.
async fn closed(client: &Client, cookie: &str) -> bool {
    let shut = async || (!opens(client, cookie).await).then_some(());
    crate::process::heard("a session that was ended opens nothing", shut).await.is_some()
}

/// What the forms of a session carry: the session's token, and the form's own key.
async fn hidden(client: &Client, cookie: &str) -> (String, String) {
    let page = client.call(Ask::new("GET", "/accounts/new").header("cookie", cookie)).await.text;
    let value = |name: &str| {
        let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("{page}"));
        rest.split('"').next().unwrap().to_owned()
    };
    (value("csrf"), value("key"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_never_one_that_somebody_else_chose_and_its_cookie_stays_where_it_belongs() {
    let town = Town::new().await;
    let client = &town.anyone;
    let chosen = format!("{SESSION}=chosen-by-somebody-else");
    let first = client.call(sign_in("basile").header("cookie", chosen.clone())).await;
    let session = cookie(&first, SESSION);
    assert_ne!(session, chosen);
    assert!(opens(client, &session).await && !opens(client, &chosen).await);
    // Signing in again, as the same or as another, is another session, and ends the one before.
    let again = cookie(&client.call(sign_in("basile").header("cookie", session.clone())).await, SESSION);
    assert!(again != session && opens(client, &again).await && closed(client, &session).await);
    let another = cookie(&client.call(sign_in("carole").header("cookie", again.clone())).await, SESSION);
    assert!(another != again && opens(client, &another).await && closed(client, &again).await);
    // The API takes no cookie: what a browser sends by itself does nothing there.
    client.call(Ask::new("GET", "/api/accounts").header("cookie", another.clone())).await.problem(401, "unauthorized");

    let out = form("/sign-out", &[("csrf", &hidden(client, &another).await.0)]).header("cookie", another.clone());
    let out = client.call(out).await;
    assert!(!opens(client, &another).await);
    let theme = client.call(form("/preferences", &[("theme", "dark"), ("language", "en")])).await;
    let mut seen = 0;
    for line in [&first, &out, &theme].into_iter().flat_map(|answer| set(&answer.headers)) {
        seen += 1;
        for part in ["__Host-", "; Secure", "; HttpOnly", "; SameSite=", "; Path=/"] {
            assert!(line.contains(part), "{part} is not in {line}");
        }
        assert!(!line.to_lowercase().contains("domain") && !line.contains("SameSite=None"), "{line}");
    }
    assert!(seen >= 4, "only {seen} cookies");
    for page in ["/sign-in", "/accounts"] {
        let answer = client.call(Ask::new("GET", page).header("cookie", another.clone())).await;
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("form-action 'self'"), "{page}: {policy}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_another_site_made_does_nothing() {
    let town = Town::new().await;
    let client = &town.anyone;
    let session = cookie(&client.call(sign_in("basile")).await, SESSION);
    let theirs = cookie(&client.call(sign_in("carole")).await, SESSION);
    let ((token, key), (their_token, _)) = (hidden(client, &session).await, hidden(client, &theirs).await);
    let fields = |csrf| [("label", "Forged"), ("currency", "EUR"), ("key", key.as_str()), ("csrf", csrf)];
    let (good, bare) = (form("/accounts/new", &fields(&token)), form("/accounts/new", &fields("")[..3]));
    let json = json!({ "label": "Forged", "currency": "EUR", "key": key, "csrf": token }).to_string();
    let multipart = format!("--x\r\ncontent-disposition: form-data; name=\"csrf\"\r\n\r\n{token}\r\n--x--\r\n");
    let evil = format!("{}.evil.example", town.bank.line.url.trim_end_matches('/'));
    for (what, ask) in [
        ("without a token", bare.clone()),
        ("without a token, as if from here", bare.header("sec-fetch-site", "same-origin")),
        ("with an empty token", form("/accounts/new", &fields(""))),
        ("with another session's token", form("/accounts/new", &fields(&their_token))),
        ("from another site", good.clone().header("sec-fetch-site", "cross-site")),
        ("from a sister site", good.clone().header("sec-fetch-site", "same-site")),
        ("from nowhere", good.clone().header("origin", "null")),
        ("from another origin", good.clone().header("origin", "https://evil.example")),
        ("from an origin that begins like ours", good.clone().header("origin", evil)),
        ("as text", Ask::new("POST", "/accounts/new").raw("text/plain", json.clone())),
        ("as JSON", Ask::new("POST", "/accounts/new").raw("application/json", json)),
        ("in parts", Ask::new("POST", "/accounts/new").raw("multipart/form-data; boundary=x", multipart)),
        ("by GET", Ask::new("GET", format!("/accounts/new?label=Forged&currency=EUR&key={key}&csrf={token}"))),
        ("by PUT", Ask::new("PUT", "/accounts/new").raw("application/x-www-form-urlencoded", "label=Forged")),
        ("signing out by GET", Ask::new("GET", "/sign-out")),
        ("signing out from another site", form("/sign-out", &[]).header("sec-fetch-site", "cross-site")),
    ] {
        let answer = client.call(ask.header("cookie", session.clone())).await;
        assert!(!location(&answer).contains("done="), "{what}: {answer:?}");
        let made = town.member.client.all("/api/accounts").await;
        assert_eq!(made.len(), 1, "{what} opened an account");
        assert!(opens(client, &session).await, "{what} signed somebody out");
    }
    let done = client.call(good.header("cookie", session)).await;
    assert!(location(&done).contains("done="), "the form of this site does: {done:?}");
    let forged = client.call(sign_in("basile").header("origin", "https://evil.example")).await;
    assert!(set(&forged.headers).iter().all(|line| !line.starts_with(SESSION)), "signed in by another site");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_way_leads_to_another_site_whatever_address_or_name_is_sent() {
    let town = Town::new().await;
    let client = &town.anyone;
    let session = cookie(&client.call(sign_in("basile")).await, SESSION);
    for next in [
        "//evil.example",
        "https://evil.example",
        "https:evil.example",
        "http:/evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/%09//evil.example",
        "/%0a/evil.example",
        "%2f%2fevil.example",
        "///evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "%20//evil.example",
    ] {
        let decoded = next.replace("%09", "\t").replace("%0a", "\n").replace("%2f", "/").replace("%20", " ");
        let fields = [("login", "basile"), ("password", PASSWORD), ("next", decoded.as_str())];
        let there = format!("/sign-in?next={next}");
        for (what, answer) in [
            ("signing in", client.call(form("/sign-in", &fields)).await),
            ("once signed in", client.call(Ask::new("GET", &there).header("cookie", session.clone())).await),
        ] {
            let location = location(&answer);
            let local = location.starts_with('/') && !location.starts_with("//") && !location.contains('\\');
            assert!(answer.status == 303 && local && !location.contains("evil"), "{what} with {next}: {location}");
        }
    }
    for header in ["x-forwarded-host", "x-host", "x-forwarded-server", "forwarded", "x-original-host"] {
        for path in ["/", "/sign-in", "/accounts", "/api/accounts", "/api/nothing", "/api/openapi.json"] {
            let answer = client.call(Ask::new("GET", path).header(header, "evil.example")).await;
            assert!(!format!("{:?}{}", answer.headers, answer.text).contains("evil"), "{header} at {path}");
        }
    }
    for host in ["evil.example", "evil.example:443", "localhost.evil.example"] {
        let request = format!("GET /accounts HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = super::door::raw(&town.bank, request.as_bytes()).await;
        assert!(!answer.contains("evil"), "{host}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_sign_in_opens_no_page() {
    let town = Town::new().await;
    let client = &town.anyone;
    let (secret, _) = enrol(&town.member).await;
    let half = client.call(sign_in("basile")).await;
    assert_eq!(location(&half), "/sign-in/code");
    assert!(set(&half.headers).iter().all(|line| !line.starts_with(SESSION)), "{:?}", half.headers);
    let halfway = cookie(&half, "__Host-halfway");
    let value = halfway.split_once('=').unwrap().1;
    for cookie in [halfway.clone(), format!("{SESSION}={value}")] {
        assert!(!opens(client, &cookie).await, "{cookie}");
    }
    let code =
        |cookie: &str| form("/sign-in/code", &[("otp", &next_code(&secret))]).header("cookie", cookie.to_owned());
    let strangers = client.call(code("__Host-halfway=somebody-elses")).await;
    assert!(set(&strangers.headers).iter().all(|line| !line.starts_with(SESSION)));
    assert!(opens(client, &cookie(&client.call(code(&halfway)).await, SESSION)).await);
}
