//! A PostgreSQL server of the bank's own, on this machine, for a bank whose services stand apart.
//!
//! Promises: it is reached over TLS 1.3 with a client certificate and in no other way; every service has one role and
//! one database, and may not connect to another's; nobody is superuser over the network. It stops however this process
//! ends. Knows no tables.

use std::fs::{self, DirBuilder, Permissions};
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use store::Database;

use crate::Failure;
use crate::links::Place;

/// Who owns the server. No certificate is issued in this name, so it opens nothing from outside.
const SUPERUSER: &str = "postgres";
/// The name in the server's certificate; and a role, for whoever keeps that certificate fresh: it may make the server read
/// its files again, and end sessions.
pub(crate) const NAME: &str = "postgresql";
/// Connections that one service may hold.
const CONNECTIONS: u32 = 60;
/// Another program may take a free port between our looking and the server's opening it.
const ATTEMPTS: u32 = 5;
/// Oldest version whose certificates name roles as we need it.
const OLDEST: u32 = 14;
/// Made last of all when a server is set up: without it the folder holds nothing of value.
const COMPLETE: &str = "complete";
/// Waits until our end of the pipe closes, which happens however we end; then stops the server.
const KEEPER: &str = r#"cat >/dev/null; exec "$@" >/dev/null 2>&1"#;

/// A path as it stands in the options of a database's address.
pub(crate) fn in_address(path: &Path) -> String {
    ["%", "&", "#", "+", "?"].iter().fold(path.display().to_string(), |text, sign| {
        text.replace(sign, &format!("%{:02X}", sign.as_bytes().first().unwrap_or(&b'%')))
    })
}

/// The database of `service`.
pub(crate) fn database_of(service: &str) -> String {
    format!("guichet_{service}")
}

/// The names at which the server is reached.
pub(crate) fn names() -> Vec<String> {
    vec!["localhost".into(), "127.0.0.1".into()]
}

/// A running server; stopped when dropped.
pub(crate) struct Postgres {
    folder: PathBuf,
    port: u16,
    keeper: Child,
}

impl Postgres {
    /// Starts the server kept in `folder`; makes it when there is none. `services` are its roles; its certificates are at
    /// `place`.
    pub(crate) fn start(folder: &Path, services: &[&str], place: &Place) -> Result<Self, Failure> {
        let (bin, owner) = (programs()?, Owner::of_the_server()?);
        owner.make_folder(folder)?;
        let data = folder.join("data");
        if !folder.join(COMPLETE).exists() {
            set_up(&bin, &owner, folder, services)?;
        }
        hand_certificates(&owner, place, folder)?;
        owner.give(&data.join("pg_hba.conf"), &who_may_connect(services))?;
        let keeper = keeper(&owner, &bin, &data)?;
        // From here on the keeper stops what was started, also when the rest fails.
        let mut server = Self { folder: folder.into(), port: 0, keeper };
        server.port = begin(&bin, &owner, folder, &data)?;
        Ok(server)
    }

    /// Where it listens.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }
}

impl Postgres {
    /// Who tells this server of new certificates.
    pub(crate) fn warden(&self, place: &Place) -> Result<Warden, Failure> {
        let files = in_address(&place.folder);
        let address = format!(
            "postgres://{NAME}@localhost:{}/postgres?sslrootcert={files}/ca.pem&sslcrl={files}/crl.pem&sslcert={files}/{NAME}.pem&sslkey={files}/\
             {NAME}-key.pem",
            self.port
        );
        Ok(Warden { folder: self.folder.clone(), place: place.clone(), address: address.parse()? })
    }
}

/// Tells the server of new certificates and revocations.
pub(crate) struct Warden {
    folder: PathBuf,
    place: Place,
    address: Database,
}

impl Warden {
    /// The server uses what lies at the place now, and whoever came in with a certificate that was taken back is out.
    pub(crate) async fn take_up(&self) -> Result<(), Failure> {
        hand_certificates(&Owner::of_the_server()?, &self.place, &self.folder)?;
        take_up(&self.address, &self.place).await
    }
}

/// Makes the server at `address` read its certificates again, and ends the sessions of those that were taken back.
pub(crate) async fn take_up(address: &Database, place: &Place) -> Result<(), Failure> {
    let lists = place.folder.join("crl.pem");
    let lists = fs::read_to_string(&lists).map_err(|error| Failure::file("read", &lists, &error))?;
    Ok(store::take_up_certificates(address, &pki::revoked_in(&lists)?).await?)
}

