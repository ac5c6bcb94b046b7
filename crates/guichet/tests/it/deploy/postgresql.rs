//! A server with exactly the files of `deploy/postgresql`: who is let in, by what, to what.

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pki::{Algorithm, Authority, Bounds, Folder, Issued, Passphrase, Plan, PrivateKey, Reason, Request, Usage};
use vocabulary::{Chance, Clock};

use super::{both, deployed, read, succeeds};
use crate::process::eventually;

const ROLES: [&str; 3] = ["identity", "bank", "journal"];
/// Whoever keeps the server's certificate.
const WARDEN: &str = "postgresql";

/// A running server; stopped when dropped.
pub(crate) struct Server {
    home: tempfile::TempDir,
    bin: PathBuf,
    port: u16,
    /// PostgreSQL refuses root, who lends the server to the user `postgres`.
    lent: Option<(u32, u32)>,
}

impl Server {
    /// Made with the settings and the roles of `deploy/`, reached as `pg_hba.conf` says.
    pub(crate) async fn start() -> Self {
        let home = tempfile::Builder::new().prefix("guichet-test-").tempdir_in("/tmp").unwrap();
        std::fs::set_permissions(home.path(), Permissions::from_mode(0o711)).unwrap();
        let versions = std::fs::read_dir("/usr/lib/postgresql").unwrap().flatten();
        let bin = versions.map(|version| version.path().join("bin")).filter(|bin| bin.join("initdb").exists()).max();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
        let id = |flag: &str| succeeds(Command::new("id").args([flag, "postgres"])).trim().parse().unwrap();
        let server = Self { bin: bin.unwrap(), port, lent: root.then(|| (id("-u"), id("-g"))), home };
        server.give("data", None);
        succeeds(server.program("initdb").arg("-D").arg(server.path("data")).args(["--no-sync", "-U", "postgres"]));
        server.certificates();
        server.give("postgresql.conf", Some(&read("postgresql/postgresql.conf")));
        server.give("roles.sql", Some(&read("postgresql/roles.sql")));
        // The administrator comes as the user `postgres`, who may be nobody on the machine of a test.
        server.give("pg_hba.conf", Some("local all postgres trust\n"));
        server.begin();
        let roles = server.path("roles.sql");
        succeeds(server.administrator().args(["-v", "ON_ERROR_STOP=1", "-d", "postgres", "-f"]).arg(roles));
        server.admit(&read("postgresql/pg_hba.conf")).await;
        server
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A file, or a folder, that only the server can read.
    fn give(&self, name: &str, text: Option<&str>) {
        let path = self.path(name);
        match text {
            Some(text) => std::fs::write(&path, text).unwrap(),
            None => std::fs::create_dir(&path).unwrap(),
        }
        std::fs::set_permissions(&path, Permissions::from_mode(if text.is_some() { 0o600 } else { 0o700 })).unwrap();
        if let Some((user, group)) = self.lent {
            chown(&path, Some(user), Some(group)).unwrap();
        }
    }

    fn program(&self, name: &str) -> Command {
        let mut command = match self.lent {
            Some(_) => Command::new("runuser"),
            None => Command::new(self.bin.join(name)),
        };
        if self.lent.is_some() {
            command.args(["-u", "postgres", "--"]).arg(self.bin.join(name));
        }
        command.current_dir("/").stdin(Stdio::null());
        command
    }

    /// The server's certificate, one for each role, one of the right name from a stranger.
    fn certificates(&self) {
        let (clock, chance) = (Clock::system(), Chance::system());
        let passphrase = Passphrase::new("a passphrase that nobody guesses".to_owned()).unwrap();
        let folder = |name: &str| {
            let plan = Plan {
                name,
                root_key: PrivateKey::generate(Algorithm::P256).unwrap(),
                intermediate_key: PrivateKey::generate(Algorithm::P256).unwrap(),
                passphrase: &passphrase,
                root_key_file: None,
                bounds: &Bounds::new([]).unwrap(),
            };
            Folder::init(&self.path(name), plan, &clock, &chance).unwrap()
        };
        let (mut kept, stranger) = (folder("authority"), folder("stranger"));
        let (ours, theirs) = (kept.authority(&clock).unwrap(), stranger.authority(&clock).unwrap());
        let request = |name: &str, usage: Usage| Request {
            common_name: name.to_owned(),
            usage,
            ..Request::https(["localhost".to_owned()])
        };
        let issue = |authority: &Authority, name: &str, usage| -> Issued {
            authority.issue(&request(name, usage), &clock, &chance).unwrap()
        };
        let server = issue(&ours, WARDEN, Usage::Both);
        let revoked = issue(&ours, "bank", Usage::Client);
        kept.revoke_certificate(&revoked.cert_pem, Reason::KeyCompromise, &clock, &chance).unwrap();
        self.give("ca.pem", Some(&kept.root_pem().unwrap()));
        self.give("crl.pem", Some(&kept.list_pem().unwrap()));
        self.give("postgresql.pem", Some(&server.cert_pem));
        self.give("postgresql-key.pem", Some(&server.key_pem));
        let clients = ROLES.map(|role| (role, issue(&ours, role, Usage::Client)));
        let (forged, warden) = (issue(&theirs, "bank", Usage::Client), issue(&ours, WARDEN, Usage::Client));
        let others = [("revoked", revoked), ("forged", forged), (WARDEN, warden)];
        for (name, issued) in clients.iter().chain(&others) {
            for (file, text) in [(format!("{name}.crt"), &issued.cert_pem), (format!("{name}.key"), &issued.key_pem)] {
                std::fs::write(self.path(&file), text.as_bytes()).unwrap();
                std::fs::set_permissions(self.path(&file), Permissions::from_mode(0o600)).unwrap();
            }
        }
    }

    /// With the settings as they stand; only places differ.
    fn begin(&self) {
        let place = |name: &str| self.path(name).display().to_string();
        let options = format!(
            "-c config_file={} -c hba_file={} -c ssl_ca_file={} -c ssl_crl_file={} -c ssl_cert_file={} -c ssl_key_file={} -c port={} \
             -c listen_addresses=127.0.0.1 -c unix_socket_directories={}",
            place("postgresql.conf"),
            place("pg_hba.conf"),
            place("ca.pem"),
            place("crl.pem"),
            place("postgresql.pem"),
            place("postgresql-key.pem"),
            self.port,
            place("data")
        );
        let mut start = self.program("pg_ctl");
        start.args(["start", "--wait", "--silent", "-D"]).arg(self.path("data")).arg("-l").arg(self.path("data/log"));
        let status = start.args(["-o", &options]).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(status.success(), "{}", std::fs::read_to_string(self.path("data/log")).unwrap_or_default());
    }

    /// Where `role` finds `database`, showing the certificate `shown` to a server of `authority`.
    pub(crate) fn address(&self, role: &str, database: &str, shown: &str, authority: &str) -> String {
        let place = |name: String| self.path(&name).display().to_string();
        format!(
            "postgres://{role}@localhost:{}/{database}?sslrootcert={}&sslcert={}&sslkey={}",
            self.port,
            place(format!("{authority}/root.pem")),
            place(format!("{shown}.crt")),
            place(format!("{shown}.key"))
        )
    }

    /// What the administrator does, who is let in for it.
    pub(crate) async fn administrate(&self, sql: &str) {
        let lines = read("postgresql/pg_hba.conf");
        self.admit(&format!("local all postgres trust\n{lines}")).await;
        succeeds(self.administrator().args(["-d", "guichet_bank", "-c", sql]));
    }

    /// From now on these lines say who may connect.
    pub(crate) async fn admit(&self, lines: &str) {
        let before = self.reloads();
        self.give("pg_hba.conf", Some(lines));
        succeeds(self.program("pg_ctl").args(["reload", "--silent", "-D"]).arg(self.path("data")));
        eventually("the server reads its files again", async || (self.reloads() > before).then_some(())).await;
    }

    fn reloads(&self) -> usize {
        let log = std::fs::read_to_string(self.path("data/log")).unwrap_or_default();
        log.matches("reloading configuration files").count()
    }

    pub(crate) fn administrator(&self) -> Command {
        let mut psql = self.program("psql");
        psql.args(["-X", "-q", "-U", "postgres", "-p", &self.port.to_string(), "-h"]).arg(self.path("data"));
        psql
    }

    /// Asks who and where it is, as `role` with the certificate `shown`.
    fn as_role(&self, shown: &str, role: &str, database: &str, more: &str) -> Command {
        let place = |name: String| self.path(&name).display().to_string();
        let certificate = match shown {
            "" => String::new(),
            _ => format!("sslcert={} sslkey={}", place(format!("{shown}.crt")), place(format!("{shown}.key"))),
        };
        let ca = place("authority/root.pem".to_owned());
        let mode = if more.contains("sslmode") { "" } else { "sslmode=verify-full" };
        let link = format!(
            "host=localhost hostaddr=127.0.0.1 port={} user={role} dbname={database} sslrootcert={ca} {mode} {certificate} {more}",
            self.port
        );
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args(["-X", "-A", "-t", "-w", &link, "-c", "select current_user || '|' || current_database()"]);
        psql.env("HOME", self.path("nobody")).stdin(Stdio::null());
        for name in ["PGSSLMODE", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY", "PGPASSWORD"] {
            psql.env_remove(name);
        }
        psql
    }

    #[track_caller]
    fn refuses(&self, shown: &str, role: &str, database: &str, more: &str, words: &str) {
        let out = self.as_role(shown, role, database, more).output().unwrap();
        let said = both(&out);
        assert!(!out.status.success() && said.contains(words), "{shown} as {role} at {database}, {more}: {said}");
    }

    #[track_caller]
    fn admits(&self, role: &str, more: &str) {
        let said = succeeds(&mut self.as_role(role, role, &format!("guichet_{role}"), more));
        assert_eq!(said.trim(), format!("{role}|guichet_{role}"));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut stop = self.program("pg_ctl");
        stop.args(["stop", "--wait", "--silent", "--mode=immediate", "-D"]).arg(self.path("data"));
        let _ = stop.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_service_reaches_its_own_database_by_its_own_certificate_and_in_no_other_way() {
    let server = Server::start().await;
    for role in ROLES {
        server.admits(role, "");
    }
    server.refuses("identity", "bank", "guichet_bank", "", "certificate authentication failed");
    server.refuses("bank", "bank", "guichet_journal", "", "no pg_hba.conf entry");
    server.refuses("bank", "bank", "postgres", "", "no pg_hba.conf entry");
    server.refuses("bank", "postgres", "guichet_bank", "", "no pg_hba.conf entry");
    server.refuses("", "bank", "guichet_bank", "", "certificate");
    server.refuses("forged", "bank", "guichet_bank", "", "unknown ca");
    server.refuses("revoked", "bank", "guichet_bank", "", "revoked");
    server.refuses("bank", "bank", "guichet_bank", "sslmode=disable", "no encryption");
    server.refuses("bank", "bank", "guichet_bank", "ssl_max_protocol_version=TLSv1.2", "protocol version");
    the_privileges_are_as_written(&server);
    server.refuses(WARDEN, WARDEN, "guichet_bank", "", "no pg_hba.conf entry");
    let warden = server.address(WARDEN, "postgres", WARDEN, "authority").parse().unwrap();
    store::take_up_certificates(&warden, &[]).await.unwrap();
    // The alternative: the other lines instead of these.
    let lines = read("postgresql/pg_hba.conf");
    let swapped: Vec<String> = lines
        .lines()
        .map(|line| match (line.strip_prefix("#hostssl"), line.strip_prefix("hostssl")) {
            (Some(rest), _) => format!("hostssl{rest}"),
            (_, Some(rest)) => format!("#hostssl{rest}"),
            _ => line.to_owned(),
        })
        .collect();
    let lines = swapped.join("\n") + "\n";
    server.admit(&format!("local all postgres trust\n{lines}")).await;
    let password = "alter role bank password 'a-password-of-bank'";
    succeeds(server.administrator().args(["-d", "postgres", "-c", password]));
    server.admit(&lines).await;
    server.admits("bank", "password=a-password-of-bank");
    server.refuses("bank", "bank", "guichet_bank", "password=another", "password authentication failed");
    server.refuses("bank", "bank", "guichet_bank", "", "no password supplied");
    server.refuses("", "bank", "guichet_bank", "password=a-password-of-bank", "certificate");
    server.refuses("identity", "bank", "guichet_bank", "password=a-password-of-bank", "authentication failed");
    the_bank_s_own_client_takes_the_password_from_a_file(&server).await;
}

fn the_privileges_are_as_written(server: &Server) {
    let ask = |sql: &str| {
        let mut command = server.as_role("bank", "bank", "guichet_bank", "");
        command.args(["-c", sql]);
        succeeds(&mut command)
    };
    let said = ask("create function f() returns int language sql as 'select 1'; \
         select 'limit ' || rolconnlimit || ', privileged ' || (rolsuper or rolcreatedb or rolcreaterole or rolreplication or \
         rolbypassrls) from pg_roles where rolname = current_user; \
         select 'others ' || has_database_privilege('journal', 'guichet_bank', 'connect') || \
         has_schema_privilege('journal', 'public', 'usage') || has_function_privilege('journal', 'f()', 'execute')");
    for wanted in ["limit 60, privileged false", "others falsefalsefalse"] {
        assert!(said.contains(wanted), "{said}");
    }
}

async fn the_bank_s_own_client_takes_the_password_from_a_file(server: &Server) {
    let place = |name: &str| server.path(name).display().to_string();
    std::fs::write(server.path("password"), "a-password-of-bank\n").unwrap();
    let address = server.address("bank", "guichet_bank", "bank", "authority");
    let address = format!("{address}&passfile={}", place("password"));
    store::Store::open(&address.parse().unwrap(), bank::MIGRATIONS, Clock::system()).await.unwrap();
}

#[test]
fn the_files_are_where_the_settings_look_for_them() {
    let settings = read("postgresql/postgresql.conf");
    let (keeper, compose) = (read("systemd/guichet-postgresql.service"), read("compose/compose.yaml"));
    assert!(keeper.contains("--folder /etc/guichet/postgresql --join"), "{keeper}");
    // Those that `guichet pki keep --service postgresql` writes.
    for file in ["ca.pem", "crl.pem", "postgresql.pem", "postgresql-key.pem"] {
        assert!(settings.contains(&format!("'/etc/guichet/postgresql/{file}'")), "{file}");
        assert!(compose.contains(&format!("=/etc/guichet/postgresql/tls/{file}")), "{file}");
    }
    assert!(Path::new(&deployed("postgresql/roles.sql")).is_file());
}
