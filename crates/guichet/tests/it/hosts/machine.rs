//! Machines as network namespaces: each has an address of its own, and all hang on one switch.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The machines on one switch. To be made in a network and with mounts of one's own, with which all of it goes.
pub(super) struct Switch {
    folder: PathBuf,
    addresses: BTreeMap<&'static str, String>,
}

impl Switch {
    /// A machine for each name; `known` says by which host name each is looked up. A name of several has several addresses.
    pub(super) fn with(folder: &Path, machines: &[(&'static str, &str)]) -> Self {
        run("mkdir -p /run/netns && mount -t tmpfs none /run/netns");
        run("ip link add switch type bridge && ip address add 10.77.0.1/24 dev switch && ip link set switch up");
        let mut addresses = BTreeMap::new();
        let mut hosts = String::from("127.0.0.1 localhost\n");
        for (number, (machine, known)) in machines.iter().enumerate() {
            let address = format!("10.77.0.{}", number + 10);
            run(&format!(
                "ip netns add {machine} && ip link add to-{machine} type veth peer name eth0 netns {machine} && \
                 ip link set to-{machine} master switch && ip link set to-{machine} up && \
                 ip -n {machine} address add {address}/24 dev eth0 && ip -n {machine} link set eth0 up && \
                 ip -n {machine} link set lo up"
            ));
            hosts.extend([address.as_str(), " ", known, "\n"]);
            addresses.insert(*machine, address);
        }
        let file = folder.join("hosts");
        std::fs::write(&file, hosts).unwrap();
        run(&format!("mount --bind {} /etc/hosts", file.display()));
        Self { folder: folder.to_owned(), addresses }
    }

    /// A program that will run on `machine`.
    pub(super) fn on(&self, machine: &str, program: &str) -> Command {
        let log = File::options().create(true).append(true).open(self.log(machine)).unwrap();
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{machine}")).arg(program);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command
    }

    pub(super) fn log(&self, machine: &str) -> PathBuf {
        self.folder.join(format!("{machine}.log"))
    }

    /// `machine` hears nothing from the `others` any more, and they nothing from it.
    pub(super) fn part(&self, machine: &str, others: &[&str]) {
        let from: Vec<&str> = others.iter().map(|other| self.addresses[other].as_str()).collect();
        let from = from.join(", ");
        let rules = format!(
            "table inet wall {{\n chain in {{\n type filter hook input priority 0\n ip saddr {{ {from} }} drop\n }}\n \
             chain out {{\n type filter hook output priority 0\n ip daddr {{ {from} }} drop\n }}\n}}\n"
        );
        let mut nft = Command::new("nsenter");
        nft.arg(format!("--net=/run/netns/{machine}")).args(["nft", "-f", "-"]).stdin(Stdio::piped());
        let mut nft = nft.spawn().unwrap();
        nft.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
        assert!(
            nft.wait().unwrap().success(),
            "this test needs nft: `cargo xtask test` installs it on Debian, as root"
        );
    }

    /// They hear each other again.
    pub(super) fn join(machine: &str) {
        run(&format!("nsenter --net=/run/netns/{machine} nft flush ruleset"));
    }

    /// Pulls the cable out of `machine`, or puts it in again.
    pub(super) fn link(machine: &str, up: bool) {
        run(&format!("ip link set to-{machine} {}", if up { "up" } else { "down" }));
    }
}

/// Runs a line of the shell that has to work.
pub(super) fn run(line: &str) {
    let out = Command::new("sh").args(["-c", line]).output().unwrap();
    assert!(out.status.success(), "{line}: {}", String::from_utf8_lossy(&out.stderr));
}

/// A program on a machine; killed when dropped, its last words told where the test fails.
pub(super) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    pub(super) fn start(switch: &Switch, machine: &str, command: &mut Command) -> Self {
        Self { child: command.spawn().unwrap(), log: switch.log(machine) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines.get(lines.len().saturating_sub(12)..).unwrap_or_default();
            eprintln!("{} ends with:\n{}", self.log.display(), last.join("\n"));
        }
    }
}
