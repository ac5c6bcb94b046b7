//! Who is told of an incident: by mail and by webhook, once, whatever dies in between.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Mutex;

use aws_lc_rs::hmac;
use axum::Router;
use axum::extract::State as Shared;
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use contracts::monitor::{AcknowledgeIncident, AnnounceMaintenance};
use http::{HeaderMap, StatusCode};

use crate::relay::{Keys, Mail, Relay};
use crate::watching::{Bench, Target};
use crate::*;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What a receiver was handed: headers and body, and what it answers.
#[derive(Default)]
struct Inbox {
    taken: Mutex<Vec<(HeaderMap, String)>>,
    answer: Mutex<StatusCode>,
}

impl Inbox {
    fn answers(&self, status: StatusCode) {
        *self.answer.lock().unwrap() = status;
    }

    /// Each once checked for its signature, as the specification says.
    fn verified(&self) -> Vec<(String, serde_json::Value)> {
        let taken = self.taken.lock().unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(&SECRET["whsec_".len()..]).unwrap());
        let verified = taken.iter().map(|(headers, body)| {
            let header = |name: &str| headers[name].to_str().unwrap().to_owned();
            let signature = header("webhook-signature");
            let signature = STANDARD.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
            let signed = format!("{}.{}.{body}", header("webhook-id"), header("webhook-timestamp"));
            hmac::verify(&key, signed.as_bytes(), &signature).unwrap();
            (header("webhook-id"), serde_json::from_str(body).unwrap())
        });
        verified.collect()
    }
}

