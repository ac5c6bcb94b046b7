//! Opening a database: migrations, files, and the link to a server.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use store::{Database, PostgresConfig, Tables, migration};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const fn second(text: &'static str) -> Migration {
    Migration { part: "service", number: 2, name: "more", sqlite: text, postgres: text }
}

const FIRST: Migration = migration!(1, "create", "sql/table.sqlite.sql", "sql/table.postgres.sql");
const TWO: &[Migration] = &[FIRST, second("create table more (n bigint not null)")];
const EDITED: &[Migration] = &[FIRST, second("create table more (n bigint)")];
const BROKEN: &[Migration] = &[FIRST, second("create table half (n bigint); create nonsense")];

async fn open(test: &TestDatabase, migrations: &[Migration]) -> Result<Store, StoreError> {
    Store::open(&test.database, migrations, Clock::system()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_runs_once_and_stays_as_it_was() {
    for test in databases().await.unwrap() {
        let store = open(&test, MIGRATIONS).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        add(&mut tx, "old", 1).await.unwrap();
        tx.commit().await.unwrap();
        let history = store.dump().await.unwrap()["migrations"].clone();
        drop(store);
        let store = open(&test, MIGRATIONS).await.unwrap();
        assert_eq!(store.dump().await.unwrap()["migrations"], history);
        drop(store);
        let store = open(&test, TWO).await.unwrap();
        assert_eq!(count(&store).await, 1);
        assert!(store.dump().await.unwrap().contains_key("more"));
        drop(store);
        let newer = open(&test, MIGRATIONS).await.unwrap_err();
        assert_eq!(newer, StoreError::NewerDatabase { part: "service".to_owned(), found: 2, known: 1 });
        assert!(newer.to_string().contains("install the newer version"), "{newer}");
        let edited = open(&test, EDITED).await.unwrap_err();
        assert_eq!(edited, StoreError::EditedMigration { number: 2, name: "more".to_owned() });
        open(&test, TWO).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_and_a_new_list_count_from_the_next_transaction_on() {
    for test in databases().await.unwrap() {
        let Database::Postgres(config) = &test.database else { continue };
        let folder = tempfile::tempdir().unwrap();
        let copy = |name: &str, from: &Path| {
            let to = folder.path().join(name);
            std::fs::copy(from, &to).unwrap();
            to
        };
        let (certificate, key) = (copy("me.pem", &config.certificate), copy("me-key.pem", &config.key));
        let list = copy("crl.pem", config.revocation_list.as_ref().unwrap());
        let database = Database::Postgres(PostgresConfig {
            certificate: certificate.clone(),
            key,
            revocation_list: Some(list.clone()),
            ..config.clone()
        });
        let store = Store::open(&database, MIGRATIONS, Clock::system()).await.unwrap();
        let session = async || {
            let mut tx = store.read().await.unwrap();
            tx.run(&SESSION, params![]).await.unwrap().unwrap()
        };
        for file in [&certificate, &list] {
            let first = session().await;
            let kept = eventually_same(&session, first).await;
            assert_eq!(kept, first);
            let renewed = std::fs::File::options().append(true).open(file).unwrap();
            renewed.set_modified(std::time::UNIX_EPOCH).unwrap();
            assert_ne!(session().await, first, "{}", file.display());
        }
    }
}

/// The session of the next read, once the one before it was given back.
async fn eventually_same(session: &impl AsyncFn() -> i64, first: i64) -> i64 {
    for _ in 0..100 {
        if session().await == first {
            return first;
        }
    }
    session().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_fails_leaves_nothing() {
    for test in databases().await.unwrap() {
        let broken = open(&test, BROKEN).await.unwrap_err();
        assert!(matches!(&broken, StoreError::Migration { number: 2, .. }), "{broken:?}");
        let gap = open(&test, &TWO[1..]).await.unwrap_err();
        assert!(gap.to_string().contains("should be number 1"), "{gap}");
        let store = open(&test, MIGRATIONS).await.unwrap();
        assert!(!store.dump().await.unwrap().contains_key("half"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_those_that_start_at_once_each_finds_the_tables_made() {
    for test in databases().await.unwrap() {
        let opened: Vec<_> = (0..6)
            .map(|_| {
                let database = test.database.clone();
                tokio::spawn(async move { Store::open(&database, TWO, Clock::system()).await })
            })
            .collect();
        for task in opened {
            let store = task.await.unwrap().unwrap();
            assert_eq!(count(&store).await, 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_its_owners_alone_and_must_be_a_database() {
    let test = TestDatabase::sqlite().unwrap();
    let store = open(&test, MIGRATIONS).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    add(&mut tx, "a", 1).await.unwrap();
    tx.commit().await.unwrap();
    let Database::Sqlite { path } = &test.database else { panic!("not SQLite") };
    for end in ["", "-wal", "-shm"] {
        let file = path.with_file_name(format!("test.db{end}"));
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
    let text = path.with_file_name("text");
    std::fs::write(&text, "this is no database, whatever its name may say. ".repeat(40)).unwrap();
    for (path, words) in [(text.as_path(), "not an SQLite database"), (Path::new("/nowhere/at/all.db"), "No such file")]
    {
        let database = Database::Sqlite { path: path.to_owned() };
        let refused = Store::open(&database, MIGRATIONS, Clock::system()).await.unwrap_err().to_string();
        assert!(refused.contains(words) && refused.contains(&path.display().to_string()), "{refused}");
    }
}

/// The PostgreSQL database that can be tested here, if there is one.
async fn server() -> Option<(TestDatabase, PostgresConfig)> {
    databases().await.unwrap().into_iter().find_map(|test| match test.database.clone() {
        Database::Postgres(config) => Some((test, config)),
        Database::Sqlite { .. } => None,
    })
}

async fn refused(config: PostgresConfig) -> String {
    Store::open(&Database::Postgres(config), MIGRATIONS, Clock::system()).await.unwrap_err().to_string()
}

/// An authority of nobody's and a client certificate it signed.
fn stranger(directory: &Path, user: &str) {
    let (ca_key, key) = (rcgen::KeyPair::generate().unwrap(), rcgen::KeyPair::generate().unwrap());
    let mut ca = rcgen::CertificateParams::new(vec![]).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = ca.self_signed(&ca_key).unwrap();
    let mut leaf = rcgen::CertificateParams::new(vec![user.to_owned()]).unwrap();
    leaf.distinguished_name.push(rcgen::DnType::CommonName, user);
    leaf.extended_key_usages.push(rcgen::ExtendedKeyUsagePurpose::ClientAuth);
    let leaf = leaf.signed_by(&key, &rcgen::Issuer::new(ca, ca_key)).unwrap();
    std::fs::write(directory.join("ca.pem"), root.pem()).unwrap();
    std::fs::write(directory.join("client.pem"), leaf.pem()).unwrap();
    std::fs::write(directory.join("client.key"), key.serialize_pem()).unwrap();
    std::fs::set_permissions(directory.join("client.key"), PermissionsExt::from_mode(0o600)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_our_authority_our_certificate_and_the_right_name_connect() {
    let Some((_test, config)) = server().await else { return };
    let scratch = TestDatabase::sqlite().unwrap();
    let Database::Sqlite { path } = &scratch.database else { panic!("not SQLite") };
    let directory = path.parent().unwrap();
    stranger(directory, &config.user);
    let strange = PostgresConfig {
        certificate: directory.join("client.pem"),
        key: directory.join("client.key"),
        ..config.clone()
    };

    let said = refused(strange).await;
    assert!(said.contains("cannot be reached"), "a foreign client certificate: {said}");
    let said = refused(PostgresConfig { root_certificate: directory.join("ca.pem"), ..config.clone() }).await;
    assert!(said.contains("UnknownIssuer"), "a server of another authority: {said}");

    // The same server under a name that is not in its certificate.
    let proxy = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let port = proxy.local_addr().unwrap().port();
    let real = format!("{}:{}", config.host, config.port);
    let forward = tokio::spawn(async move {
        let (mut client, _) = proxy.accept().await.unwrap();
        let mut server = tokio::net::TcpStream::connect(real).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
    });
    let said = refused(PostgresConfig { host: "127.0.0.2".to_owned(), port, ..config.clone() }).await;
    assert!(said.contains("not valid for name"), "another name: {said}");
    forward.await.unwrap();

    std::fs::set_permissions(directory.join("client.key"), PermissionsExt::from_mode(0o644)).unwrap();
    let said = refused(PostgresConfig { key: directory.join("client.key"), ..config.clone() }).await;
    assert!(said.contains("chmod 600"), "a key that others can read: {said}");
    let said = refused(PostgresConfig { certificate: "/nowhere.pem".into(), ..config }).await;
    assert!(said.contains("/nowhere.pem"), "no client certificate: {said}");
}

/// A server that shows `chain` and says nothing more, as often as it is asked.
async fn shows(chain: rustls::pki_types::CertificateDer<'static>, key: &rcgen::KeyPair) -> u16 {
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut asked = [0; 8];
            client.read_exact(&mut asked).await.unwrap();
            client.write_all(b"S").await.unwrap();
            let _ = acceptor.accept(client).await;
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_certificate_was_taken_back_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    stranger(folder.path(), "bank");
    let (ca_key, key) = (rcgen::KeyPair::generate().unwrap(), rcgen::KeyPair::generate().unwrap());
    let mut ca = rcgen::CertificateParams::new(vec![]).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    std::fs::write(at("ca.pem"), ca.self_signed(&ca_key).unwrap().pem()).unwrap();
    let ca = rcgen::Issuer::new(ca, ca_key);
    let mut leaf = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let serial = rcgen::SerialNumber::from(vec![7; 16]);
    leaf.serial_number = Some(serial.clone());
    let port = shows(leaf.signed_by(&key, &ca).unwrap().der().clone(), &key).await;
    let list = |serial: rcgen::SerialNumber, until| {
        let made = rcgen::date_time_ymd(2024, 1, 1);
        let revoked = rcgen::RevokedCertParams {
            serial_number: serial,
            revocation_time: made,
            reason_code: None,
            invalidity_date: None,
        };
        let list = rcgen::CertificateRevocationListParams {
            this_update: made,
            next_update: until,
            crl_number: rcgen::SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        list.signed_by(&ca).unwrap().pem().unwrap()
    };
    let late = rcgen::date_time_ymd(2999, 1, 1);
    let other = || rcgen::SerialNumber::from(vec![8; 16]);
    for (text, wanted) in [
        (list(serial.clone(), late), "Revoked"),
        (list(other(), rcgen::date_time_ymd(2024, 1, 2)), "revocation list expired"),
        (String::new(), "holds no revocation list"),
        // Believed: what comes next is not PostgreSQL.
        (list(other(), late), "cannot be reached"),
    ] {
        std::fs::write(at("crl.pem"), text).unwrap();
        let said = refused(PostgresConfig {
            host: "127.0.0.1".to_owned(),
            port,
            user: "bank".to_owned(),
            database: "bank".to_owned(),
            root_certificate: at("ca.pem"),
            revocation_list: Some(at("crl.pem")),
            certificate: at("client.pem"),
            key: at("client.key"),
            passfile: None,
            connections: 1,
        })
        .await;
        assert!(said.contains(wanted), "{wanted}: {said}");
        assert!(wanted != "cannot be reached" || !said.contains("certificate"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_certificate_and_key_are_replaced_the_coming_key_is_found() {
    let Some((_test, config)) = server().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("me-key.pem");
    std::fs::copy(&config.key, key.with_extension("pem.next")).unwrap();
    let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
    std::fs::write(&key, other).unwrap();
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
    let moving = PostgresConfig { key: key.clone(), ..config.clone() };
    Store::open(&Database::Postgres(moving.clone()), MIGRATIONS, Clock::system()).await.unwrap();
    std::fs::remove_file(key.with_extension("pem.next")).unwrap();
    let said = refused(moving).await;
    assert!(said.contains("cannot use") && said.contains("KeyMismatch"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_told_nothing() {
    let Some((_test, config)) = server().await else { return };
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = plain.local_addr().unwrap().port();
    let heard = tokio::spawn(async move {
        let (mut client, _) = plain.accept().await.unwrap();
        let mut asked = [0; 8];
        client.read_exact(&mut asked).await.unwrap();
        client.write_all(b"N").await.unwrap();
        let mut rest = Vec::new();
        let _ = client.read_to_end(&mut rest).await;
        (asked, rest)
    });
    let said = refused(PostgresConfig { host: "127.0.0.1".to_owned(), port, ..config.clone() }).await;
    assert!(said.contains("TLS"), "{said}");
    let (asked, rest) = heard.await.unwrap();
    assert_eq!(asked, [0, 0, 0, 8, 4, 210, 22, 47], "the request for TLS");
    assert!(rest.is_empty(), "sent in clear: {rest:?}");

    // Nor does the server of these tests talk to anyone in clear.
    let mut bare = tokio_postgres::Config::new();
    bare.host(&config.host).port(config.port).user(&config.user).dbname(&config.database);
    bare.ssl_mode(tokio_postgres::config::SslMode::Disable);
    assert!(bare.connect(tokio_postgres::NoTls).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_library_numbers_its_steps_apart_from_the_service_it_serves() {
    const LIBRARY: &[Migration] = &[Migration {
        part: "library",
        number: 1,
        name: "shelves",
        sqlite: "create table shelves (id bigint)",
        postgres: "create table shelves (id bigint)",
    }];
    const BOTH: &[Migration] = &store::joined::<{ LIBRARY.len() + MIGRATIONS.len() }>(LIBRARY, MIGRATIONS);
    for test in databases().await.unwrap() {
        drop(Store::open(&test.database, BOTH, Clock::system()).await.unwrap());
        let store = Store::open(&test.database, BOTH, Clock::system()).await.unwrap();
        let tables = store.dump().await.unwrap();
        assert!(tables.contains_key("shelves") && tables.contains_key("things"), "{tables:?}");
        drop(store);
        let mut grown = BOTH.to_vec();
        grown.push(Migration { number: 2, name: "more", ..LIBRARY[0] });
        grown[2].sqlite = "create table more (id bigint)";
        grown[2].postgres = grown[2].sqlite;
        let store = Store::open(&test.database, &grown, Clock::system()).await.unwrap();
        assert!(store.dump().await.unwrap().contains_key("more"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_can_be_looked_at_without_changing_it() {
    for test in databases().await.unwrap() {
        let look = async |migrations| store::inspect(&test.database, migrations, &Clock::system()).await;
        assert_eq!(look(MIGRATIONS).await.unwrap().tables, Tables::Missing);
        let store = open(&test, MIGRATIONS).await.unwrap();
        let before = store.dump().await.unwrap();
        assert_eq!(look(MIGRATIONS).await.unwrap().tables, Tables::Current);
        assert_eq!(look(TWO).await.unwrap().tables, Tables::Behind(1));
        assert_eq!(store.dump().await.unwrap(), before);
        drop(store);
        open(&test, TWO).await.unwrap();
        assert!(matches!(look(MIGRATIONS).await, Err(StoreError::NewerDatabase { .. })));
        assert!(matches!(look(EDITED).await, Err(StoreError::EditedMigration { .. })));
        let link = look(TWO).await.unwrap().link;
        assert_eq!(link.is_some(), matches!(test.database, Database::Postgres(_)));
        assert!(
            link.is_none_or(|link| link.privileged && !link.role.is_empty()),
            "the tests' own role may do everything"
        );
    }
}
