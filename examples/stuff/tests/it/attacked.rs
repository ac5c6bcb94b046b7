//! The attacks that the program has a door for, and those that only its readable tokens invite.
#![expect(clippy::redundant_closure_for_method_calls, reason = "a method of a borrowed target fits one lifetime alone")]

use serde_json::json;

use crate::attacks::{Target, basic, holds_traces_and_no_secrets};
use crate::program::Program;
use crate::start;

const CALVIN: (&str, &str) = ("calvin", "hobbes");
const SUSIE: (&str, &str) = ("susie", "derkins");

fn token(program: &Program) -> String {
    program.send("GET", "/login", &[&basic(SUSIE.0, SUSIE.1)], "").json().as_str().unwrap().to_owned()
}

fn attacked(test: impl Fn(&Target<'_>)) {
    let folder = tempfile::tempdir().unwrap();
    let program = start(folder.path(), &[]);
    test(&target(&program));
}

fn target(program: &Program) -> Target<'_> {
    let with_token: fn(&str) -> String = |token| format!("Authorization: Bearer {token}");
    Target {
        program,
        guarded: "/whoami",
        login: "/login",
        who: SUSIE,
        good: with_token(&token(program)),
        with_token,
        registration: |name| json!({ "login": name, "pword": "marathon" }).to_string(),
    }
}

#[test]
fn other_paths_methods_sites_and_framings_open_nothing() {
    attacked(|target| target.withstands_what_changes_nothing());
}

#[test]
fn guessing_and_registering_without_end_come_to_one() {
    attacked(|target| target.tells_nobody_who_is_here());
    attacked(|target| target.slows_guessing_down(CALVIN));
    attacked(|target| target.limits_registrations());
}

#[test]
fn one_name_is_given_once_however_many_ask_at_once() {
    crate::on_both(|program| target(program).does_at_once_what_may_be_done_once());
}

#[test]
fn decisions_are_written_down_and_secrets_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let program = start(folder.path(), &[]);
    let written = target(&program).writes_down_decisions_and_no_secrets();
    assert!(program.stop());
    holds_traces_and_no_secrets(folder.path(), written);
}

#[test]
fn a_readable_token_that_was_changed_in_any_part_opens_nothing() {
    attacked(|target| {
        let token = token(target.program);
        let parts: Vec<&str> = token.split(':').collect();
        let [realm, user, limit, mark] = parts[..] else { panic!("{token}") };
        let with = |realm: &str, user: &str, limit: &str, mark: &str| format!("{realm}:{user}:{limit}:{mark}");
        let flipped = if mark.starts_with('0') { mark.replacen('0', "1", 1) } else { format!("0{}", &mark[1..]) };
        target.refuses_tokens(&[
            ("another user", with(realm, "calvin", limit, mark)),
            ("nobody", with(realm, "", limit, mark)),
            ("a later end", with(realm, user, "29991231235959", mark)),
            ("an earlier end", with(realm, user, "20010101000000", mark)),
            ("an end that is no time", with(realm, user, "99999999999999", mark)),
            ("another realm", with("mfa", user, limit, mark)),
            ("an issuer", with(&format!("{realm}/evil"), user, limit, mark)),
            ("no signature", with(realm, user, limit, "")),
            ("half a signature", with(realm, user, limit, &mark[..mark.len() / 2])),
            ("another signature", with(realm, user, limit, &flipped)),
            ("a signature and more", with(realm, user, limit, &format!("{mark}:{mark}"))),
            ("no colon", token.replace(':', "")),
            ("a JWT", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJjYWx2aW4iLCJleHAiOjk5OTk5OTk5OTl9.".into()),
            ("an endless one", format!("{token}{}", "0".repeat(5000))),
        ]);
    });
}
