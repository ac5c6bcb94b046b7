//! What stands in `deploy/` does what it says: each file is taken by the program that it is for, and where that is possible
//! here, run.

pub(crate) mod postgresql;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use pki::{Authority, Identity, Request};
use vocabulary::{Chance, Clock};

use crate::process::{Up, eventually, guichet, output};

/// A file of `deploy/`.
fn deployed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(name).canonicalize().unwrap()
}

fn read(name: &str) -> String {
    std::fs::read_to_string(deployed(name)).unwrap()
}

/// What a program said, if it succeeded.
#[track_caller]
fn succeeds(command: &mut Command) -> String {
    let out = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; `cargo xtask test` installs it"));
    assert!(out.status.success(), "{command:?} failed:\n{}", both(&out));
    both(&out)
}

fn both(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

const SERVICES: [&str; 6] = ["authority", "identity", "bank", "journal", "monitor", "web"];

#[test]
fn each_configuration_is_taken_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let (clock, chance) = (Clock::system(), Chance::system());
    let (authority, _) = Authority::open_or_create(&home.path().join("tls"), "Test", &clock, &chance).unwrap();
    let passphrase = home.path().join("passphrase");
    std::fs::write(&passphrase, "a passphrase that nobody guesses").unwrap();
    let pki = home.path().join("pki").display().to_string();
    output(&["pki", "init", "--dir", &pki, "--passphrase-file", passphrase.to_str().unwrap()]);
    for service in SERVICES {
        let file = deployed(&format!("config/{service}.toml"));
        let file = file.to_str().unwrap();
        let shown = output(&["config", "show", service, "--config", file]);
        for line in read(&format!("config/{service}.toml")).lines().filter(|line| line.starts_with(char::is_alphabetic))
        {
            let name = line.split(' ').next().unwrap();
            assert!(shown.contains(name), "{service}: `{line}` has no effect:\n{shown}");
        }
        let folder = home.path().join("tls");
        for (name, request) in [
            (service, Request::service(service, [service])),
            ("https", Request::https(["bank.example.org".to_owned()])),
        ] {
            Identity::open_or_issue(&folder, name, &authority, &request, &clock, &chance).unwrap();
        }
        let check = ["config", "check", service, "--config", file, "--certificates", folder.to_str().unwrap()];
        output(&[check.as_slice(), &["--pki-dir", &pki]].concat());
        // Services are reached where the others look for them.
        let port = read(&format!("config/{service}.toml"));
        let port = port.lines().find_map(|line| line.strip_prefix("listen = \"0.0.0.0:")?.strip_suffix('"')).unwrap();
        for other in SERVICES {
            let wrong = read(&format!("config/{other}.toml"))
                .lines()
                .find(|line| line.starts_with(&format!("{service} = ")) && !line.ends_with(&format!(":{port}\"")))
                .map(str::to_owned);
            assert_eq!(wrong, None, "{other} looks for {service} elsewhere than where it listens, {port}");
        }
    }
}

const SERVICE_UNITS: [&str; 5] = [
    "guichet@bank.service",
    "guichet.service",
    "guichet-postgresql.service",
    "guichet-nats.service",
    "guichet-nats-certificate.service",
];

/// Copies of the units with a program that is there, in a folder.
fn units(folder: &Path) {
    for name in SERVICE_UNITS.into_iter().chain(["guichet.target"]) {
        let text = read(&format!("systemd/{}", name.replace("@bank", "@")));
        let ours = text.contains("ExecStart=/usr/local/bin/guichet ");
        assert!(name.ends_with("target") || ours || text.contains("ExecStart=/usr/sbin/nats-server "), "{name}");
        let text = text.replace("/usr/local/bin/guichet", "/bin/true").replace("/usr/sbin/nats-server", "/bin/true");
        std::fs::write(folder.join(name.replace("@bank", "@")), text).unwrap();
    }
    std::os::unix::fs::symlink("guichet@.service", folder.join("guichet@bank.service")).unwrap();
    let drop_in = folder.join("guichet@.service.d");
    std::fs::create_dir(&drop_in).unwrap();
    std::fs::copy(deployed("systemd/guichet@.service.d/password.conf"), drop_in.join("password.conf")).unwrap();
}

