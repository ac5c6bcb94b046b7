//! Second factors, and proving once more who one is.

use http::{StatusCode, header};

use crate::stage::{Bank, session};

/// A sign-in of somebody with a second factor, as far as the page that asks for it.
async fn halfway(bank: &Bank) -> String {
    let asked = bank.post("/sign-in", "login=tara&password=right+horse+battery&next=%2Frequests").await;
    assert_eq!(asked.location(), "/sign-in/code");
    assert!(asked.cookie("__Host-guichet").is_none(), "nobody is signed in yet");
    let cookie = asked.cookie("__Host-halfway").unwrap();
    for attribute in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict", "; Max-Age=300"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    cookie.split(';').next().unwrap().to_owned()
}

fn with_cookie(request: http::request::Builder, cookie: &str) -> http::request::Builder {
    request.header("sec-fetch-site", "same-origin").header(header::COOKIE, cookie)
}

fn session_and(cookie: &str) -> String {
    format!("{}; {cookie}", session())
}

#[tokio::test]
async fn a_second_factor_is_asked_for_on_a_page_that_holds_no_password() {
    let bank = Bank::new();
    let cookie = halfway(&bank).await;
    let page = bank.send(with_cookie(http::Request::get("/sign-in/code"), &cookie), String::new()).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.body.contains("right horse") && !page.body.contains("tara"), "{}", page.body);
    let wrong = bank.send(with_cookie(http::Request::post("/sign-in/code"), &cookie), "otp=000000".into()).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains("otp-error") && wrong.cookie("__Host-guichet").is_none());
    let right = bank.send(with_cookie(http::Request::post("/sign-in/code"), &cookie), "otp=123456".into()).await;
    assert_eq!(right.location(), "/requests");
    assert!(right.cookie("__Host-guichet").is_some());
    assert!(right.cookie("__Host-halfway").unwrap().contains("Max-Age=0"));
}

#[tokio::test]
async fn what_waits_between_two_pages_waits_at_every_process_of_the_pages() {
    let bank = Bank::new();
    let other = bank.through_another();
    let cookie = halfway(&bank).await;
    assert!(!cookie.contains("tara") && !cookie.contains("horse"), "{cookie}");
    let page = other.send(with_cookie(http::Request::get("/sign-in/code"), &cookie), String::new()).await;
    assert_eq!(page.status, StatusCode::OK);
    let right = other.send(with_cookie(http::Request::post("/sign-in/code"), &cookie), "otp=123456".into()).await;
    assert_eq!(right.location(), "/requests");

    let begun = bank.post_signed("/profile/totp/begin", "").await;
    let cookie = session_and(begun.cookie("__Host-setup").unwrap().split(';').next().unwrap());
    let page = other.send(with_cookie(http::Request::get("/profile/totp"), &cookie), String::new()).await;
    assert!(page.body.contains("<svg") && page.body.contains("<span>GEZD</span>"), "{}", page.body);
}

#[tokio::test]
async fn a_code_without_a_password_before_it_leads_back_to_the_beginning() {
    let bank = Bank::new();
    for cookie in ["__Host-halfway=0123456789abcdef0123456789abcdef", "x=y"] {
        let page = bank.send(with_cookie(http::Request::post("/sign-in/code"), cookie), "otp=123456".into()).await;
        assert_eq!(page.location(), "/sign-in?why=late");
    }
    assert!(bank.asked("POST /api/auth/browser-sessions").is_empty());
}

#[tokio::test]
async fn whoever_lost_their_second_factor_asks_the_bank_after_the_right_password() {
    let bank = Bank::new();
    let cookie = halfway(&bank).await;
    let asked = bank.send(with_cookie(http::Request::post("/sign-in/lost"), &cookie), String::new()).await;
    assert_eq!(asked.location(), "/sign-in/lost?asked=yes");
    assert_eq!(bank.asked("POST /api/auth/factor-reset").len(), 1);
    let nobody = bank.send(http::Request::post("/sign-in/lost").header("sec-fetch-site", "same-origin"), String::new());
    assert_eq!(nobody.await.location(), "/sign-in?why=late");
    assert_eq!(bank.asked("POST /api/auth/factor-reset").len(), 1);
}

#[tokio::test]
async fn whoever_has_to_wait_is_told_how_long() {
    let answer = Bank::new().post("/sign-in", "login=slow&password=right+horse+battery").await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(answer.body.contains("Attendez encore 2 minutes"), "{}", answer.body);
}

