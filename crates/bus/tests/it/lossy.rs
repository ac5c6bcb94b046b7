//! What the broker may do to events, and who may do what at the broker.

use std::sync::Arc;

use async_nats::{ConnectOptions, Event};
use bus::OpeningKey;
use bus::nats::{Connection, Layout, Rights, prepare};
use futures_util::StreamExt;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::mpsc;

use crate::broker::{Broker, rights};
use crate::ways::{Record, Source, Way, nats};
use crate::{in_time, tell, until};

const SUBJECT: &str = "log.members.info";

fn broker(way: &Way) -> &Broker {
    match way {
        Way::Nats { broker, .. } => broker,
        Way::InProcess => unreachable!("made by `nats`"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_under_load_loses_nothing() {
    let Some(way) = nats().await else { return };
    let record = Record::new();
    let mut source = Source::one("bank").await;
    let _receiver = way.keep(&record).await;
    source.carry(&way, &record).await;
    let mut told = 0;
    for _ in 0..3 {
        let some = record.of("bank").len();
        tell(&source.store, SUBJECT, told..told + 600).await;
        told += 600;
        until(|| record.of("bank").len() > some).await;
        broker(&way).kill();
        tell(&source.store, SUBJECT, told..told + 50).await;
        told += 50;
        broker(&way).run();
    }
    source.flushed().await;
    assert_eq!(record.of("bank"), (0..told).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_broker_acknowledged_and_lost_is_published_again() {
    let Some(way) = nats().await else { return };
    let record = Record::new();
    let mut source = Source::one("bank").await;
    tell(&source.store, SUBJECT, 0..120).await;
    // Nobody keeps yet: the broker alone has them, and says so.
    source.carry(&way, &record).await;
    let stored = || std::fs::read_dir(broker(&way).store()).is_ok() && size_of(&broker(&way).store()) > 120 * 100;
    until(stored).await;
    broker(&way).kill();
    broker(&way).wipe();
    broker(&way).run();
    broker(&way).prepare().await;
    let _receiver = way.keep(&record).await;
    source.flushed().await;
    assert_eq!(record.of("bank"), (0..120).collect::<Vec<_>>());
}

fn size_of(dir: &std::path::Path) -> u64 {
    files(dir).iter().map(|file| std::fs::metadata(file).map_or(0, |data| data.len())).sum()
}

fn files(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_brokers_disk_holds_no_readable_event() {
    let Some(way) = nats().await else { return };
    let mut source = Source::one("bank").await;
    let mut tx = source.store.begin().await.unwrap();
    for _ in 0..50 {
        tx.tell(SUBJECT, "{\"person\":\"Ernestine Dubois\",\"amount\":\"4711.00\"}");
    }
    tx.commit().await.unwrap();
    source.carry(&way, &Record::new()).await;
    until(|| size_of(&broker(&way).store()) > 50 * 100).await;
    let held: Vec<u8> = files(&broker(&way).store()).iter().flat_map(|file| std::fs::read(file).unwrap()).collect();
    let holds = |text: &str| held.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    assert!(holds("told.bank.log.members.info"), "the search finds what is there");
    // Whole words: identifiers and times in clear may hold any few digits.
    for secret in ["Ernestine", "Dubois", "4711.00", "amount", "person"] {
        assert!(!holds(secret), "{secret} can be read");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_set_aside_and_holds_up_nobody() {
    let Some(way) = nats().await else { return };
    let record = Record::new();
    let (mut bank, mut identity) = (Source::one("bank").await, Source::one("identity").await);
    let receiver = way.keep(&record).await.unwrap();
    // No event at all; then an event that was altered, three times.
    let (raw, _) = raw(broker(&way), "bank").await;
    raw.publish("told.bank.log.members.info", "no event".into()).await.unwrap();
    for copy in ["one", "two", "three"] {
        raw.publish_with_headers("told.bank.log.members.info", altered(&way), copy.into()).await.unwrap();
    }
    raw.flush().await.unwrap();
    until(|| record.poison().len() == 4).await;
    tell(&bank.store, SUBJECT, 0..1).await;
    bank.carry(&way, &record).await;
    tell(&bank.store, SUBJECT, 1..20).await;
    tell(&identity.store, SUBJECT, 0..50).await;
    identity.carry(&way, &record).await;
    identity.flushed().await;
    bank.flushed().await;
    let poison = record.poison();
    assert!(poison.iter().any(|one| one.seq.is_none() && one.bytes == b"no event" && one.source == "bank"));
    let sealed: Vec<_> = poison.iter().filter(|one| one.seq == Some(1)).map(|one| one.last).collect();
    assert_eq!(sealed, [false, false, true], "better copies are asked for, and then its number is passed over");
    assert_eq!(record.of("identity"), (0..50).collect::<Vec<_>>());
    assert_eq!(record.of("bank"), (0..20).collect::<Vec<_>>());
    assert_eq!(receiver.counts().poison, 4);
}

/// The headers of the first event of a source.
fn altered(way: &Way) -> async_nats::HeaderMap {
    let Way::Nats { key, .. } = way else { unreachable!("made by `nats`") };
    let key = OpeningKey::open(key).unwrap();
    let mut headers = async_nats::HeaderMap::new();
    let id = "01975d4e-0000-7000-8000-000000000001";
    for (name, value) in
        [("Version", "2"), ("Seq", "1"), ("After", "0"), ("Id", id), ("At", "1"), ("Key", key.sealing().id().as_str())]
    {
        headers.insert(format!("Guichet-{name}"), value);
    }
    headers
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sealed_with_a_key_that_is_missing_here_is_given_up_by_nobody() {
    let Some(way) = nats().await else { return };
    let record = Record::new();
    let mut bank = Source::one("bank").await;
    let receiver = way.keep(&record).await.unwrap();
    tell(&bank.store, SUBJECT, 0..5).await;
    bank.carry_sealed(&way, OpeningKey::generate().unwrap().sealing().clone()).await;
    until(|| receiver.counts().failures >= 20).await;
    bank.carry(&way, &record).await;
    bank.flushed().await;
    assert_eq!((record.of("bank"), record.poison()), ((0..5).collect::<Vec<_>>(), vec![]));
}

/// A plain client of the broker, and what it is told.
async fn raw(broker: &Broker, name: &str) -> (async_nats::Client, mpsc::UnboundedReceiver<String>) {
    let (tell, told) = mpsc::unbounded_channel();
    let client = ConnectOptions::new()
        .require_tls(true)
        .tls_client_config(broker.link(name).client_config().unwrap())
        .custom_inbox_prefix(format!("_INBOX_{name}"))
        .event_callback(move |event: Event| {
            // The test may have heard enough.
            let _ = tell.send(event.to_string());
            std::future::ready(())
        })
        .connect(broker.address())
        .await
        .unwrap();
    (client, told)
}

async fn hears(told: &mut mpsc::UnboundedReceiver<String>, what: &str) {
    in_time(async { while !told.recv().await.unwrap().to_lowercase().contains(&what.to_lowercase()) {} }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_speaks_as_somebody_else_reads_the_log_or_touches_the_stream() {
    let Some(broker) = Broker::start().await else { return };
    let everywhere = [
        "told.identity.log.members.info",
        "confirm.bank",
        "confirm.identity",
        "$JS.API.STREAM.DELETE.JOURNAL",
        "$JS.API.STREAM.PURGE.JOURNAL",
        "$JS.API.STREAM.INFO.JOURNAL",
        "$JS.API.STREAM.UPDATE.JOURNAL",
        "$JS.API.STREAM.MSG.GET.JOURNAL",
        "$JS.API.CONSUMER.MSG.NEXT.JOURNAL.journal",
        "$JS.API.CONSUMER.CREATE.JOURNAL.other",
        "$JS.API.CONSUMER.DELETE.JOURNAL.journal",
        "$JS.ACK.JOURNAL.journal.1.1.1.1.1",
        "$JS.API.DIRECT.GET.JOURNAL",
        "$SYS.REQ.SERVER.PING",
    ];
    let (bank, mut told) = raw(&broker, "bank").await;
    for subject in everywhere.iter().chain(&["told.bank.auth.revoked", "told.bank.log.members.info.more"]) {
        bank.publish(*subject, "x".into()).await.unwrap();
        hears(&mut told, &format!("Permissions Violation for Publish to \"{subject}\"")).await;
    }
    for subject in ["told.>", "told.bank.>", ">", "confirm.identity", "_INBOX_journal.>", "_INBOX.>", "$JS.>"] {
        let _nothing = bank.subscribe(subject).await.unwrap();
        hears(&mut told, &format!("Permissions Violation for Subscription to \"{subject}\"")).await;
    }
    let (journal, mut told) = raw(&broker, "journal").await;
    for subject in
        ["told.bank.log.members.info", "$JS.API.STREAM.PURGE.JOURNAL", "$JS.API.CONSUMER.DELETE.JOURNAL.journal"]
    {
        journal.publish(subject, "x".into()).await.unwrap();
        hears(&mut told, &format!("Permissions Violation for Publish to \"{subject}\"")).await;
    }
    let (operator, mut told) = raw(&broker, "operator").await;
    for subject in [
        "told.bank.log.members.info",
        "confirm.bank",
        "$JS.API.STREAM.PURGE.JOURNAL",
        "$JS.API.STREAM.DELETE.JOURNAL",
        "$JS.API.CONSUMER.MSG.NEXT.JOURNAL.journal",
    ] {
        operator.publish(subject, "x".into()).await.unwrap();
        hears(&mut told, &format!("Permissions Violation for Publish to \"{subject}\"")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_without_a_user_and_none_at_all_are_refused() {
    let Some(broker) = Broker::start().await else { return };
    for config in [
        broker.link("stranger").client_config().unwrap(),
        // The name of the user as a DNS name, and something else as common name.
        broker.link_of("stranger", &["bank"]).client_config().unwrap(),
        pki::client_config(broker.root(), None, &vocabulary::Clock::system()).unwrap(),
    ] {
        let connected =
            ConnectOptions::new().require_tls(true).tls_client_config(config).connect(broker.address()).await;
        assert!(connected.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_speaks_tls_1_3_and_nothing_older() {
    let Some(broker) = Broker::start().await else { return };
    for (version, welcome) in [(&TLS13, true), (&TLS12, false)] {
        let (identity, provider) =
            (broker.link("bank").identity(), Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(broker.root().as_bytes()).unwrap()).unwrap();
        let chain = CertificateDer::pem_slice_iter(identity.cert_pem().as_bytes()).map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_slice(identity.key_pem().as_bytes()).unwrap();
        let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
        let config = config.with_root_certificates(roots).with_client_auth_cert(chain, key).unwrap();
        let connected = ConnectOptions::new().tls_client_config(config).connect(broker.address()).await;
        assert_eq!(connected.is_ok(), welcome, "{version:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_made_anew_with_the_certificate_that_replaced_the_first() {
    let Some(broker) = Broker::start().await else { return };
    let link = broker.link("bank");
    let connection = Connection::open(&[broker.address()], "bank", &link).await.unwrap();
    until(|| connection.is_up()).await;
    link.replace_identity(broker.link("stranger").identity()).unwrap();
    until(|| !connection.is_up()).await;
    link.replace_identity(broker.link("bank").identity()).unwrap();
    until(|| connection.is_up()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_is_made_once_and_follows_the_layout() {
    let Some(broker) = Broker::start().await else { return };
    let operator = broker.connect("operator").await;
    until(|| operator.is_up()).await;
    let layout = Layout { replicas: 1, most_bytes: 5_000_000 };
    prepare(&operator, layout).await.unwrap();
    prepare(&operator, layout).await.unwrap();
    let (raw, _told) = raw(&broker, "operator").await;
    let stream = async_nats::jetstream::new(raw).get_stream("JOURNAL").await.unwrap();
    let info = stream.cached_info();
    assert_eq!((info.config.max_bytes, info.state.consumer_count), (5_000_000, 1));
    assert!(info.config.deny_delete && info.config.deny_purge);
    assert!(prepare(&operator, Layout { replicas: 3, ..layout }).await.is_err(), "one node cannot hold three copies");
}

#[test]
fn the_rights_that_are_deployed_are_those_that_the_services_need() {
    let log = ["log.members.*", "log.agents.*"];
    let services = Rights::new("journal", "operator")
        .and_then(|rights| rights.source("authority", &log))
        .and_then(|rights| rights.source("bank", &log))
        .and_then(|rights| rights.source("identity", &[log[0], log[1], "auth.revoked"]))
        .and_then(|rights| rights.source("journal", &log))
        .and_then(|rights| rights.source("monitor", &log))
        .unwrap();
    assert_eq!(include_str!("../../../../deploy/nats/rights.conf"), services.conf());
}

#[test]
fn rights_are_given_to_names_only_and_never_over_the_stream() {
    for name in ["", "Bank", "a\" }", "a.b", "*", ">", &"x".repeat(65)] {
        assert!(rights().source(name, &["log.>"]).is_err(), "{name}");
    }
    for subject in ["", ".", "a.", ".a", "a..b", ">.a", "a\"", "a b", "$JS.>", "A"] {
        assert!(rights().source("new", &[subject]).is_err(), "{subject}");
    }
    assert!(rights().source("bank", &["log.>"]).is_err(), "twice");
    assert!(!rights().conf().contains("\"$JS.>\""));
    assert!(!rights().without("bank").conf().contains("bank"));
    assert!(rights().source("journal", &["log.*.*"]).unwrap().conf().contains("told.journal.log.*.*"), "it tells too");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_loses_their_user_is_cut_off_at_once_and_the_others_go_on() {
    let Some(broker) = Broker::start().await else { return };
    let (bank, mut told) = raw(&broker, "bank").await;
    let (identity, _told) = raw(&broker, "identity").await;
    broker.reload(&rights().without("bank"));
    hears(&mut told, "disconnected").await;
    hears(&mut told, "authorization violation").await;
    assert_ne!(bank.connection_state(), async_nats::connection::State::Connected);
    let mut heard = identity.subscribe("confirm.identity").await.unwrap();
    identity.flush().await.unwrap();
    let (journal, _told) = raw(&broker, "journal").await;
    journal.publish("confirm.identity", "x".into()).await.unwrap();
    assert!(in_time(heard.next()).await.is_some());
    broker.reload(&rights());
    hears(&mut told, "connected").await;
}