/// Gives the server copies of the certificates, which it reads as its own user.
fn hand_certificates(owner: &Owner, place: &Place, folder: &Path) -> Result<(), Failure> {
    // Opened as a pair that fits, whatever is replaced meanwhile.
    let own = pki::Identity::open(&place.folder, &place.name)?;
    let text = |name: &str| {
        let path = place.folder.join(name);
        fs::read_to_string(&path).map_err(|error| Failure::file("read", &path, &error))
    };
    owner.give(&folder.join("ca.pem"), &text("ca.pem")?)?;
    owner.give(&folder.join("crl.pem"), &text("crl.pem")?)?;
    owner.give(&folder.join("server-key.pem"), &own.key_pem())?;
    owner.give(&folder.join("server.pem"), &own.cert_pem())
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// Who runs the server: PostgreSQL refuses root, so root lends it to the user `postgres`.
enum Owner {
    Ourselves,
    Postgres { uid: u32, gid: u32 },
}

impl Owner {
    fn of_the_server() -> Result<Self, Failure> {
        let own = fs::metadata("/proc/self").map_err(|error| Failure::file("read", Path::new("/proc/self"), &error))?;
        if own.uid() != 0 {
            return Ok(Self::Ourselves);
        }
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let ids = passwd.lines().find_map(|line| {
            let mut fields = line.strip_prefix("postgres:")?.split(':').skip(1);
            Some(Self::Postgres { uid: fields.next()?.parse().ok()?, gid: fields.next()?.parse().ok()? })
        });
        ids.ok_or_else(|| {
            Failure::Settings(
                "PostgreSQL does not run as root, and there is no user `postgres` to run it: start this as another user"
                    .into(),
            )
        })
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Self::Postgres { uid, gid } = self {
            command.uid(*uid).gid(*gid);
        }
        command.current_dir("/").env("LC_ALL", "C").stdin(Stdio::null());
        command
    }

    /// A folder that only the owner can look into.
    fn make_folder(&self, folder: &Path) -> Result<(), Failure> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| Failure::file("make the folder", folder, &error))?;
        self.hand_over(folder)?;
        let Self::Postgres { .. } = self else { return Ok(()) };
        // Others may pass through on their way, not look inside.
        if let Some(parent) = folder.parent() {
            fs::set_permissions(parent, Permissions::from_mode(0o711))
                .map_err(|error| Failure::file("open the way through", parent, &error))?;
        }
        let reached = self.command(Path::new("/usr/bin/test")).arg("-x").arg(folder).status();
        if reached.is_ok_and(|status| status.success()) {
            return Ok(());
        }
        Err(Failure::Settings(format!(
            "the user `postgres`, who runs PostgreSQL for root, cannot reach {}: choose a --data-dir whose parents it may \
             pass through, or start this as another user",
            folder.display()
        )))
    }

    /// Writes a file that only the owner can read.
    fn give(&self, path: &Path, text: &str) -> Result<(), Failure> {
        pki::files::write(path, text, pki::files::Readers::Owner)?;
        self.hand_over(path)
    }

    fn hand_over(&self, path: &Path) -> Result<(), Failure> {
        match self {
            Self::Ourselves => Ok(()),
            Self::Postgres { uid, gid } => {
                // The folder is the other user's: a link put there must not give away what it points to.
                lchown(path, Some(*uid), Some(*gid)).map_err(|error| Failure::file("hand over", path, &error))
            }
        }
    }
}

/// Where the server's programs are: on the path, or where Debian puts them, the newest.
fn programs() -> Result<PathBuf, Failure> {
    let whole = |bin: &PathBuf| ["initdb", "pg_ctl", "postgres"].iter().all(|name| bin.join(name).is_file());
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|version| Some((version.file_name().to_str()?.parse::<u32>().ok()?, version.path().join("bin"))))
        .filter(|(version, bin)| *version >= OLDEST && whole(bin))
        .max();
    let on_path = || std::env::split_paths(&std::env::var_os("PATH")?).find(|bin| whole(bin));
    newest.map(|(_, bin)| bin).or_else(on_path).ok_or_else(|| {
        Failure::Settings(
            "the services of a bank that stands apart keep their data on PostgreSQL, and its server is not installed: \
             install it (Debian, Ubuntu: apt install postgresql; Fedora: dnf install postgresql-server), or leave \
             --apart away"
                .into(),
        )
    })
}

fn set_up(bin: &Path, owner: &Owner, folder: &Path, services: &[&str]) -> Result<(), Failure> {
    let data = folder.join("data");
    if data.exists() {
        // Cut off while it was made: no service has ever used it.
        fs::remove_dir_all(&data).map_err(|error| Failure::file("remove the unfinished", &data, &error))?;
    }
    let mut initdb = owner.command(&bin.join("initdb"));
    initdb.arg("-D").arg(&data).args(["--no-instructions", "--encoding=UTF8", "--locale=C", "--auth=reject", "-U"]);
    finish(initdb.arg(SUPERUSER), "")?;
    let mut single = owner.command(&bin.join("postgres"));
    single.arg("--single").arg("-D").arg(&data).args(["-c", "exit_on_error=true", "postgres"]);
    finish(&mut single, &roles(services))?;
    owner.give(&folder.join(COMPLETE), "")
}

