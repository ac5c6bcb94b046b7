//! What PostgreSQL does not do by itself when certificates change.
//!
//! The server reads certificates and revocation lists only when it is told to, and never looks again at a session that
//! stands. Whoever keeps its certificates tells it, by a role that may do these two things and nothing else: `execute` on
//! `pg_reload_conf`, and the roles `pg_signal_backend` and `pg_read_all_stats`.

use crate::postgres::run_once;
use crate::{Database, StoreError};

/// Makes the server read its files again, and ends the sessions that began with one of these certificates, given by their
/// serial numbers in hexadecimal digits.
pub async fn take_up_certificates(database: &Database, revoked: &[String]) -> Result<(), StoreError> {
    let Database::Postgres(config) = database else {
        return Err(StoreError::Configuration("only PostgreSQL has sessions to end".to_owned()));
    };
    // The server shows them in decimal digits.
    let numbers = revoked.iter().filter_map(|serial| u128::from_str_radix(serial, 16).ok());
    let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
    let ending = format!(
        "select pg_terminate_backend(pid) from pg_stat_ssl where client_serial = any('{{{}}}'::numeric[])",
        numbers.join(",")
    );
    run_once(config, &format!("select pg_reload_conf(); {ending}")).await?;
    // The server reads again in its own time, and lets in by the old list until then.
    run_once(config, &format!("select pg_sleep(1); {ending}")).await
}
