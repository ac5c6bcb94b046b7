//! `guichet pki keep`: the certificates of a program that is not ours, kept fresh beside it.
//!
//! PostgreSQL, a broker or a proxy reads files and has to be told when they change. This process joins in its name, renews,
//! fetches the lists of what was taken back, and tells it.

use std::path::PathBuf;
use std::process::Stdio;

use chassis::Shutdown;
use clap::Args;
use store::Database;
use vocabulary::{Chance, Clock};

use crate::links::{self, Invitation, Keeping, Place};
use crate::{Failure, broker, postgres};

#[derive(Args)]
pub(crate) struct Keep {
    /// Whose certificates: the name that `guichet pki token --service` invited
    #[arg(long, value_name = "NAME")]
    service: String,
    /// Where they are kept: ca.pem, crl.pem, NAME.pem and NAME-key.pem
    #[arg(long, value_name = "DIR")]
    folder: PathBuf,
    /// The token, or @FILE; one that was used here already is not looked at while the certificates are good
    #[arg(long, value_name = "TOKEN|@FILE", env = "GUICHET_JOIN", hide_env_values = true,
          value_parser = Invitation::argument())]
    join: Option<Invitation>,
    /// Where the authority answers [default: as the token said]
    #[arg(long, value_name = "URL", env = "GUICHET_AUTHORITY")]
    authority: Option<String>,
    /// A PostgreSQL server that uses them: it is told to read them again, and to end the sessions of revoked certificates.
    /// Its address with the role `postgresql`, such as postgres://postgresql@localhost:5432/postgres?sslrootcert=…
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// A broker's rights.conf: written anew without the services that the authority sent away
    #[arg(long, value_name = "FILE")]
    rights: Option<PathBuf>,
    /// A command for the shell that makes another program read them again, after each change
    #[arg(long, value_name = "COMMAND")]
    then: Option<String>,
}

/// Joins if it has to, and keeps the certificates fresh until it is asked to stop.
pub(crate) async fn run(arguments: Keep, clock: Clock, chance: Chance) -> Result<(), Failure> {
    let shutdown = Shutdown::default();
    shutdown.on_signals()?;
    let database = arguments.postgres.as_deref().map(str::parse::<Database>).transpose()?;
    let place = Place { folder: arguments.folder, name: arguments.service, https: false };
    let links = tokio::select! {
        links = links::obtained(&place, arguments.join.as_ref(), &clock, &chance) => links?,
        () = shutdown.begun() => return Ok(()),
    };
    let authority = arguments.authority.map(|url| vec![url]);
    let keeping = Keeping { place: place.clone(), authority, invitation: arguments.join, clock, chance };
    let changed = keeping.follow(&links, &shutdown)?.changed;
    let (database, place, then, rights) = (&database, &place, &arguments.then, &arguments.rights);
    let work = || async move {
        if let Some(database) = database {
            postgres::take_up(database, place).await?;
        }
        if let Some(path) = rights {
            broker::rights(&broker::noted_sent_away(place))
                .map_err(|error| Failure::Settings(error.to_string()))?
                .write(path)?;
        }
        match then {
            Some(command) => tell(command).await,
            None => Ok(()),
        }
    };
    links::after_each_change(changed, shutdown, work).await;
    Ok(())
}

async fn tell(command: &str) -> Result<(), Failure> {
    let mut shell = std::process::Command::new("/bin/sh");
    shell.arg("-c").arg(command).stdin(Stdio::null()).stdout(Stdio::null());
    let status = tokio::task::spawn_blocking(move || shell.status()).await.map_err(std::io::Error::other)??;
    if status.success() { Ok(()) } else { Err(Failure::Refused(format!("`{command}` ended with {status}"))) }
}
