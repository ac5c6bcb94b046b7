//! Running other programs, and what is said when one fails.

use std::ffi::OsStr;
use std::fmt;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Why a command ends without success, in words for whoever typed it, and the code it exits with.
#[derive(Debug)]
pub(crate) struct Failure {
    words: String,
    code: u8,
}

impl Failure {
    pub(crate) fn new(words: impl Into<String>) -> Self {
        Self { words: words.into(), code: 1 }
    }

    pub(crate) fn usage(words: &str) -> Self {
        Self { words: format!("{words}; `cargo xtask help` shows what can be asked"), code: 2 }
    }

    pub(crate) const fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// Says something to the person at the terminal. A closed terminal stops nothing.
pub(crate) fn say(words: &str) {
    let _ = writeln!(std::io::stderr(), "{words}");
}

/// A title line over the output of a step.
pub(crate) fn section(title: &str) {
    say(&format!("\n── {title} ──"));
}

/// The cargo that runs us, at the root of the repository.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    cargo
}

/// Runs a program with our terminal; its exit code becomes ours.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let shown = shown(command);
    say(&format!("$ {shown}"));
    let status = command.status().map_err(|e| Failure::new(format!("cannot start `{shown}`: {e}")))?;
    if status.success() {
        return Ok(());
    }
    let code = status.code().and_then(|c| u8::try_from(c).ok()).unwrap_or(1);
    Err(Failure { words: format!("`{shown}` failed ({status})"), code })
}

/// Runs a program quietly and gives what it wrote; its complaints become the failure's words.
pub(crate) fn output(command: &mut Command) -> Result<String, Failure> {
    let shown = shown(command);
    let out =
        command.stdin(Stdio::null()).output().map_err(|e| Failure::new(format!("cannot start `{shown}`: {e}")))?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    if out.status.success() {
        return Ok(text);
    }
    let complaint = String::from_utf8_lossy(&out.stderr);
    Err(Failure::new(format!("`{shown}` failed ({}):\n{}{}", out.status, text, complaint.trim_end())))
}

/// Git in a folder, under a name of ours: commits of a check concern nobody.
pub(crate) fn git(folder: &Path, args: &[&str]) -> Result<(), Failure> {
    let mut git = Command::new("git");
    git.current_dir(folder).args(["-c", "user.name=check", "-c", "user.email=check@localhost"]);
    output(git.args(args)).map(drop)
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    std::iter::once(program).chain(command.get_args()).map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