/// A receiver on this machine, and its address.
async fn receiver(inbox: &Arc<Inbox>) -> String {
    let take = async |Shared(inbox): Shared<Arc<Inbox>>, headers: HeaderMap, body: String| {
        inbox.taken.lock().unwrap().push((headers, body));
        let status = *inbox.answer.lock().unwrap();
        (status, [("location", "http://127.0.0.1:1/elsewhere")])
    };
    let routes = Router::new().route("/hook", post(take)).route("/beat", get(take)).with_state(inbox.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    format!("http://{address}")
}

fn by_mail(folder: &Path, port: u16, keys: &Keys, language: &str) -> String {
    std::fs::write(folder.join("ca.pem"), keys.authority()).unwrap();
    format!(
        "[alerts]\nname = \"Crédit du Port\"\nlanguage = \"{language}\"\nremind_every = \"1h\"\n\
         [alerts.mail]\nto = [\"ops@example.org\"]\n\
         [mail]\nrelay = \"localhost:{port}\"\nfrom = \"Monitor <monitor@bank.example>\"\nca = \"ca.pem\"\n"
    )
}

fn by_webhook(folder: &Path, address: &str) -> String {
    let file = folder.join("hook.secret");
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    format!(
        "[alerts]\nremind_every = \"1h\"\n[[alerts.webhooks]]\nname = \"pager\"\nurl = \"{address}/hook\"\n\
         secret_file = \"hook.secret\"\nprivate = true\n"
    )
}

async fn told(bench: &Bench, relay: &mut Relay) -> Vec<Mail> {
    bench.monitor.tell_now().await.unwrap();
    relay.mails()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_says_once_that_it_began_and_once_that_it_is_over_whatever_restarts() {
    let keys = Keys::of("localhost");
    for mut bench in Bench::all(&[], "").await {
        // Nobody listens there yet.
        let port = Target::new().port;
        let settings = by_mail(bench.folder.path(), port, &keys, "fr");
        bench.set_settings(&settings).await;
        let mut target = Target::new();
        bench.set("shop", target.spec()).await;
        bench.rounds(1).await;
        target.fall();
        bench.rounds(3).await;
        bench.monitor.tell_now().await.unwrap();
        bench.restart().await;
        bench.rounds(2).await;
        bench.monitor.tell_now().await.unwrap();
        let mut relay = Relay::with(Some(&keys), &["--port", &port.to_string()]);
        bench.rounds(12).await;
        let mails = told(&bench, &mut relay).await;
        assert_eq!(mails.len(), 1, "{mails:?}");
        assert_eq!(mails[0].to, ["ops@example.org"]);
        assert_eq!(mails[0].header("Subject"), "Crédit du Port\u{a0}: shop est en panne");
        assert!(mails[0].encrypted && mails[0].text().contains("no connection"), "{}", mails[0].text());
        assert!(mails[0].header("Message-ID").ends_with("@bank.example>"));
        bench.restart().await;
        bench.rounds(5).await;
        assert_eq!(told(&bench, &mut relay).await.len(), 1, "a restart tells nothing twice");
        target.rise();
        bench.rounds(3).await;
        let mails = told(&bench, &mut relay).await;
        assert_eq!(mails.len(), 2);
        assert_eq!(mails[1].header("Subject"), "Crédit du Port\u{a0}: shop fonctionne de nouveau");
        bench.rounds(3).await;
        assert_eq!(told(&bench, &mut relay).await.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reminders_come_until_somebody_looks_after_it() {
    let keys = Keys::of("localhost");
    for mut bench in Bench::all(&[], "").await {
        let mut relay = Relay::start(&keys);
        let settings = by_mail(bench.folder.path(), relay.port, &keys, "en");
        bench.set_settings(&settings).await;
        let mut target = Target::new();
        bench.set("shop", target.spec()).await;
        target.fall();
        bench.rounds(3).await;
        assert_eq!(told(&bench, &mut relay).await[0].header("Subject"), "Crédit du Port: shop is down");
        bench.clock.advance(Duration::from_mins(59));
        assert_eq!(told(&bench, &mut relay).await.len(), 1);
        bench.clock.advance(Duration::from_mins(1));
        let mails = told(&bench, &mut relay).await;
        assert_eq!((mails.len(), mails[1].header("Subject")), (2, "Crédit du Port: shop is still down"));
        let announce = AnnounceMaintenance {
            title: "New disks".parse().unwrap(),
            text: None,
            from: None,
            to: bench.clock.now().plus(Duration::from_mins(70)),
            checks: Vec::new(),
            public: false,
        };
        bench.superuser().call(announce).await.unwrap();
        bench.clock.advance(Duration::from_mins(65));
        assert_eq!(told(&bench, &mut relay).await.len(), 2, "nobody is reminded during a maintenance");
        bench.clock.advance(Duration::from_mins(10));
        assert_eq!(told(&bench, &mut relay).await.len(), 3);
        let id = bench.incidents().await[0].id;
        bench.superuser().call(AcknowledgeIncident { id }).await.unwrap();
        bench.clock.advance(Duration::from_hours(5));
        assert_eq!(told(&bench, &mut relay).await.len(), 3);
        target.rise();
        bench.rounds(2).await;
        assert_eq!(told(&bench, &mut relay).await[3].header("Subject"), "Crédit du Port: shop works again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_signed_tried_again_under_the_same_id_and_follows_nothing() {
    for mut bench in Bench::all(&[], "").await {
        let inbox = Arc::new(Inbox::default());
        let address = receiver(&inbox).await;
        let settings = by_webhook(bench.folder.path(), &address);
        bench.set_settings(&settings).await;
        let mut target = Target::new();
        bench.set("shop", target.spec()).await;
        target.fall();
        inbox.answers(StatusCode::TEMPORARY_REDIRECT);
        bench.rounds(3).await;
        bench.monitor.tell_now().await.unwrap();
        inbox.answers(StatusCode::INTERNAL_SERVER_ERROR);
        bench.clock.advance(Duration::from_mins(1));
        bench.monitor.tell_now().await.unwrap();
        inbox.answers(StatusCode::NO_CONTENT);
        bench.clock.advance(Duration::from_mins(1));
        for _ in 0..3 {
            bench.monitor.tell_now().await.unwrap();
        }
        let handed = inbox.verified();
        let ids: std::collections::BTreeSet<_> = handed.iter().map(|(id, _)| id.clone()).collect();
        assert_eq!((handed.len(), ids.len()), (3, 1), "what was not taken comes again, what was taken does not");
        let (_, body) = &handed[0];
        assert_eq!((&body["type"], &body["data"]["check"]), (&"incident.opened".into(), &"shop".into()));
        target.rise();
        bench.rounds(2).await;
        bench.monitor.tell_now().await.unwrap();
        let handed = inbox.verified();
        assert_eq!((handed.len(), &handed[3].1["type"]), (4, &"incident.recovered".into()));
        let dump = bench.store.dump().await.unwrap();
        assert!(!format!("{dump:?}").contains("MfKQ9r8G"), "no secret is kept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_takes_for_a_day_is_given_up_and_that_is_said() {
    for mut bench in Bench::all(&[], "").await {
        let inbox = Arc::new(Inbox::default());
        let address = receiver(&inbox).await;
        inbox.answers(StatusCode::BAD_GATEWAY);
        let settings = by_webhook(bench.folder.path(), &address);
        bench.set_settings(&settings).await;
        let mut target = Target::new();
        bench.set("shop", target.spec()).await;
        target.fall();
        bench.rounds(3).await;
        let truth = async |bench: &Bench| {
            let truths = chassis::Health::truths(&bench.monitor).await;
            truths.iter().find(|it| it.name.contains("is told")).unwrap().holds
        };
        for _ in 0..30 {
            bench.monitor.tell_now().await.unwrap();
            bench.clock.advance(Duration::from_hours(1));
        }
        let tried = inbox.verified().len();
        assert!(tried > 20, "{tried}");
        assert!(!truth(&bench).await);
        inbox.answers(StatusCode::OK);
        target.rise();
        bench.rounds(2).await;
        bench.monitor.tell_now().await.unwrap();
        let last = inbox.verified();
        assert!(
            last.iter().all(|(_, body)| body["type"] != "incident.recovered"),
            "who heard of nothing hears of no end"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_heartbeat_is_heard_while_checks_are_made() {
    let inbox = Arc::new(Inbox::default());
    let address = receiver(&inbox).await;
    let settings = format!("[heartbeat]\nurl = \"{address}/beat\"\nprivate = true\nevery = \"1s\"\n");
    let bench = Bench::on(TestDatabase::sqlite().unwrap(), &[], &settings).await;
    let shutdown = Shutdown::default();
    let watching = tokio::spawn(bench.monitor.clone().watch(shutdown.clone()));
    let heard = async {
        while inbox.taken.lock().unwrap().len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), heard).await.unwrap();
    shutdown.begin();
    watching.await.unwrap();
}

#[test]
fn faults_of_the_settings_are_told_all_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("monitor.toml");
    let text = "[alerts]\nremind_every = \"1s\"\n[alerts.mail]\nto = [\"ops@example.org\"]\n\
                [[alerts.webhooks]]\nname = \"pager\"\nurl = \"http://alerts.example.org/\"\nsecret_file = \"none\"\n\
                [heartbeat]\nurl = \"ftp://example.org\"\n";
    std::fs::write(&file, text).unwrap();
    let faults = Settings::read(&file).unwrap_err().to_string();
    for part in ["remind_every", "[alerts.mail]", "not encrypted", "[heartbeat]: `url`"] {
        assert!(faults.contains(part), "{part} is not in {faults}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_away_is_tried_once_for_all_that_waits_and_loses_none_of_it() {
    for mut bench in Bench::all(&[], "").await {
        let inbox = Arc::new(Inbox::default());
        let address = receiver(&inbox).await;
        inbox.answers(StatusCode::BAD_GATEWAY);
        let settings = by_webhook(bench.folder.path(), &address);
        bench.set_settings(&settings).await;
        let mut targets = [Target::new(), Target::new(), Target::new()];
        for (number, target) in targets.iter_mut().enumerate() {
            bench.set(&format!("shop-{number}"), target.spec()).await;
            target.fall();
        }
        bench.rounds(3).await;
        bench.monitor.tell_now().await.unwrap();
        assert_eq!(inbox.verified().len(), 1, "each would wait for its own time-out");
        inbox.answers(StatusCode::OK);
        bench.clock.advance(Duration::from_mins(1));
        bench.monitor.tell_now().await.unwrap();
        let handed = inbox.verified();
        let checks: std::collections::BTreeSet<_> =
            handed[1..].iter().map(|(_, body)| body["data"]["check"].to_string()).collect();
        assert_eq!((handed.len(), checks.len()), (4, 3), "{handed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_given_up_on_is_reminded_and_hears_of_the_end() {
    for mut bench in Bench::all(&[], "").await {
        let inbox = Arc::new(Inbox::default());
        let address = receiver(&inbox).await;
        inbox.answers(StatusCode::BAD_GATEWAY);
        let settings = by_webhook(bench.folder.path(), &address);
        bench.set_settings(&settings).await;
        let mut target = Target::new();
        bench.set("shop", target.spec()).await;
        target.fall();
        bench.rounds(3).await;
        bench.clock.advance(Duration::from_hours(25));
        bench.monitor.tell_now().await.unwrap();
        inbox.answers(StatusCode::OK);
        bench.monitor.tell_now().await.unwrap();
        target.rise();
        bench.rounds(2).await;
        bench.monitor.tell_now().await.unwrap();
        let kinds: Vec<_> = inbox.verified().into_iter().map(|(_, body)| body["type"].clone()).collect();
        assert_eq!(kinds, ["incident.opened", "incident.reminder", "incident.recovered"]);
        let kept = async || {
            let dump = bench.store.dump().await.unwrap();
            dump.into_iter().find(|(table, _)| table == "alerts").map(|(_, rows)| rows.len())
        };
        assert_eq!(kept().await, Some(3));
        for days in [89, 2] {
            bench.clock.advance(Duration::from_hours(24 * days));
            bench.monitor.tell_now().await.unwrap();
        }
        assert_eq!(kept().await.unwrap_or(0), 0, "for ever is too long");
    }
}
