//! Where a database is: `sqlite:PATH`, or a `postgres://` address whose link is always TLS with both sides proven.
//!
//! Knows the written form only; opens nothing.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

use crate::StoreError;

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// SQLite, a file of this process.
    Sqlite,
    /// PostgreSQL, a server.
    Postgres,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        })
    }
}

/// Where a database is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Database {
    /// A file, made when it is not there, readable by its owner alone.
    Sqlite {
        /// Its place.
        path: PathBuf,
    },
    /// A server.
    Postgres(PostgresConfig),
}

impl Database {
    /// Which of the two.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Sqlite { .. } => Kind::Sqlite,
            Self::Postgres(_) => Kind::Postgres,
        }
    }
}

/// A PostgreSQL server and how both sides prove themselves. TLS 1.3 always; only the named authority is trusted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PostgresConfig {
    /// The name in the server's certificate.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The role.
    pub user: String,
    /// The database.
    pub database: String,
    /// Certificates of the authority that signed the server's, in PEM.
    pub root_certificate: PathBuf,
    /// Revocation lists of that authority, in PEM, where it makes any: a server is believed only if a list that has not run out
    /// covers its certificate and does not name it. Read again for each connection.
    pub revocation_list: Option<PathBuf>,
    /// This client's certificate chain, in PEM. Read again for each connection, so a renewed one is taken up.
    pub certificate: PathBuf,
    /// Its private key, readable by its owner alone.
    pub key: PathBuf,
    /// A file that holds the role's password, where the server asks for one besides the certificate.
    pub passfile: Option<PathBuf>,
    /// Connections for reading, and as many for writing.
    pub connections: usize,
}

impl FromStr for Database {
    type Err = StoreError;
    fn from_str(text: &str) -> Result<Self, StoreError> {
        if let Some(path) = text.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
            return Ok(Self::Sqlite { path: path.into() });
        }
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
        let rest = rest.ok_or_else(|| {
            wrong("a database is written sqlite:PATH or postgres://user@host:port/database?sslrootcert=…&sslcert=…&sslkey=…")
        })?;
        address(rest).map(Self::Postgres)
    }
}

fn wrong(what: impl Into<String>) -> StoreError {
    StoreError::Configuration(what.into())
}

fn address(rest: &str) -> Result<PostgresConfig, StoreError> {
    let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = place.split_once('/').ok_or_else(|| wrong("the database address names no database"))?;
    let (user, host) = authority.split_once('@').ok_or_else(|| wrong("the database address names no user"))?;
    if user.contains(':') {
        return Err(wrong("write no password in the database address: put it in a file and name that as passfile=…"));
    }
    let (host, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => {
            (name, port.parse().map_err(|_| wrong(format!("{port} is not a port number")))?)
        }
        _ => (host, 5432),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() || host.contains('%') || host.starts_with('/') {
        return Err(wrong("the database address needs a host name; a Unix socket is not supported, as it has no TLS"));
    }
    if user.is_empty() || database.is_empty() {
        return Err(wrong("the database address needs a user and a database: postgres://user@host:port/database"));
    }
    let mut config = PostgresConfig {
        host: host.to_owned(),
        port,
        user: decoded(user)?,
        database: decoded(database)?,
        root_certificate: PathBuf::new(),
        revocation_list: None,
        certificate: PathBuf::new(),
        key: PathBuf::new(),
        passfile: None,
        connections: 8,
    };
    for option in options.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let value = decoded(value)?;
        match name {
            "sslrootcert" => config.root_certificate = value.into(),
            "sslcrl" if value.is_empty() => return Err(wrong("sslcrl names no file")),
            "sslcrl" => config.revocation_list = Some(value.into()),
            "sslcert" => config.certificate = value.into(),
            "sslkey" => config.key = value.into(),
            "passfile" => config.passfile = Some(value.into()),
            "connections" => {
                config.connections = value
                    .parse()
                    .ok()
                    .filter(|count| (1..=100).contains(count))
                    .ok_or_else(|| wrong("connections is a number from 1 to 100"))?;
            }
            "sslmode" if matches!(value.as_str(), "require" | "verify-full") => {}
            "sslmode" => {
                return Err(wrong(format!(
                    "sslmode={value} is refused: the link is always TLS with both sides proven"
                )));
            }
            _ => return Err(wrong(format!("the database address has an unknown option {name}"))),
        }
    }
    for (name, path) in
        [("sslrootcert", &config.root_certificate), ("sslcert", &config.certificate), ("sslkey", &config.key)]
    {
        if path.as_os_str().is_empty() {
            return Err(wrong(format!(
                "the database address lacks {name}=FILE: the server is reached by TLS with a client certificate only"
            )));
        }
    }
    Ok(config)
}

fn decoded(text: &str) -> Result<String, StoreError> {
    match percent_decode_str(text).decode_utf8() {
        Ok(text) if !text.contains('\0') => Ok(text.into_owned()),
        _ => Err(wrong("the database address is not valid UTF-8")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = "postgres://bank@db.example:5433/ledger?sslrootcert=/ca.pem&sslcert=/c%20c.pem&sslkey=/k.pem";

    #[test]
    fn an_address_is_read_part_by_part() {
        let Database::Postgres(config) = FULL.parse().unwrap() else { panic!("not PostgreSQL") };
        assert_eq!((config.host.as_str(), config.port, config.user.as_str()), ("db.example", 5433, "bank"));
        assert_eq!((config.database.as_str(), config.certificate.to_str()), ("ledger", Some("/c c.pem")));
        assert_eq!(config.revocation_list, None);
        let Ok(Database::Postgres(config)) = format!("{FULL}&sslcrl=/l.pem").parse() else { panic!("not PostgreSQL") };
        assert_eq!(config.revocation_list, Some("/l.pem".into()));
        assert_eq!("sqlite:/a/b.db".parse(), Ok(Database::Sqlite { path: "/a/b.db".into() }));
    }

    #[test]
    fn an_address_without_proof_of_both_sides_is_refused_in_words() {
        for (address, word) in [
            (FULL.replace("&sslkey=/k.pem", ""), "sslkey"),
            (FULL.replace("sslrootcert", "x"), "unknown option x"),
            (format!("{FULL}&sslmode=prefer"), "sslmode=prefer"),
            (format!("{FULL}&sslcrl="), "sslcrl names no file"),
            (FULL.replace("bank@", "bank:secret@"), "passfile"),
            (FULL.replace("db.example", "%2Fvar%2Frun"), "Unix socket"),
            ("mysql://x".to_owned(), "sqlite:PATH"),
            ("sqlite:".to_owned(), "sqlite:PATH"),
        ] {
            let said = address.parse::<Database>().unwrap_err().to_string();
            assert!(said.contains(word), "{address}: {said}");
            assert!(!said.contains("secret"), "{said}");
        }
    }
}
