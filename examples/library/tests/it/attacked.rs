//! The attacks that the program has a door for, and those that only its signed tokens invite.
#![expect(clippy::redundant_closure_for_method_calls, reason = "a method of a borrowed target fits one lifetime alone")]

use std::path::Path;
use std::time::Duration;

use aaa::{Claims, Principal, Signer};
use serde_json::json;
use vocabulary::Clock;

use crate::attacks::{Target, holds_traces_and_no_secrets};
use crate::program::Program;
use crate::{MICHAEL, register, start, token};

fn attacked(test: impl Fn(&Target<'_>)) {
    let folder = tempfile::tempdir().unwrap();
    let program = start(folder.path());
    test(&target(&program));
}

fn target(program: &Program) -> Target<'_> {
    let with_token: fn(&str) -> String = |token| format!("x-access-tokens: {token}");
    assert!(matches!(register(program, "Michael"), 201 | 409) && matches!(register(program, "Sam"), 201 | 409));
    Target {
        program,
        guarded: "/authors",
        login: "/login",
        who: ("Michael", "marathon"),
        good: with_token(&token(program, MICHAEL)),
        with_token,
        registration: |name| json!({ "name": name, "password": "marathon" }).to_string(),
    }
}

#[test]
fn other_paths_methods_sites_and_framings_open_nothing() {
    attacked(|target| target.withstands_what_changes_nothing());
}

#[test]
fn guessing_and_registering_without_end_come_to_one() {
    attacked(|target| target.tells_nobody_who_is_here());
    attacked(|target| target.slows_guessing_down(("Sam", "marathon")));
    attacked(|target| target.limits_registrations());
}

#[test]
fn one_name_is_given_once_however_many_ask_at_once() {
    attacked(|target| target.does_at_once_what_may_be_done_once());
}

#[test]
fn decisions_are_written_down_and_secrets_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let program = start(folder.path());
    let written = target(&program).writes_down_decisions_and_no_secrets();
    assert!(program.stop());
    holds_traces_and_no_secrets(folder.path(), written);
}

/// Signs as the program does, but says something else.
fn forged(folder: &Path, issuer: &str, audience: &str, change: impl FnOnce(&mut Claims)) -> String {
    let secret: [u8; 32] = std::fs::read(folder.join("library.key")).unwrap().try_into().unwrap();
    let signer = Signer::from_seed(&secret, issuer, audience).unwrap();
    let now = Clock::system().now();
    let who = Principal::named("Michael", ["admin"]).during(now, now.plus(Duration::from_mins(5)));
    let mut claims = signer.claims(&who);
    change(&mut claims);
    signer.sign(&claims).unwrap()
}

#[test]
fn a_signed_token_of_another_key_service_or_time_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let program = start(folder.path());
    let target = target(&program);
    let good = token(&program, MICHAEL);
    let parts: Vec<&str> = good.split('.').collect();
    let [head, body, mark] = parts[..] else { panic!("{good}") };
    let now = Clock::system().now().seconds();
    let own = |change: fn(&mut Claims, i64)| forged(folder.path(), "library", "library", |claims| change(claims, now));
    let as_good = program.send("GET", "/authors", &[&format!("x-access-tokens: {}", own(|_, _| {}))], "");
    assert_eq!(as_good.status(), 200, "what is refused below is refused for what is wrong with it");
    let stranger = Signer::from_seed(&[7; 32], "library", "library").unwrap();
    let claims =
        stranger.claims(&Principal::named("Michael", ["admin"]).during(Clock::system().now(), Clock::system().now()));
    let strangers = stranger.sign(&Claims { exp: now + 600, ..claims }).unwrap();
    let strangers_mark = strangers.rsplit_once('.').unwrap().1;
    // {"alg":"none","typ":"JWT"} and {"alg":"HS256","typ":"JWT"}
    let (none, shared) = ("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9");
    target.refuses_tokens(&[
        ("another key's", strangers.clone()),
        ("another key's mark", format!("{head}.{body}.{strangers_mark}")),
        ("unsigned", format!("{none}.{body}.")),
        ("unsigned, with the mark", format!("{none}.{body}.{mark}")),
        ("confused", format!("{shared}.{body}.{mark}")),
        ("without its mark", format!("{head}.{body}.")),
        ("of two parts", format!("{head}.{body}")),
        ("of four parts", format!("{good}.{mark}")),
        ("of another issuer", forged(folder.path(), "stuff", "library", |_| {})),
        ("for another service", forged(folder.path(), "library", "stuff", |_| {})),
        ("expired", own(|claims, now| (claims.exp, claims.iat, claims.nbf) = (now - 60, now - 600, now - 600))),
        ("of tomorrow", own(|claims, now| claims.nbf = now + 86_400)),
        ("of nobody", own(|claims, _| claims.sub = "Michael".into())),
        ("bound to a key", own(|claims, _| claims.cnf = Some(aaa::Confirmation { jkt: "x".into() }))),
        ("of the other program", "stuff:Michael:29991231235959:00000000000000000000000000000000".into()),
        ("endless", format!("{good}{}", "A".repeat(5000))),
    ]);
}
