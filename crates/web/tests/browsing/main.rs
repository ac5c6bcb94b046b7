//! The pages over HTTP, as a browser meets them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod factors;
mod logs;
mod monitor;
mod stage;

use aaa::Problem;
use http::{StatusCode, header};
use serde_json::{Value, json};

use crate::stage::*;

#[tokio::test]
async fn every_page_forbids_what_is_not_its_own() {
    let bank = Bank::new();
    for path in ["/sign-in", "/register", "/welcome", "/status", "/accounts", "/nowhere", "/assets/x-guichet.css"] {
        let page = bank.get_signed(path).await;
        let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{path}");
        assert!(!policy.contains("unsafe"), "{path}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(page.headers[name], value, "{path}");
        }
        assert!(page.headers.contains_key("strict-transport-security"), "{path}");
    }
}

#[tokio::test]
async fn assets_are_kept_for_ever_under_an_address_that_names_their_content() {
    let bank = Bank::new();
    let page = bank.get("/sign-in").await;
    for mark in ["rel=\"stylesheet\" href=\"", "script src=\""] {
        let url = page.body.split_once(mark).unwrap().1.split('"').next().unwrap();
        let asset = bank.get(url).await;
        assert_eq!(asset.status, StatusCode::OK);
        assert!(asset.headers["cache-control"].to_str().unwrap().contains("immutable"));
        assert!(!asset.body.is_empty());
    }
}

#[tokio::test]
async fn a_page_for_members_leads_to_the_sign_in_and_back() {
    let bank = Bank::new();
    let location = bank.get("/requests?state=pending").await.location().to_owned();
    assert_eq!(location, "/sign-in?next=%2Frequests%3Fstate%3Dpending");
    let form = bank.get(&location).await;
    assert_eq!(form.field("next"), "/requests?state=pending");
    let fields = "login=claire&password=right+horse+battery&next=%2Frequests%3Fstate%3Dpending";
    let answer = bank.post("/sign-in", fields).await;
    assert_eq!(answer.location(), "/requests?state=pending");
}

#[tokio::test]
async fn signing_in_never_leads_to_another_site() {
    let bank = Bank::new();
    for next in ["https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%2F%5Cevil.example", ""] {
        let answer = bank.post("/sign-in", &format!("login=claire&password=right+horse+battery&next={next}")).await;
        assert_eq!(answer.location(), "/accounts", "{next}");
    }
}

#[tokio::test]
async fn the_session_cookie_is_out_of_reach_of_scripts_and_other_sites() {
    let answer = Bank::new().post("/sign-in", "login=claire&password=right+horse+battery").await;
    let cookie = answer.cookie("__Host-guichet").unwrap();
    for attribute in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Domain"));
}

#[tokio::test]
async fn a_refused_sign_in_keeps_the_login_and_never_the_password() {
    let answer = Bank::new().post("/sign-in", "login=claire&password=wrong+horse+battery").await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.body.contains("value=\"claire\""));
    assert!(!answer.body.contains("wrong horse battery"));
    assert!(answer.cookie("__Host-guichet").is_none());
}

#[tokio::test]
async fn a_sign_in_form_left_open_in_another_tab_still_works() {
    let answer = Bank::new()
        .send(
            http::Request::post("/sign-in").header("sec-fetch-site", "same-origin").header(header::COOKIE, session()),
            "login=claire&password=right+horse+battery".to_owned(),
        )
        .await;
    assert_eq!(answer.location(), "/accounts");
}

#[tokio::test]
async fn each_role_begins_at_its_own_place() {
    for (role, place) in [("member", "/accounts"), ("agent", "/inbox"), ("superuser", "/users")] {
        assert_eq!(Bank::of(role).get_signed("/").await.location(), place);
    }
    assert_eq!(Bank::new().get("/").await.location(), "/sign-in");
}

