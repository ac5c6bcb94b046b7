//! Drives the pages of a running bank with Chromium, in French and in English: `tests/browser/walk.mjs` is the walk.
//!
//! Knows only how to start the binary on an empty data directory and hand its line to the walk. Needs Chromium,
//! `certutil`, Node and npm, which `cargo xtask test` finds or installs. With `GUICHET_SCREENSHOTS` set to a folder,
//! pictures of every page are left there for people to look at.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const WALK: [&str; 8] = [
    "package.json",
    "package-lock.json",
    "walk.mjs",
    "journey.mjs",
    "factors.mjs",
    "gallery.mjs",
    "stage.mjs",
    "words.mjs",
];

#[test]
fn people_find_their_way_through_the_pages_in_both_languages() {
    let stage = Stage::new();
    for name in WALK {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser").join(name);
        fs::copy(source, stage.0.join(name)).unwrap();
    }
    succeed(Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(&stage.0), "");
    let bank = Bank::start(&stage.0);
    succeed(Command::new("node").arg("walk.mjs").current_dir(&stage.0), &bank.line);
}

/// A folder of this run alone, gone afterwards.
struct Stage(PathBuf);

impl Stage {
    fn new() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("browser-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running demonstration, and the line it printed; killed when dropped.
struct Bank {
    child: Child,
    line: String,
}

impl Bank {
    fn start(folder: &Path) -> Self {
        let log = folder.join("bank.log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_guichet"));
        for name in ["GUICHET_CONFIG", "GUICHET_DATA_DIR", "GUICHET_DATABASE", "GUICHET_LISTEN", "GUICHET_HOST"] {
            command.env_remove(name);
        }
        command.args(["up", "--demo", "--json", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.join("data"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
        let mut bank = Self { child: command.spawn().unwrap(), line: String::new() };
        // Ends with the line, or with the process.
        BufReader::new(bank.child.stdout.take().unwrap()).read_line(&mut bank.line).unwrap();
        assert!(!bank.line.is_empty(), "the bank did not start:\n{}", fs::read_to_string(&log).unwrap());
        bank
    }
}

impl Drop for Bank {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a program with a text on its standard input; what it said is shown when it fails.
fn succeed(command: &mut Command, stdin: &str) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{command:?} does not start ({e}); `cargo xtask test` installs what is needed"));
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(out.status.success(), "{command:?} failed:\n{}\n{}", said(&out.stdout), said(&out.stderr));
}