/// One role and one database for each service; one statement to a line, as a server without listeners reads them.
fn roles(services: &[&str]) -> String {
    let of_role = |role: &&str| {
        let database = database_of(role);
        format!(
            "CREATE ROLE {role} LOGIN CONNECTION LIMIT {CONNECTIONS}\n\
             CREATE DATABASE {database} OWNER {role}\n\
             REVOKE ALL ON DATABASE {database} FROM PUBLIC\n"
        )
    };
    let own: String = services.iter().map(of_role).collect();
    format!(
        "REVOKE ALL ON DATABASE postgres FROM PUBLIC\nREVOKE ALL ON DATABASE template1 FROM PUBLIC\n{own}\
         CREATE ROLE {NAME} LOGIN CONNECTION LIMIT 5\n\
         GRANT CONNECT ON DATABASE postgres TO {NAME}\n\
         GRANT pg_signal_backend, pg_read_all_stats TO {NAME}\n\
         GRANT EXECUTE ON FUNCTION pg_reload_conf() TO {NAME}\n"
    )
}

fn who_may_connect(services: &[&str]) -> String {
    let line =
        |database: &str, role: &str| format!("hostssl {database} {role} 127.0.0.1/32 cert clientcert=verify-full\n");
    let lines: String = services.iter().map(|role| line(&database_of(role), role)).collect();
    format!(
        "# TLS with a client certificate whose common name is the role, each to its own database.\n{lines}{}",
        line("postgres", NAME)
    )
}

/// Runs a command to its end, with this on its standard input.
fn finish(command: &mut Command, input: &str) -> Result<(), Failure> {
    let name = command.get_program().display().to_string();
    let failed = |why: &dyn std::fmt::Display| Failure::Settings(format!("{name} failed: {why}"));
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(&error))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).map_err(|error| failed(&error))?;
    }
    let out = child.wait_with_output().map_err(|error| failed(&error))?;
    let said = String::from_utf8_lossy(&out.stderr);
    if out.status.success() && !said.contains("ERROR:") { Ok(()) } else { Err(failed(&said.trim())) }
}

/// The process that stops the server after us. It stands in its own group, so that Ctrl-C reaches us and not it.
fn keeper(owner: &Owner, bin: &Path, data: &Path) -> Result<Child, Failure> {
    let mut command = owner.command(Path::new("/bin/sh"));
    command
        .args(["-c", KEEPER, "keeper"])
        .arg(bin.join("pg_ctl"))
        .args(["stop", "--wait", "--mode=fast", "-D"])
        .arg(data)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Ok(command.spawn()?)
}

fn begin(bin: &Path, owner: &Owner, folder: &Path, data: &Path) -> Result<u16, Failure> {
    let log = data.join("server.log");
    // One that its keeper has not stopped yet: this data is ours alone, we hold the lock.
    let mut stop = owner.command(&bin.join("pg_ctl"));
    let _ = stop
        .args(["stop", "--wait", "--mode=fast", "-D"])
        .arg(data)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    for _ in 0..ATTEMPTS {
        let port = free_port()?;
        // Read last of all configuration, so nothing overrides it.
        owner.give(&data.join("postgresql.auto.conf"), &settings(folder, port))?;
        let mut start = owner.command(&bin.join("pg_ctl"));
        start.args(["start", "--wait", "--silent", "-D"]).arg(data).arg("-l").arg(&log);
        // The server would keep our pipes open for ever: it gets none. Nor does it hear our Ctrl-C.
        let status = start.process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        if status.success() {
            return Ok(port);
        }
    }
    let said = fs::read_to_string(&log).unwrap_or_default();
    let last: Vec<&str> = said.lines().rev().take(5).collect();
    let last: Vec<&str> = last.into_iter().rev().collect();
    Err(Failure::Settings(format!(
        "PostgreSQL does not start. Its log, {}, ends with:\n{}",
        log.display(),
        last.join("\n")
    )))
}

fn settings(folder: &Path, port: u16) -> String {
    let folder = folder.display().to_string().replace('\'', "''");
    format!(
        "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\nmax_connections = 200\n\
         ssl = on\nssl_min_protocol_version = 'TLSv1.3'\nssl_ca_file = '{folder}/ca.pem'\n\
         ssl_crl_file = '{folder}/crl.pem'\n\
         ssl_cert_file = '{folder}/server.pem'\nssl_key_file = '{folder}/server-key.pem'\n\
         fsync = on\nsynchronous_commit = on\nlog_timezone = 'UTC'\ntimezone = 'UTC'\n"
    )
}

/// A port of this machine that nobody listens on now.
pub(crate) fn free_port() -> Result<u16, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_those_of_a_server_that_stands_by_itself() {
        let deployed = include_str!("../../../deploy/postgresql/roles.sql");
        for statement in roles(&["identity", "bank", "journal"]).lines() {
            assert!(deployed.lines().any(|line| line.trim_end_matches(';') == statement), "{statement}");
        }
        let deployed = include_str!("../../../deploy/postgresql/pg_hba.conf");
        for line in who_may_connect(&["identity", "bank", "journal"]).lines().skip(1) {
            let wanted = line.replace("127.0.0.1/32", "samenet");
            let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert!(deployed.lines().any(|line| words(line) == words(&wanted)), "{wanted}");
        }
    }
}