#[tokio::test]
async fn a_member_may_not_open_the_pages_of_staff() {
    let bank = Bank::new();
    for path in ["/inbox", "/users", "/clients", "/logs", "/users/new"] {
        assert_eq!(bank.get_signed(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let refused = bank.post_signed(&format!("/requests/{REQUEST}/approve"), "").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(bank.asked(&format!("POST /api/requests/{REQUEST}")).is_empty());
}

#[tokio::test]
async fn a_form_from_another_site_or_without_its_token_is_refused_and_nothing_is_done() {
    let bank = Bank::new();
    let token = bank.get_signed("/profile/password").await.field("csrf");
    let fields = format!("account={MINE}&to_account={OTHER}&amount=30&step=send&key=k1");
    let with = |token: &str| format!("csrf={token}&{fields}");
    let post = || http::Request::post("/transfer").header(header::COOKIE, session());
    let refused = [
        bank.send(post().header("sec-fetch-site", "cross-site"), with(&token)).await,
        bank.send(post().header("sec-fetch-site", "same-site"), with(&token)).await,
        bank.send(post().header(header::ORIGIN, "https://evil.example"), with(&token)).await,
        bank.send(post().header("sec-fetch-site", "same-origin"), with(&"0".repeat(64))).await,
        bank.send(post().header("sec-fetch-site", "same-origin"), fields.clone()).await,
    ];
    for page in refused {
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        assert!(page.body.contains("Formulaire refusé"), "it explains itself");
    }
    assert!(bank.asked("POST /api/transfers").is_empty());
    let taken = bank.send(post().header(header::ORIGIN, "https://bank.example"), with(&token)).await;
    assert_eq!(taken.location(), format!("/requests/{REQUEST}?done=sent"));
}

#[tokio::test]
async fn a_transfer_is_checked_in_full_then_sent_once_under_one_key() {
    let bank = Bank::new();
    let fields = format!("account={MINE}&to_iban={}&amount=30,5&reference=Loyer", iban(77));
    let check = bank.post_signed("/transfer", &fields).await;
    assert_eq!(check.status, StatusCode::OK);
    assert!(check.body.contains("€30.50") && check.body.contains("€69.50"), "the amount and what stays");
    assert!(bank.asked("POST /api/transfers").is_empty(), "nothing is sent before it was checked");
    let key = check.field("key");
    let confirm = format!("{fields}&step=send&key={key}");
    for _ in 0..2 {
        let sent = bank.post_signed("/transfer", &confirm).await;
        assert_eq!(sent.location(), format!("/requests/{REQUEST}?done=sent"));
    }
    let calls = bank.asked("POST /api/transfers");
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0], calls[1], "the same key and the same content: the bank does it once");
    assert!(calls[0].contains(&key) && calls[0].contains("\"amount\":\"30.5\""), "{}", calls[0]);
}

#[tokio::test]
async fn what_was_typed_stays_and_each_fault_stands_beside_its_field() {
    let bank = Bank::new();
    let fields = format!("account={MINE}&to_iban=FR7612345&amount=1.234&reference=Rent");
    let page = bank.post_signed("/transfer", &fields).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    for part in ["id=\"to_iban-error\"", "id=\"amount-error\"", "href=\"#amount\"", "value=\"1.234\"", "value=\"Rent\""]
    {
        assert!(page.body.contains(part), "{part}");
    }
    assert!(page.body.contains("<title>Error: Transfer"));
}

#[tokio::test]
async fn a_refusal_of_the_bank_is_told_in_the_page_s_language() {
    let bank = Bank::new();
    let problem = Problem::refused("unknown-payee", "raw words of the service").about("to", "raw");
    bank.script(|script| script.transfer_problem = Some(problem));
    let fields = format!("account={MINE}&to_iban={}&amount=30&step=send&key=k", iban(99));
    let page = bank.post_signed("/transfer", &fields).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.body.contains("There is no open account here with this number"));
    assert!(!page.body.contains("raw words"));
    assert!(page.body.contains("id=\"to_iban-error\""));
}

#[tokio::test]
async fn a_transfer_that_was_not_confirmed_can_be_confirmed_again_under_the_same_key() {
    let bank = Bank::new();
    bank.script(|script| script.transfer_problem = Some(Problem::unavailable(1, "lost on the way")));
    let fields = format!("account={MINE}&to_iban={}&amount=30&step=send&key=abc123", iban(99));
    let page = bank.post_signed("/transfer", &fields).await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(page.field("key"), "abc123");
    assert_eq!(page.field("amount"), "30");
}