#[test]
fn systemd_understands_each_unit_and_finds_it_hardly_exposed() {
    let folder = tempfile::tempdir().unwrap();
    units(folder.path());
    let analyze = |args: &[&str]| {
        let mut command = Command::new("systemd-analyze");
        command.args(args).current_dir(folder.path()).env("SYSTEMD_PAGER", "");
        command
    };
    for unit in SERVICE_UNITS.into_iter().chain(["guichet.target"]) {
        // A misspelt setting is only remarked upon.
        assert_eq!(succeeds(&mut analyze(&["verify", "--man=no", &format!("./{unit}")])), "", "{unit}");
    }
    for unit in SERVICE_UNITS {
        succeeds(&mut analyze(&["security", "--offline=true", "--threshold=12", &format!("./{unit}")]));
    }
    // The check notices what it is there for.
    let weak = std::fs::read_to_string(folder.path().join("guichet.service")).unwrap();
    let weak = weak.replace("NoNewPrivileges=yes", "NoNewPrivilege=yes");
    std::fs::write(folder.path().join("guichet.service"), weak).unwrap();
    assert!(succeeds(&mut analyze(&["verify", "--man=no", "./guichet.service"])).contains("NoNewPrivilege"));
}

/// With certificates that are there, on one node and as a cluster.
#[test]
fn the_broker_takes_its_configuration() {
    let home = tempfile::tempdir().unwrap();
    let (clock, chance) = (Clock::system(), Chance::system());
    let (authority, _) = Authority::open_or_create(&home.path().join("authority"), "Test", &clock, &chance).unwrap();
    let (tls, server) = (home.path().join("tls"), Request::service("nats", ["nats.internal"]));
    Identity::open_or_issue(&tls, "nats", &authority, &server, &clock, &chance).unwrap();
    std::fs::write(tls.join("ca.pem"), authority.certificate_pem()).unwrap();
    for name in ["nats-server.conf", "rights.conf", "cluster.conf"] {
        std::fs::copy(deployed(&format!("nats/{name}")), home.path().join(name)).unwrap();
    }
    let takes = || {
        let mut server = Command::new("/usr/sbin/nats-server");
        server.args(["-t", "-c", "nats-server.conf"]).current_dir(home.path()).output().unwrap()
    };
    assert!(takes().status.success(), "{}", both(&takes()));
    let one = read("nats/nats-server.conf");
    let cluster = one.replace("# include \"cluster.conf\"", "include \"cluster.conf\"");
    assert_ne!(one, cluster);
    std::fs::write(home.path().join("nats-server.conf"), &cluster).unwrap();
    assert!(takes().status.success(), "{}", both(&takes()));
    std::fs::write(home.path().join("nats-server.conf"), one.replace("verify_and_map", "verify_or_map")).unwrap();
    assert!(!takes().status.success(), "the check notices what it is there for");
}

