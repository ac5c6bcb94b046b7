//! The database: reached, as the right role, its own, as old as this program, and what time it is there.

use store::{Database, Inspection, PostgresConfig, StoreError, Tables};
use vocabulary::Clock;

use super::Findings;
use crate::node::Node;
use crate::postgres::database_of;
use crate::probe::{connected, seconds_between};
use crate::rooms::SERVICES_WITH_STORES;

const ABOUT: &str = "database";

/// Looks at it, where the service has one.
pub(super) async fn examine(node: &Node, clock: &Clock, findings: &mut Findings) {
    let own = node.service.name();
    let migrations =
        SERVICES_WITH_STORES.iter().find(|(service, _)| *service == own).map(|(_, migrations)| *migrations);
    let (Some(migrations), Ok(database)) = (migrations, node.database()) else { return };
    if let Database::Postgres(config) = &database {
        let at = format!("{}:{}", config.host, config.port);
        if let Err(silence) = connected(&at).await {
            let mend = "start PostgreSQL there, let the network's filters pass, or correct `database`";
            findings.wrong(ABOUT, silence.to_string(), mend);
            return;
        }
        if config.revocation_list.is_none() {
            findings.warning(
                ABOUT,
                "a server whose certificate was taken back is believed: `database` names no revocation list",
                "add sslcrl=…/crl.pem to it; the list lies beside ca.pem",
            );
        }
        if config.user != own {
            findings.wrong(
                ABOUT,
                format!("`database` names the role {}, and this is {own}", config.user),
                format!("write postgres://{own}@…: each service has a role of its own"),
            );
        }
    }
    let asked = clock.now();
    match store::inspect(&database, migrations, clock).await {
        Ok(found) => {
            looked_at(own, &database, &found, findings);
            if let Some(link) = &found.link {
                let answered = clock.now();
                // Connecting takes time before the server looks at its clock, and almost none after.
                let ahead = seconds_between(answered, link.now);
                let between = seconds_between(asked, answered);
                findings.clock("PostgreSQL", if ahead < 0.0 { (ahead + between).min(0.0) } else { ahead });
            }
        }
        Err(error) => refused(own, &database, &error, findings),
    }
}

fn looked_at(own: &str, database: &Database, found: &Inspection, findings: &mut Findings) {
    if let Some(link) = &found.link {
        let (role, name) = (&link.role, &link.database);
        findings.well(ABOUT, format!("{name} can be reached as {role}, over TLS with both sides proven"));
        if link.privileged {
            findings.wrong(
                ABOUT,
                format!("the role {role} may do more than a service needs"),
                format!("as the administrator: ALTER ROLE {role} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"),
            );
        }
        if link.open_to_all {
            findings.wrong(
                ABOUT,
                format!("every role may connect to {name}"),
                format!("as the administrator: REVOKE ALL ON DATABASE {name} FROM PUBLIC"),
            );
        }
    }
    match found.tables {
        Tables::Current => findings.well(ABOUT, "its tables are those of this program"),
        Tables::Missing => findings.well(ABOUT, "it has no tables yet; the first start makes them"),
        Tables::Behind(steps) => {
            findings
                .well(ABOUT, format!("its tables are {steps} steps behind this program; the next start makes these"));
        }
    }
    if let Database::Sqlite { path } = database {
        findings.well(ABOUT, format!("{} is {own}'s file of SQLite", path.display()));
    }
}

fn refused(own: &str, database: &Database, error: &StoreError, findings: &mut Findings) {
    let words = error.to_string();
    let mend = match (error, database) {
        (StoreError::EditedMigration { .. }, _) => {
            format!("see whether `database` is that of {own}: its tables are another service's, or of another program")
        }
        // Its words say what to do.
        (StoreError::NewerDatabase { .. } | StoreError::Configuration(_), _) => {
            return findings.note(ABOUT, super::Outcome::Wrong, words, None);
        }
        (_, Database::Postgres(config)) => advice(own, config, &words),
        (_, Database::Sqlite { path }) => format!("see whether this user may read and write {}", path.display()),
    };
    findings.wrong(ABOUT, words, mend);
}

/// What PostgreSQL's words mean here.
fn advice(own: &str, config: &PostgresConfig, words: &str) -> String {
    let says = |part: &str| words.contains(part);
    if says("certificate authentication failed") {
        format!("the role {} and the name in the certificate differ: both have to be {own}", config.user)
    } else if says("no pg_hba.conf entry") {
        format!(
            "pg_hba.conf has no line for the role {} at the database {} from here; deploy/postgresql/pg_hba.conf shows it. The \
             database of {own} is usually called {}",
            config.user,
            config.database,
            database_of(own)
        )
    } else if says("password") {
        format!(
            "the server asks for a password: name its file as &passfile=FILE, and see whether it is that of {}",
            config.user
        )
    } else if says("does not exist") {
        "run deploy/postgresql/roles.sql as the administrator, or correct `database`".into()
    } else if says("invalid peer certificate") {
        format!(
            "the server's certificate has to be for the name {}, in time, and from the authority in {}",
            config.host,
            config.root_certificate.display()
        )
    } else if says("AlertReceived") || says("received fatal alert") || says("certificate") {
        format!("the server does not believe {}: see its ssl_ca_file, and the clocks", config.certificate.display())
    } else if says("too many connections") {
        format!("stop what else uses the role {}, or raise its CONNECTION LIMIT", config.user)
    } else {
        "see the server's log".into()
    }
}
