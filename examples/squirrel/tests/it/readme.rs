//! The README, held to what the program says.
//!
//! A block ```` ```sh ```` is typed in a shell that remembers its variables; the block ```` ```text ```` after it is what is said, where `…`
//! stands for anything. What begins with `squirrel serve` runs until the next one does.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::fenced::{blocks, is_like};

const README: &str = include_str!("../../README.md");
/// The port in the text, for which a free one is taken.
const SHOWN: &str = "5683";
/// What is typed is followed by this: the variables are there for the next block.
const REMEMBER: &str = "status=$?; export -p > variables; exit $status";

/// A shell in `folder` in which `squirrel` is this program.
fn shell(folder: &Path, typed: &str) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_squirrel")).parent().unwrap().display().to_string();
    let path = std::env::var("PATH").unwrap();
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("[ ! -e variables ] || . ./variables\n{typed}"));
    shell.current_dir(folder).env("PATH", format!("{program}:{path}"));
    for variable in ["SECRET_URL", "SECRET_KEY", "SECRET_MESSAGE"] {
        shell.env_remove(variable);
    }
    shell
}

/// A server, until it is dropped.
struct Running(Child);

impl Running {
    /// Starts it, and gives its first line.
    fn start(folder: &Path, typed: &str, port: u16) -> (Self, String) {
        let command = format!("exec {} --listen 127.0.0.1:{port}", typed.trim());
        let mut child = shell(folder, &command).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        (Self(child), line)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_readme_shows_what_the_program_says() {
    let folder = tempfile::tempdir().unwrap();
    // Below the ports that systems give away by themselves: between two servers nobody else takes it.
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let port = (20_000..30_000).find(free).unwrap();
    let text = README.replace(SHOWN, &port.to_string());
    let (mut server, mut compared, mut blocks) = (None, 0, blocks(&text).into_iter().peekable());
    while let Some((kind, typed)) = blocks.next() {
        assert_eq!(kind, "sh", "an answer without a question: {typed}");
        let shown = blocks.next_if(|(kind, _)| kind == "text").map(|(_, shown)| shown);
        let said = if typed.starts_with("squirrel serve") {
            drop(server.take());
            let (running, line) = Running::start(folder.path(), &typed, port);
            server = Some(running);
            line
        } else {
            let output = shell(folder.path(), &format!("{typed}{REMEMBER}")).output().unwrap();
            let said = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap()).concat();
            let refused = said.starts_with("squirrel: ");
            assert_eq!(output.status.success(), !refused, "{typed}\n{said}");
            said
        };
        compared += 1;
        let shown = shown.unwrap_or_default();
        assert!(is_like(said.trim(), shown.trim()), "{typed}\nsays\n{said}\ninstead of\n{shown}");
    }
    assert!(compared > 20, "only {compared} commands are shown");
}
