//! Links of mails: for a new password, and for another address.

use contracts::identity::{
    AskEmailChange, AskPasswordReset, ChangePassword, ConfirmEmail, CreateToken, DisableUser, EditProfile,
    GetPasswordResets, GetProfile, Refresh, ResetPassword, WhoAmI,
};
use contracts::scopes::TokenScope;

use crate::factors::{enrol, with_otp};
use crate::relay::{Keys, Mail, Relay, mailing};
use crate::*;

const ORIGIN: &str = "https://bank.example";

async fn world(database: TestDatabase, relay: &Relay, keys: &Keys) -> World {
    let world = World::mailing(database, mailing(relay.port, keys)).await;
    world.identity.at_origin(ORIGIN);
    world
}

/// What left since the last look.
async fn new_mails(world: &World, relay: &mut Relay, seen: &mut usize) -> Vec<Mail> {
    world.journal().await;
    world.identity.send_due_mails().await.unwrap();
    // What that told makes mails, too.
    world.journal().await;
    world.identity.send_due_mails().await.unwrap();
    let new = relay.mails().split_off(*seen);
    *seen += new.len();
    new
}

/// The code of the link in a mail.
fn code(mail: &Mail) -> String {
    let at = mail.plain.find("#code=").unwrap_or_else(|| panic!("no link: {}", mail.plain));
    mail.plain[at + 6..].split_whitespace().next().unwrap().to_owned()
}

fn ask(who: &str) -> AskPasswordReset {
    AskPasswordReset { who: who.to_owned() }
}

fn a_token() -> CreateToken {
    CreateToken { name: "script".parse().unwrap(), scopes: vec![TokenScope::Read], days: 9, jkt: None }
}

fn other_address(email: &str) -> AskEmailChange {
    AskEmailChange { email: email.parse().unwrap() }
}