#[test]
fn every_service_has_a_user_of_its_own() {
    let root = tempfile::tempdir().unwrap();
    let home = root.path().join("usr/lib/sysusers.d");
    std::fs::create_dir_all(&home).unwrap();
    std::fs::create_dir(root.path().join("etc")).unwrap();
    std::fs::copy(deployed("systemd/guichet.sysusers"), home.join("guichet.conf")).unwrap();
    succeeds(Command::new("systemd-sysusers").arg(format!("--root={}", root.path().display())));
    let passwd = std::fs::read_to_string(root.path().join("etc/passwd")).unwrap();
    for user in SERVICES.into_iter().chain(["whole", "nats"]) {
        let line = passwd.lines().find(|line| line.starts_with(&format!("guichet-{user}:"))).unwrap();
        assert!(line.contains(&format!(":/var/lib/guichet/{user}:")) && line.ends_with("nologin"), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_manager_is_told_when_it_serves_that_it_lives_and_when_it_stops() {
    let home = tempfile::tempdir().unwrap();
    let socket = home.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut said = [0; 200];
        while let Ok(length) = manager.recv(&mut said) {
            let text = String::from_utf8_lossy(&said[..length]).into_owned();
            if text.lines().any(|line| tell.send(line.to_owned()).is_err()) {
                return;
            }
        }
    });
    let heard = |wanted: &str| {
        while told.recv_timeout(Duration::from_mins(1)).unwrap_or_else(|_| panic!("it never said {wanted}")) != wanted {
        }
    };
    let bank = Up::on(&home.path().join("bank"))
        .set("NOTIFY_SOCKET", socket.to_str().unwrap())
        .set("WATCHDOG_USEC", "300000")
        .start();
    heard("READY=1");
    heard("WATCHDOG=1");
    let data_dir = bank.line.data_dir.clone();
    let listen = bank.line.url.replace("https://localhost", "127.0.0.1");
    let asked = output(&["health", "--data-dir", data_dir.to_str().unwrap(), "--listen", &listen]);
    assert_eq!(asked, "It serves.\n");
    assert!(bank.terminate().success());
    heard("STOPPING=1");
    let refused = guichet(&["health", "--data-dir", data_dir.to_str().unwrap(), "--listen", &listen]).output().unwrap();
    assert!(!refused.status.success() && both(&refused).contains("nobody listens there"), "{refused:?}");
}

/// A bank in a root of its own; killed when dropped.
struct Contained(Child);

impl Drop for Contained {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the image's program in `root` as a user without rights.
fn contained(root: &Path, args: &[&str]) -> Command {
    let is_root = std::fs::metadata("/proc/self").map(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0).unwrap();
    let mut command = if is_root {
        let mut chroot = Command::new("chroot");
        chroot.arg("--userspec=65532:65532").arg(root);
        chroot
    } else {
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-current-user"]).arg(format!("--root={}", root.display()));
        unshare
    };
    command.arg("/guichet").args(args).stdin(Stdio::null()).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_image_holds_is_enough_to_run_the_bank_and_to_ask_how_it_does() {
    let home = tempfile::tempdir().unwrap();
    std::fs::set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
    let root = home.path().join("rootfs");
    succeeds(Command::new(deployed("container/rootfs.sh")).arg(env!("CARGO_BIN_EXE_guichet")).arg(&root));
    assert!(!root.join("bin").exists(), "there is no shell in it");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let health =
        || contained(&root, &["health", "--data-dir", "/var/lib/guichet", "--listen", &free]).output().unwrap();
    assert!(!health().status.success());
    let up = contained(&root, &["up", "--data-dir", "/var/lib/guichet", "--listen", &free])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let _running = Contained(up);
    eventually("the bank in the image serves", async || health().status.success().then_some(())).await;
    image_is_built(home.path());
}

/// By a builder without an engine, from a program that is there: its last stage is that of the whole file.
fn image_is_built(context: &Path) {
    // The running bank's data is not part of an image.
    let clean = context.join("context");
    succeeds(Command::new(deployed("container/rootfs.sh")).arg("/bin/true").arg(clean.join("rootfs")));
    let buildah = |args: &[&str]| {
        let mut command = Command::new("buildah");
        for (flag, folder) in [("--root", "storage"), ("--runroot", "run")] {
            command.arg(flag).arg(context.join(folder));
        }
        command.args(["--storage-driver", "vfs"]).args(args).current_dir(&clean);
        command
    };
    let file = deployed("container/Containerfile");
    let file = file.to_str().unwrap();
    succeeds(&mut buildah(&[
        "build",
        "--isolation",
        "chroot",
        "--format",
        "docker",
        "--target",
        "prebuilt",
        "--tag",
        "guichet",
        "--file",
        file,
        ".",
    ]));
    let image = succeeds(&mut buildah(&["inspect", "--type", "image", "guichet"]));
    let image: serde_json::Value = serde_json::from_str(&image).unwrap();
    let image = &image["Docker"]["config"];
    assert_eq!(image["User"], "65532:65532");
    assert_eq!(image["Entrypoint"], serde_json::json!(["/guichet"]));
    assert_eq!(image["Healthcheck"]["Test"][2], "health");
    // What it starts with is understood.
    for command in [&image["Cmd"], &image["Healthcheck"]["Test"]] {
        let words: Vec<&str> = command.as_array().unwrap().iter().filter_map(|word| word.as_str()).collect();
        let words = words.strip_prefix(&["CMD", "/guichet"]).unwrap_or(&words);
        output(&[words, &["--help"]].concat());
    }
}

#[test]
fn compose_understands_its_file_and_every_file_that_it_names_is_there() {
    let file = deployed("compose/compose.yaml");
    let compose = |args: &[&str]| succeeds(Command::new("docker-compose").arg("--file").arg(&file).args(args));
    compose(&["config", "--quiet"]);
    let services = compose(&["config", "--services"]);
    let services: Vec<&str> = services.lines().collect();
    for service in SERVICES.into_iter().chain(["postgresql"]) {
        assert!(services.contains(&service), "{service} is missing in {services:?}");
    }
    let text = read("compose/compose.yaml");
    let settings = text.lines().filter(|line| !line.starts_with('#'));
    let words = settings.flat_map(|line| line.split(|c: char| c.is_whitespace() || c == ':'));
    for named in words.filter(|word| word.starts_with("../")) {
        assert!(deployed("compose").join(named).exists(), "{named} is not there");
    }
    // Each is asked how it does with the settings that it was started with.
    for service in SERVICES {
        let settings = format!("{service}, --config, /etc/guichet/{service}.toml");
        assert_eq!(text.matches(&settings).count(), 2, "{service}");
        output(&[
            "health",
            service,
            "--config",
            deployed(&format!("config/{service}.toml")).to_str().unwrap(),
            "--help",
        ]);
    }
}