#[tokio::test]
async fn a_browser_that_is_known_says_so_at_the_next_sign_in() {
    let bank = Bank::new();
    let first = bank.post("/sign-in", "login=claire&password=right+horse+battery").await;
    let device = first.cookie("__Host-device").unwrap();
    assert!(device.contains("HttpOnly") && device.contains("Max-Age=31536000"));
    let device = device.split(';').next().unwrap().to_owned();
    let fields = "login=claire&password=right+horse+battery".to_owned();
    bank.send(with_cookie(http::Request::post("/sign-in"), &device), fields).await;
    let calls = bank.asked("POST /api/auth/browser-sessions");
    assert!(!calls[0].contains("\"device\"") && calls[1].contains("\"device\":\"d3vice\""), "{calls:?}");
}

#[tokio::test]
async fn something_grave_asks_once_more_who_it_is_and_leads_back() {
    let bank = Bank::new();
    bank.script(|script| script.stale = true);
    let token = bank.get_signed("/profile/password").await.field("csrf");
    let request = with_cookie(http::Request::post("/profile/recovery-codes"), &session())
        .header(header::REFERER, "https://bank.example/profile/security?done=ended");
    let answer = bank.send(request, format!("csrf={token}")).await;
    assert_eq!(answer.location(), "/prove?next=%2Fprofile%2Fsecurity%3Fdone%3Dended");
    let refused = bank.post_signed("/prove", "password=wrong+horse+battery&next=%2Fprofile%2Fsecurity").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!refused.body.contains("wrong horse"));
    let resumed = bank.asked("POST /api/auth/browser-sessions/resume").len();
    let proven = bank.post_signed("/prove", "password=right+horse+battery&next=%2Fprofile%2Fsecurity").await;
    assert_eq!(proven.location(), "/profile/security?done=proven");
    let codes = bank.post_signed("/profile/recovery-codes", "").await;
    assert_eq!(codes.status, StatusCode::OK, "{}", codes.body);
    assert!(codes.body.contains("aaaa-bbbb"));
    assert!(bank.asked("POST /api/auth/browser-sessions/resume").len() > resumed, "a token that says so is asked for");
}

#[tokio::test]
async fn proving_who_one_is_never_leads_to_another_site() {
    let bank = Bank::new();
    for next in ["https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%2F%5Cevil.example"] {
        let answer = bank.post_signed("/prove", &format!("password=right+horse+battery&next={next}")).await;
        assert_eq!(answer.location(), "/?done=proven", "{next}");
    }
}

#[tokio::test]
async fn an_app_is_set_up_with_a_secret_that_no_form_carries() {
    let bank = Bank::new();
    let begun = bank.post_signed("/profile/totp/begin", "").await;
    assert_eq!(begun.location(), "/profile/totp");
    let kept = begun.cookie("__Host-setup").unwrap();
    for attribute in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict", "; Max-Age=300"] {
        assert!(kept.contains(attribute) && !kept.contains("GEZD"), "{kept}");
    }
    let kept = kept.split(';').next().unwrap();
    let page = bank.send(with_cookie(http::Request::get("/profile/totp"), &session_and(kept)), String::new()).await;
    assert!(page.body.contains("<svg") && page.body.contains("<span>GEZD</span>"));
    assert!(!page.body.contains("value=\"GEZD"));
    let token = page.field("csrf");
    let confirm = async |code: &str| {
        let request = with_cookie(http::Request::post("/profile/totp"), &session_and(kept));
        bank.send(request, format!("csrf={token}&code={code}")).await
    };
    let wrong = confirm("000000").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains("<svg") && wrong.body.contains("code-error"), "the same picture again");
    let codes = confirm("123456").await;
    assert!(codes.body.contains("aaaa-bbbb") && codes.cookie("__Host-setup").unwrap().contains("Max-Age=0"));
    assert_eq!(bank.get_signed("/profile/totp").await.location(), "/profile/security", "it is not shown again");
}

#[tokio::test]
async fn of_the_mails_one_may_do_without_those_are_kept_that_are_ticked() {
    let bank = Bank::new();
    let saved = bank.post_signed("/profile/mails", "sign_ins=never&transfers=yes").await;
    assert_eq!(saved.location(), "/profile?done=saved");
    let asked = bank.asked("PUT /api/auth/mails");
    assert_eq!(asked.len(), 1);
    for said in ["\"sign_ins\":\"never\"", "\"requests\":false", "\"transfers\":true"] {
        assert!(asked[0].contains(said), "{asked:?}");
    }
}