fn reset(token: &str) -> ResetPassword {
    ResetPassword { token: token.to_owned(), new_password: password(OTHER_PASSWORD) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_gives_a_new_password_once_and_the_second_factor_stays() {
    let keys = Keys::of("localhost");
    for database in databases().await.unwrap() {
        let (mut relay, mut seen) = (Relay::start(&keys), 0);
        let world = world(database, &relay, &keys).await;
        let (_, camille) = world.signed_in("camille", Role::Member).await;
        let (_, codes) = enrol(&world, &camille).await;
        let new = a_token();
        let program = world.anyone().with_token(&camille.call(new).await.unwrap().0.token);
        new_mails(&world, &mut relay, &mut seen).await;
        // However it is written.
        world.anyone().call(ask("Camille@Example.org")).await.unwrap();
        let mails = new_mails(&world, &mut relay, &mut seen).await;
        assert_eq!((mails.len(), mails[0].to.as_slice()), (1, ["camille@example.org".to_owned()].as_slice()));
        let token = code(&mails[0]);
        let link = format!("{ORIGIN}/sign-in/new-password#code={token}");
        assert!(mails[0].plain.contains(&link) && mails[0].html.contains(&format!("<a href=\"{link}\">")));
        assert!(mails[0].html.contains(&format!("<code>{token}</code>")), "for browsers without scripts");
        let tables = format!("{:?}", world.store.dump().await.unwrap());
        assert!(!tables.contains(&token), "no table holds what makes a link work");

        let weak = ResetPassword { token: token.clone(), new_password: password("password1234") };
        assert!(is(&refused(&world.anyone(), weak).await, 422, "weak-password"));
        world.anyone().call(reset(&token)).await.unwrap();
        assert!(is(&refused(&world.anyone(), reset(&token)).await, 422, "link-ended"), "a link works once");
        assert!(is(&refused(&camille, WhoAmI {}).await, 401, "unauthorized"), "every session ended");
        assert!(is(&refused(&program, WhoAmI {}).await, 401, "unauthorized"), "every token, too");
        assert!(is(&refused(&world.anyone(), credential("camille", PASSWORD)).await, 401, "sign-in-refused"));
        let alone = refused(&world.anyone(), credential("camille", OTHER_PASSWORD)).await;
        assert!(is(&alone, 401, "second-factor-required"), "a mailbox is no second factor");
        let both = SignIn { password: password(OTHER_PASSWORD), ..with_otp("camille", &codes[0]) };
        world.anyone().call(both).await.unwrap();
        let told = new_mails(&world, &mut relay, &mut seen).await;
        assert!(told.iter().any(|mail| mail.header("Subject").ends_with("your password was replaced")), "{told:?}");
        let journal = world.journal().await;
        for action in [Action::PasswordResetAsked, Action::PasswordReset] {
            let told: Vec<_> = journal.iter().filter(|event| event.action == action).collect();
            assert_eq!(told.len(), 1, "{action:?}");
            assert_eq!(told[0].subject.as_ref().unwrap().login.as_str(), "camille");
        }
        assert!(!format!("{journal:?}").contains(&token), "the journal never holds what makes a link work");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_tells_nobody_who_is_here_and_nobody_is_flooded() {
    let keys = Keys::of("localhost");
    for database in databases().await.unwrap() {
        let (mut relay, mut seen) = (Relay::start(&keys), 0);
        let world = world(database, &relay, &keys).await;
        world.person("camille", Role::Member).await;
        for (login, state) in
            [("dora", UserState::Disabled), ("remi", UserState::Rejected), ("paul", UserState::Pending)]
        {
            world.person_in(login, Role::Member, state).await;
        }
        new_mails(&world, &mut relay, &mut seen).await;
        let (journal, before) = (world.journal().await.len(), world.tables().await);
        let asked = ["nobody@example.org", "nobody", "dora", "remi@example.org", "paul@example.org", "not a login!"];
        for who in asked {
            world.anyone().call(ask(who)).await.unwrap();
        }
        world.anyone().call(ask(" Camille ")).await.unwrap();
        // The answer comes before anybody has looked who is meant: what differs comes later.
        assert_eq!(world.journal().await.len(), journal);
        let differ: Vec<_> = world.tables().await.into_iter().filter(|table| !before.contains(table)).collect();
        assert_eq!(differ.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["asked_resets"], "{differ:?}");
        assert_eq!(differ[0].1.len(), asked.len(), "the same for everybody, but for what is no name at all");
        let mails = new_mails(&world, &mut relay, &mut seen).await;
        assert_eq!(mails.iter().map(|mail| mail.to[0].as_str()).collect::<Vec<_>>(), ["camille@example.org"]);
        let mut more = Vec::new();
        for _ in 0..4 {
            world.anyone().call(ask("camille@example.org")).await.unwrap();
            more.extend(new_mails(&world, &mut relay, &mut seen).await);
        }
        assert_eq!(more.len(), 2, "three an hour: {more:?}");
        assert!(is(&refused(&world.anyone(), reset(&code(&more[0]))).await, 422, "link-ended"), "the newest holds");
        let stranger = world.anyone().on_behalf_of(Some("192.0.2.1".into()));
        let mut limited = false;
        for number in 0..40 {
            let answer = stranger.call(ask(&format!("a{number}@example.org"))).await;
            limited |= answer.is_err_and(|problem| problem.status().as_u16() == 429);
        }
        assert!(limited, "an address of the net asks for so many");

        world.clock.advance(Duration::from_mins(30));
        assert!(is(&refused(&world.anyone(), reset(&code(&more[1]))).await, 422, "link-ended"), "half an hour");
        assert!(is(&refused(&world.anyone(), reset("guessed")).await, 422, "link-ended"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_ends_with_a_password_that_was_changed_and_with_its_person_s_access() {
    let keys = Keys::of("localhost");
    for database in databases().await.unwrap() {
        let (mut relay, mut seen) = (Relay::start(&keys), 0);
        let world = world(database, &relay, &keys).await;
        let (_, camille) = world.signed_in("camille", Role::Member).await;
        let hugo = world.person("hugo", Role::Member).await;
        let (_, agent) = world.signed_in("agathe", Role::Agent).await;
        new_mails(&world, &mut relay, &mut seen).await;
        world.anyone().call(ask("camille")).await.unwrap();
        let first = code(&new_mails(&world, &mut relay, &mut seen).await[0]);
        let change = ChangePassword { old_password: password(PASSWORD), new_password: password(OTHER_PASSWORD) };
        camille.call(change).await.unwrap();
        assert!(is(&refused(&world.anyone(), reset(&first)).await, 422, "link-ended"));
        world.anyone().call(ask("hugo")).await.unwrap();
        let mails = new_mails(&world, &mut relay, &mut seen).await;
        let his = code(mails.iter().find(|mail| mail.to == ["hugo@example.org"]).unwrap());
        agent.call(DisableUser { id: hugo.id, reason: None }).await.unwrap();
        assert!(is(&refused(&world.anyone(), reset(&his)).await, 422, "link-ended"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_address_counts_once_its_mailbox_was_read_and_the_old_one_is_told() {
    let keys = Keys::of("localhost");
    for database in databases().await.unwrap() {
        let (mut relay, mut seen) = (Relay::start(&keys), 0);
        let world = world(database, &relay, &keys).await;
        let (_, camille) = world.signed_in("camille", Role::Member).await;
        new_mails(&world, &mut relay, &mut seen).await;
        let direct = EditProfile {
            email: Some("new@example.org".parse().unwrap()),
            first_name: None,
            last_name: None,
            language: None,
        };
        assert!(is(&refused(&camille, direct).await, 409, "address-by-link"));
        world.anyone().call(ask("camille@example.org")).await.unwrap();
        let old_link = code(&new_mails(&world, &mut relay, &mut seen).await[0]);
        camille.call(other_address("new@example.org")).await.unwrap();
        let mails = new_mails(&world, &mut relay, &mut seen).await;
        let to = |address: &str| mails.iter().find(|mail| mail.to == [address]).unwrap();
        assert_eq!(mails.len(), 2, "{mails:?}");
        assert!(!to("camille@example.org").plain.contains("#code="), "the old address is warned and can do nothing");
        assert_eq!(camille.call(GetProfile {}).await.unwrap().email.as_str(), "camille@example.org");
        let token = code(to("new@example.org"));
        assert!(is(&refused(&world.anyone(), reset(&token)).await, 422, "link-ended"), "it is for the address alone");
        // Whatever happened before goes to where it went then: a thief silences no warning.
        camille.call(a_token()).await.unwrap();
        world.journal().await;
        world.anyone().call(ConfirmEmail { token: token.clone() }).await.unwrap();
        assert!(is(&refused(&world.anyone(), ConfirmEmail { token }).await, 422, "link-ended"));
        assert_eq!(camille.call(GetProfile {}).await.unwrap().email.as_str(), "new@example.org");
        let told = new_mails(&world, &mut relay, &mut seen).await;
        assert_eq!(told.iter().map(|mail| mail.to[0].as_str()).collect::<Vec<_>>(), ["camille@example.org"; 2]);
        assert!(
            is(&refused(&world.anyone(), reset(&old_link)).await, 422, "link-ended"),
            "the old mailbox opens nothing"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_somebody_else_is_never_taken_and_its_owner_alone_learns_of_it() {
    let keys = Keys::of("localhost");
    for database in databases().await.unwrap() {
        let (mut relay, mut seen) = (Relay::start(&keys), 0);
        let world = world(database, &relay, &keys).await;
        let (_, camille) = world.signed_in("camille", Role::Member).await;
        let (_, hugo) = world.signed_in("hugo", Role::Member).await;
        new_mails(&world, &mut relay, &mut seen).await;
        // Asked in the same words, answered in the same words.
        camille.call(other_address("Hugo@example.org")).await.unwrap();
        let mails = new_mails(&world, &mut relay, &mut seen).await;
        let to: Vec<_> = mails.iter().map(|mail| mail.to[0].as_str()).collect();
        assert_eq!(to, ["camille@example.org"], "the old address is told, and no link leaves");
        // Both want a free one; who comes first has it.
        let mut codes = Vec::new();
        for (caller, old) in [(&camille, "camille@example.org"), (&hugo, "hugo@example.org")] {
            caller.call(other_address("new@example.org")).await.unwrap();
            let mails = new_mails(&world, &mut relay, &mut seen).await;
            assert_eq!(mails.len(), 2, "{mails:?}");
            codes.push(code(mails.iter().find(|mail| mail.to != [old]).unwrap()));
        }
        world.anyone().call(ConfirmEmail { token: codes[1].clone() }).await.unwrap();
        assert!(is(&refused(&world.anyone(), ConfirmEmail { token: codes[0].clone() }).await, 409, "email-taken"));
        assert_eq!(camille.call(GetProfile {}).await.unwrap().email.as_str(), "camille@example.org");
        assert_eq!(hugo.call(GetProfile {}).await.unwrap().email.as_str(), "new@example.org");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_address_is_asked_for_by_who_proved_a_moment_ago_who_they_are() {
    let keys = Keys::of("localhost");
    for database in databases().await.unwrap() {
        let relay = Relay::start(&keys);
        let world = world(database, &relay, &keys).await;
        world.person("camille", Role::Member).await;
        let tokens = world.sign_in("camille").await;
        world.clock.advance(Duration::from_mins(20));
        let later = world.anyone().call(Refresh { refresh_token: tokens.refresh_token }).await.unwrap();
        let camille = world.as_holder(&later);
        assert!(is(&refused(&camille, other_address("new@example.org")).await, 401, "step-up-required"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_that_sends_no_mails_says_so_and_changes_addresses_at_once() {
    for world in worlds().await {
        world.identity.at_origin(ORIGIN);
        let (_, camille) = world.signed_in("camille", Role::Member).await;
        assert!(!world.anyone().call(GetPasswordResets {}).await.unwrap().by_mail);
        for who in ["camille@example.org", "nobody@example.org"] {
            assert!(is(&refused(&world.anyone(), ask(who)).await, 409, "no-mails"));
        }
        assert!(is(&refused(&camille, other_address("new@example.org")).await, 409, "no-mails"));
        let email = Some("new@example.org".parse().unwrap());
        let direct = EditProfile { email, first_name: None, last_name: None, language: None };
        assert_eq!(camille.call(direct).await.unwrap().email.as_str(), "new@example.org");
    }
}
