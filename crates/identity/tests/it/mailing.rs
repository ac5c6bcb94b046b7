//! People get the mails they expect, each once, from a real relay's point of view.

use std::collections::HashSet;
use std::net::TcpListener;

use contracts::identity::{
    ActivateUser, ChangePassword, ChooseMails, GetMailChoices, MailChoices, OpenBrowserSession, RejectUser, SignInMails,
};
use identity::{Encryption, Mailing};

use crate::relay::{Keys, Mail, Relay, mailing, settings};
use crate::*;

/// What leaves now.
async fn sent(world: &World, relay: &mut Relay) -> Vec<Mail> {
    world.journal().await;
    world.identity.send_due_mails().await.unwrap();
    relay.mails()
}

fn registration_as(login: &str, language: Language) -> Register {
    Register { email: format!("{login}@example.org").parse().unwrap(), language: Some(language), ..registration(login) }
}

async fn health(world: &World, what: &str) -> bool {
    let truths = chassis::Health::truths(&world.identity).await;
    truths.iter().find(|truth| truth.name.contains(what)).unwrap().holds
}

#[tokio::test(flavor = "multi_thread")]
async fn who_registers_is_told_at_each_step_in_their_language() {
    let keys = Keys::of("localhost");
    for database in databases().await.unwrap() {
        let mut relay = Relay::start(&keys);
        let world = World::mailing(database, mailing(relay.port, &keys)).await;
        world.identity.at_origin("https://bank.example");
        let (_, agent) = world.signed_in("agathe", Role::Agent).await;
        let before = sent(&world, &mut relay).await.len();
        let fr = world.anyone().call(registration_as("camille", Language::Fr)).await.unwrap().0;
        world.clock.advance(Duration::from_secs(1));
        let en = world.anyone().call(registration_as("hugo", Language::En)).await.unwrap().0;
        let mails = sent(&world, &mut relay).await.split_off(before);
        assert_eq!(mails.len(), 2, "{mails:?}");
        let (camille, hugo) = (&mails[0], &mails[1]);
        assert_eq!(
            (camille.to.as_slice(), camille.sender.as_str()),
            (["camille@example.org".to_owned()].as_slice(), "no-reply@bank.example")
        );
        assert_eq!(camille.header("Subject"), "Crédit du Port : votre inscription a été reçue");
        assert_eq!(hugo.header("Subject"), "Crédit du Port: your registration was received");
        assert!(camille.text().starts_with("Bonjour camille,") && hugo.text().starts_with("Hello hugo,"));
        for mail in [camille, hugo] {
            assert!(mail.encrypted && mail.kind == "multipart/alternative");
            assert_eq!(mail.header("Auto-Submitted"), "auto-generated");
            assert!(mail.header("Message-ID").ends_with("@bank.example>"));
            assert!(mail.header("From").contains("no-reply@bank.example"));
            assert!(mail.text().contains("https://bank.example/"), "{}", mail.text());
            assert!(mail.html.contains("<a href=\"https://bank.example/\">"));
            assert!(!mail.plain.contains(PASSWORD) && !mail.html.contains(PASSWORD));
        }
        assert_eq!((camille.header("Content-Language"), hugo.header("Content-Language")), ("fr", "en"));
        assert!(camille.html.contains("<html lang=\"fr\">") && hugo.html.contains("<html lang=\"en\">"));

        agent.call(ActivateUser { id: fr.id }).await.unwrap();
        world.clock.advance(Duration::from_secs(1));
        agent.call(RejectUser { id: en.id, reason: Some("He is on no list of ours.".parse().unwrap()) }).await.unwrap();
        let mails = sent(&world, &mut relay).await.split_off(before + 2);
        let subjects: Vec<_> = mails.iter().map(|mail| mail.header("Subject")).collect();
        assert_eq!(
            subjects,
            ["Crédit du Port : votre accès est ouvert", "Crédit du Port: your registration was not accepted"]
        );
        assert!(!mails[1].text().contains("list"), "the reason is for staff");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_one_mail_however_often_it_comes_and_however_many_send() {
    let keys = Keys::of("localhost");
    for database in databases().await.unwrap() {
        let mut relay = Relay::start(&keys);
        let world = World::mailing(database, mailing(relay.port, &keys)).await;
        for number in 0..10 {
            world.anyone().call(registration_as(&format!("person{number}"), Language::En)).await.unwrap();
        }
        let told = world.journal().await;
        let notices = Notices::new(world.store.clone(), Chance::system(), true);
        for _ in 0..3 {
            let again = told.iter().filter_map(|event| Notices::read(&event.payload().unwrap())).collect();
            notices.take(again).await.unwrap();
        }
        let twin = world.twin(&SigningKey::from_seed([9; 32]).unwrap()).await;
        let twin = twin.identity.clone().mailing(mailing(relay.port, &keys));
        let (one, other) = tokio::join!(world.identity.send_due_mails(), twin.send_due_mails());
        one.and(other).unwrap();
        let mails = relay.mails();
        let ids: HashSet<_> = mails.iter().map(|mail| mail.header("Message-ID")).collect();
        let people: HashSet<_> = mails.iter().map(|mail| mail.to[0].as_str()).collect();
        assert_eq!((mails.len(), ids.len(), people.len()), (10, 10, 10));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_away_loses_nothing_and_nobody_waits_for_one_that_hangs() {
    let keys = Keys::of("localhost");
    for database in databases().await.unwrap() {
        // It takes connections, and says nothing ever.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = silent.local_addr().unwrap().port();
        let world = World::mailing(database, mailing(port, &keys)).await;
        world.anyone().call(registration_as("camille", Language::En)).await.unwrap();
        world.journal().await;
        let sends = world.identity.clone();
        let stuck = tokio::spawn(async move { sends.send_due_mails().await });
        silent.accept().unwrap();
        world.anyone().call(registration_as("hugo", Language::En)).await.unwrap();
        world.signed_in("agathe", Role::Agent).await;
        // They neither waited for it nor for a transaction that waits for it.
        stuck.abort();
        drop(silent);

        // What was under way is held for a while; then nobody is there at all.
        world.clock.advance(Duration::from_mins(2));
        for _ in 0..5 {
            world.identity.send_due_mails().await.unwrap();
            world.clock.advance(Duration::from_mins(2));
        }
        assert!(health(&world, "mail waits").await);
        world.clock.advance(Duration::from_hours(1));
        assert!(!health(&world, "mail waits").await, "that mails wait for so long is seen");
        let mut relay = Relay::with(Some(&keys), &["--port", &port.to_string()]);
        let mails = sent(&world, &mut relay).await;
        let people: HashSet<_> = mails.iter().map(|mail| mail.to[0].as_str()).collect();
        assert_eq!((mails.len(), people.len()), (2, 2), "{people:?}");
        assert!(health(&world, "mail waits").await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_not_who_it_should_be_gets_nothing() {
    let (keys, foreign, other_name) = (Keys::of("localhost"), Keys::of("localhost"), Keys::of("relay.example.org"));
    for database in databases().await.unwrap() {
        let world = World::mailing(database, mailing(1, &keys)).await;
        world.anyone().call(registration_as("camille", Language::En)).await.unwrap();
        world.journal().await;
        let try_once = async |relay: &mut Relay, mailing: Mailing| {
            world.clock.advance(Duration::from_mins(5));
            world.identity.clone().mailing(mailing).send_due_mails().await.unwrap();
            relay.mails().len()
        };
        let mut stranger = Relay::start(&foreign);
        let reach = mailing(stranger.port, &keys);
        assert_eq!(try_once(&mut stranger, reach).await, 0, "of another authority");
        let mut renamed = Relay::start(&other_name);
        let reach = mailing(renamed.port, &other_name);
        assert_eq!(try_once(&mut renamed, reach).await, 0, "under another name");
        let mut open = Relay::with(None, &["--encryption", "none"]);
        let reach = mailing(open.port, &keys);
        assert_eq!(try_once(&mut open, reach).await, 0, "without STARTTLS");

        // The same mail leaves as soon as the relay is right: nothing was lost. This one wants a password, from the first byte on.
        let mut right = Relay::with(Some(&keys), &["--encryption", "tls", "--auth"]);
        let with = |secret: &str| {
            let credentials = Some(("bank".to_owned(), secret.to_owned().into()));
            let encryption = Encryption::Tls;
            Mailing::new(identity::MailingSettings { encryption, credentials, ..settings(right.port, &keys) }).unwrap()
        };
        let (wrong, fits) = (with("something else"), with("the relay's secret"));
        assert_eq!(try_once(&mut right, wrong).await, 0, "a wrong password is the relay's trouble, not the mail's");
        assert_eq!(try_once(&mut right, fits).await, 1);
        assert_eq!(right.mails()[0].user.as_deref(), Some("bank"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_put_off_comes_later_and_one_refused_for_good_is_given_up_and_told() {
    let keys = Keys::of("localhost");
    for database in databases().await.unwrap() {
        let mut relay = Relay::start(&keys);
        let world = World::mailing(database, mailing(relay.port, &keys)).await;
        for login in ["never", "later", "camille"] {
            world.anyone().call(registration_as(login, Language::En)).await.unwrap();
        }
        let mails = sent(&world, &mut relay).await;
        assert_eq!(mails.iter().map(|mail| mail.to[0].as_str()).collect::<Vec<_>>(), ["camille@example.org"]);
        let event = world.last(Action::MailFailed).await;
        assert_eq!((event.level, event.audience), (Level::Warning, Audience::Agents));
        assert_eq!(event.subject.unwrap().login, "never");
        assert!(event.details["reason"].contains("no such mailbox"), "{:?}", event.details);

        assert_eq!(sent(&world, &mut relay).await.len(), 1, "not at once");
        world.clock.advance(Duration::from_mins(1));
        let mails = sent(&world, &mut relay).await;
        assert_eq!(mails.len(), 2);
        assert_eq!(mails[1].to[0], "later@example.org");
        world.clock.advance(Duration::from_hours(100));
        assert_eq!(sent(&world, &mut relay).await.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_dies_between_the_relays_answer_and_the_commit_sends_again_under_the_same_id() {
    let keys = Keys::of("localhost");
    for database in databases().await.unwrap() {
        let mut relay = Relay::start(&keys);
        let world = World::mailing(database, mailing(relay.port, &keys)).await;
        world.anyone().call(registration_as("hang", Language::En)).await.unwrap();
        world.journal().await;
        let sends = world.identity.clone();
        let dies = tokio::spawn(async move { sends.send_due_mails().await });
        while relay.mails().is_empty() {
            tokio::task::yield_now().await;
        }
        dies.abort();
        assert!(dies.await.unwrap_err().is_cancelled());
        world.identity.send_due_mails().await.unwrap();
        assert_eq!(relay.mails().len(), 1, "nobody takes what is held");
        // The instance comes back.
        world.identity.let_mails_go().await.unwrap();
        world.identity.send_due_mails().await.unwrap();
        let mails = relay.mails();
        assert_eq!(mails.len(), 2);
        assert_eq!(mails[0].header("Message-ID"), mails[1].header("Message-ID"));
        world.clock.advance(Duration::from_mins(10));
        assert_eq!(sent(&world, &mut relay).await.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_with_a_new_device_or_from_a_new_network_is_told_and_an_ordinary_one_is_not() {
    let keys = Keys::of("localhost");
    for database in databases().await.unwrap() {
        let mut relay = Relay::start(&keys);
        let world = World::mailing(database, mailing(relay.port, &keys)).await;
        world.person("camille", Role::Member).await;
        let sign_in = async |device: Option<String>, client: &str| {
            let call = OpenBrowserSession { device, ..OpenBrowserSession::new("camille", password(PASSWORD)) };
            world.anyone().on_behalf_of(Some(client.to_owned())).call(call).await.unwrap().0
        };
        let mut count = sent(&world, &mut relay).await.len();
        let mut told = async |relay: &mut Relay| {
            let mails = sent(&world, relay).await;
            let new = mails.len() - count;
            count = mails.len();
            (new, mails.last().unwrap().header("Subject").to_owned())
        };
        let device = sign_in(None, "192.0.2.1").await.device;
        assert_eq!(told(&mut relay).await, (1, "Crédit du Port: sign-in from a new device or place".into()));
        sign_in(device.clone(), "192.0.2.1").await;
        assert_eq!(told(&mut relay).await.0, 0, "the same device at the same place");
        sign_in(device, "198.51.100.7").await;
        assert_eq!(told(&mut relay).await.0, 1, "another network");
        sign_in(None, "192.0.2.1").await;
        assert_eq!(told(&mut relay).await.0, 1, "another device");

        let camille = world.as_holder(&world.sign_in("camille").await);
        assert_eq!(camille.call(GetMailChoices {}).await.unwrap(), MailChoices::default());
        let choose = |sign_ins| ChooseMails { sign_ins, requests: true, transfers: false };
        let chosen = camille.call(choose(SignInMails::Never)).await.unwrap();
        assert_eq!(
            (chosen, camille.call(GetMailChoices {}).await.unwrap()),
            (MailChoices { sign_ins: SignInMails::Never, transfers: false, ..MailChoices::default() }, chosen)
        );
        sign_in(None, "203.0.113.9").await;
        assert_eq!(told(&mut relay).await.0, 0, "she does not want to know");
        camille.call(choose(SignInMails::Every)).await.unwrap();
        world.sign_in("camille").await;
        assert_eq!(
            told(&mut relay).await,
            (1, "Crédit du Port: sign-in to your account".into()),
            "she wants every one"
        );
        let dump = format!("{:?}", world.store.dump().await.unwrap());
        assert!(!dump.contains("198.51.100.7"), "where people are is not kept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_is_told_and_what_to_do_about_it() {
    let keys = Keys::of("localhost");
    for database in databases().await.unwrap() {
        let mut relay = Relay::start(&keys);
        let world = World::mailing(database, mailing(relay.port, &keys)).await;
        let (_, camille) = world.signed_in("camille", Role::Member).await;
        let before = sent(&world, &mut relay).await.len();
        let change = ChangePassword { old_password: password(PASSWORD), new_password: password(OTHER_PASSWORD) };
        camille.call(change).await.unwrap();
        world.journal().await;
        let mails = sent(&world, &mut relay).await.split_off(before);
        let (first, text) = (&mails[0], mails[0].text());
        assert_eq!(
            (first.to[0].as_str(), first.header("Subject")),
            ("camille@example.org", "Crédit du Port: your password was changed")
        );
        assert!(text.contains("change your password") && !text.contains(OTHER_PASSWORD), "{text}");
    }
}
