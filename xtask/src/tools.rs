//! The programs that the tests need: found, or installed when root runs this on Debian, or named.

use std::path::PathBuf;
use std::process::Command;

use crate::run::{Failure, output, run, section};

struct Tool {
    /// Any of these programs will do.
    programs: &'static [&'static str],
    /// The Debian package that has it.
    package: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool { programs: &["initdb"], package: "postgresql" },
    Tool { programs: &["nats-server"], package: "nats-server" },
    Tool { programs: &["mariadbd"], package: "mariadb-server-core" },
    Tool { programs: &["mariadb"], package: "mariadb-client-core" },
    Tool { programs: &["openssl"], package: "openssl" },
    Tool { programs: &["chromium", "chromium-browser", "google-chrome"], package: "chromium" },
    Tool { programs: &["certutil"], package: "libnss3-tools" },
    Tool { programs: &["node"], package: "nodejs" },
    Tool { programs: &["npm"], package: "npm" },
    Tool { programs: &["curl"], package: "curl" },
    Tool { programs: &["sqlmap"], package: "sqlmap" },
    Tool { programs: &["tshark"], package: "tshark" },
    Tool { programs: &["ip"], package: "iproute2" },
    Tool { programs: &["sslscan"], package: "sslscan" },
    Tool { programs: &["nft"], package: "nftables" },
    Tool { programs: &["faketime"], package: "faketime" },
    Tool { programs: &["unshare"], package: "util-linux" },
    Tool { programs: &["systemd-analyze"], package: "systemd" },
    Tool { programs: &["buildah"], package: "buildah" },
    Tool { programs: &["docker-compose"], package: "docker-compose" },
    Tool { programs: &["python3"], package: "python3-venv" },
];

/// Makes sure that everything is there.
pub(crate) fn ensure() -> Result<(), Failure> {
    let missing: Vec<_> = TOOLS.iter().filter(|t| find(t).is_none()).map(|t| t.package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    if !is_root()? || on_path("apt-get").is_none() {
        return Err(Failure::new(format!(
            "these Debian packages are missing: {packages}. Install them with\n    sudo apt-get install --no-install-recommends {packages}"
        )));
    }
    section(&format!("Installing what the tests need: {packages}"));
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        apt
    };
    run(apt().args(["update", "--quiet"]))?;
    run(apt().args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(&missing))?;
    match TOOLS.iter().find(|t| find(t).is_none()) {
        None => Ok(()),
        Some(tool) => Err(Failure::new(format!(
            "the package {} is installed, yet none of its programs ({}) can be found",
            tool.package,
            tool.programs.join(", ")
        ))),
    }
}

/// Where the programs of PostgreSQL's server are; Debian keeps them off the path, one folder per version.
pub(crate) fn postgres_bin() -> Result<PathBuf, Failure> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|v| Some((v.file_name().to_str()?.parse::<u32>().ok()?, v.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").is_file() && bin.join("pg_ctl").is_file())
        .max();
    newest
        .map(|(_, bin)| bin)
        .or_else(|| on_path("initdb")?.parent().map(Into::into))
        .ok_or_else(|| Failure::new("PostgreSQL's server programs are not installed (Debian package: postgresql)"))
}

/// Whether we run as root, whom PostgreSQL refuses to serve.
pub(crate) fn is_root() -> Result<bool, Failure> {
    Ok(output(Command::new("id").arg("-u"))?.trim() == "0")
}

/// Where a program is on the path.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let dirs = std::env::split_paths(&std::env::var_os("PATH")?).collect::<Vec<_>>();
    // Debian keeps servers off the path of those who are not root.
    dirs.into_iter().chain(["/usr/sbin".into()]).map(|dir| dir.join(program)).find(|path| path.is_file())
}

fn find(tool: &Tool) -> Option<PathBuf> {
    if tool.package == "postgresql" {
        return postgres_bin().ok();
    }
    let found = tool.programs.iter().find_map(|program| on_path(program))?;
    // Debian's python3 comes without what makes virtual environments.
    let whole =
        tool.package != "python3-venv" || output(Command::new(&found).args(["-c", "import ensurepip, venv"])).is_ok();
    whole.then_some(found)
}