#[tokio::test]
async fn the_language_is_chosen_and_the_page_stays() {
    let bank = Bank::new();
    let page = bank.get("/register").await;
    assert!(page.body.contains("<html lang=\"fr\""), "French unless asked otherwise");
    let chosen = bank.post("/preferences", "language=en&next=%2Fregister").await;
    assert_eq!(chosen.location(), "/register");
    assert!(chosen.cookie("__Host-language").unwrap().starts_with("__Host-language=en;"));
    let request = http::Request::get("/register").header(header::COOKIE, "__Host-language=en");
    assert!(bank.send(request, String::new()).await.body.contains("<html lang=\"en\""));
    let request = http::Request::get("/register").header(header::ACCEPT_LANGUAGE, "en-GB,fr;q=0.5");
    assert!(bank.send(request, String::new()).await.body.contains("<html lang=\"en\""));
    bank.post_signed("/preferences", "language=en&next=%2Faccounts").await.location();
    assert_eq!(bank.asked("PATCH /api/auth/profile").len(), 1, "the profile learns it too");
}

#[tokio::test]
async fn a_token_is_asked_for_once_and_again_when_it_was_revoked() {
    let bank = Bank::new();
    for _ in 0..3 {
        assert_eq!(bank.get_signed("/accounts").await.status, StatusCode::OK);
    }
    assert_eq!(bank.asked("POST /api/auth/browser-sessions/resume").len(), 1);
    bank.script(|script| script.revoke_once = true);
    assert_eq!(bank.get_signed("/accounts").await.status, StatusCode::OK);
    assert_eq!(bank.asked("POST /api/auth/browser-sessions/resume").len(), 2);
}

#[tokio::test]
async fn a_session_that_ended_leads_to_the_sign_in_and_says_so() {
    let bank = Bank::new();
    bank.get_signed("/accounts").await;
    bank.script(|script| (script.ended, script.revoke_once) = (true, true));
    let page = bank.get_signed("/accounts").await;
    assert_eq!(page.location(), "/sign-in?next=%2Faccounts&why=ended");
    assert!(page.cookie("__Host-guichet").unwrap().contains("Max-Age=0"));
}

pub(crate) fn notice(event: &str, action: &str, read: bool) -> Value {
    json!({"event": event, "action": action, "at": NOW, "request": null, "read": read})
}

#[tokio::test]
async fn the_menu_counts_what_was_not_read_until_it_is_marked_as_read() {
    const COUNT: &str = "<span class=\"count\">2<";
    let bank = Bank::new();
    bank.script(|script| script.notices = vec![notice(OTHER, "LOGIN", true)]);
    assert!(!bank.get_signed("/transfer").await.body.contains("class=\"count\""), "it was read");
    assert!(!bank.get_signed("/notifications").await.body.contains("name=\"until\""), "nothing is to be marked");
    let news = ["TRANSFER_APPROVED", "TRANSFER_RECEIVED"].map(|action| notice(REQUEST, action, false));
    bank.script(|script| script.notices.splice(0..0, news).for_each(drop));
    assert!(bank.get_signed("/transfer").await.body.contains(COUNT));
    let looked = bank.get_signed("/notifications").await;
    assert!(looked.body.contains(COUNT), "to look at it is not to mark it");
    assert_eq!(looked.field("until"), REQUEST);
    assert_eq!(bank.post_signed("/notifications", &format!("until={REQUEST}")).await.location(), "/notifications");
    assert!(bank.asked("POST /api/auth/notices/read")[0].contains(REQUEST));
    assert!(!bank.get_signed("/transfer").await.body.contains("class=\"count\""));
}

#[tokio::test]
async fn signing_out_ends_the_session_here_and_there() {
    let bank = Bank::new();
    let page = bank.post_signed("/sign-out", "").await;
    assert_eq!(page.location(), "/sign-in?why=out");
    assert!(page.cookie("__Host-guichet").unwrap().contains("Max-Age=0"));
    assert_eq!(bank.asked("POST /api/auth/logout").len(), 1);
}

#[tokio::test]
async fn what_is_not_there_is_a_page_in_the_visitor_s_language() {
    let bank = Bank::new();
    for path in ["/nowhere", "/accounts/none", &format!("/accounts/{REQUEST}")] {
        let page = bank.get_signed(path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        assert!(page.body.contains("Page introuvable"), "{path}");
    }
}

#[tokio::test]
async fn a_form_too_long_is_refused_before_it_is_read() {
    let page = Bank::new().post("/sign-in", &"x".repeat(100_000)).await;
    assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn the_status_page_answers_without_a_monitor_and_without_a_session() {
    let page = Bank::new().get("/status").await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.body.contains("<h1>"));
}
