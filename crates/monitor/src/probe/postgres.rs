//! A sign-in to PostgreSQL over TLS and the smallest statement there is.

use contracts::monitor::CheckSpec;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, NoTls};
use vocabulary::Timestamp;

use super::place::Spot;
use super::sight::both;
use super::{Failure, secure};
use crate::addresses::{Reach, connected};
use crate::check::Fault;
use crate::condition::Facts;
use crate::secure::Secure;

const PORT: u16 = 5432;
/// What asks for TLS, and the answer to it.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
const WILLING: u8 = b'S';

pub(super) struct Postgres {
    spot: Spot,
    reach: Reach,
    secure: Secure,
    config: Config,
}

impl Postgres {
    pub(super) fn new(spec: &CheckSpec, reach: Reach) -> Result<Self, Vec<Fault>> {
        let ((spot, role, database), secure) = both(address(&spec.target, reach), secure(spec))?;
        let mut config = Config::new();
        config.user(role).dbname(database).application_name("guichet-monitor");
        // The stream that it is handed is encrypted already, and its other side believed.
        config.ssl_mode(SslMode::Disable);
        Ok(Self { spot, reach, secure, config })
    }

    pub(super) async fn run(&self, facts: &mut Facts, now: Timestamp) -> Result<(), Failure> {
        let foreign = || Failure::bad("what answers does not speak PostgreSQL, or hangs up");
        let mut stream = connected(&self.spot.host, self.spot.port, self.reach).await?;
        stream.write_all(&SSL_REQUEST).await.map_err(|_| foreign())?;
        if stream.read_u8().await.map_err(|_| foreign())? != WILLING {
            return Err(Failure::bad("it does not offer TLS"));
        }
        let stream = self.secure.handshake(&self.spot.host, stream, facts, now).await?;
        let signed_in = self.config.connect_raw(stream, NoTls).await;
        let (client, connection) = signed_in.map_err(|error| told(&error))?;
        // Dropped with this check, and the connection with it.
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        client.simple_query(crate::store::ALIVE).await.map_err(|error| told(&error))?;
        Ok(())
    }
}

/// What a server answers may hold anything; its code is one of a list.
fn told(error: &tokio_postgres::Error) -> Failure {
    let code = error.code().map(tokio_postgres::error::SqlState::code);
    let code = code.filter(|code| code.len() == 5 && code.bytes().all(|c| c.is_ascii_alphanumeric()));
    Failure::bad(match code {
        Some(code) if code.starts_with("28") => format!("it refuses the role ({code})"),
        Some("3D000") => "it has no such database (3D000)".into(),
        Some("53300") => "it has no connection left (53300)".into(),
        Some("57P03") => "it is starting or stopping (57P03)".into(),
        Some(code) => format!("it answers with the error {code}"),
        None if error.is_closed() => "it hangs up".into(),
        None => "the sign-in fails: it asks for a password, refuses our certificate, or hangs up".into(),
    })
}

/// `postgresql://role@host:port/database`.
fn address(target: &str, reach: Reach) -> Result<(Spot, String, String), Fault> {
    let wrong = || ("target", "is no address of a database: write postgresql://role@host:port/database".to_owned());
    let rest = target.strip_prefix("postgresql://").or_else(|| target.strip_prefix("postgres://")).ok_or_else(wrong)?;
    let (authority, database) = rest.split_once('/').ok_or_else(wrong)?;
    let (role, place) = authority.split_once('@').ok_or_else(wrong)?;
    if role.contains(':') {
        return Err(("target", "holds a password: a role is proven by `certificate_file` and `key_file`".into()));
    }
    let plain = |text: &str| {
        let text = percent_decode_str(text).decode_utf8().ok()?.into_owned();
        let fits = !text.is_empty() && text.len() <= 63 && !text.chars().any(char::is_control);
        fits.then_some(text)
    };
    if database.contains(['?', '/', '#']) {
        return Err(wrong());
    }
    let (role, database) = plain(role).zip(plain(database)).ok_or_else(wrong)?;
    Ok((Spot::read(place, Some(PORT), reach)?, role, database))
}
