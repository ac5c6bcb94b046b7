//! The folder that the tool works in, the tool as a process there, and the simulated API beside it.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::process::guichet;

/// Opens the simulated API. Like no word that the tool would write by itself.
pub(crate) const TOKEN: &str = "Canary$7-of_the.gate";

pub(crate) struct Folder(TempDir);

/// How a run of the tool ended.
#[derive(Debug)]
pub(crate) struct Ended {
    code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    #[track_caller]
    pub(crate) fn ends_with(&self, code: i32) {
        assert_eq!(self.code, Some(code), "{self:?}");
    }

    /// The results that `--json` printed.
    pub(crate) fn results(&self) -> Vec<Value> {
        let round: Value = serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        round["results"].as_array().unwrap().clone()
    }
}

impl Folder {
    pub(crate) fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With this in `.env`.
    pub(crate) fn with(env: &str) -> Self {
        let folder = Self::empty();
        folder.write(".env", env);
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Writes a file that only its owner reads.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), Permissions::from_mode(0o600)).unwrap();
    }

    pub(crate) fn open_to_others(&self, name: &str) {
        fs::set_permissions(self.path(name), Permissions::from_mode(0o644)).unwrap();
    }

    /// `guichet monitor …` here, with nothing set that is not in `set`.
    fn command(&self, args: &[&str], set: &[(&str, &str)]) -> Command {
        let mut command = guichet(&[&["monitor"], args].concat());
        for name in ["API_TOKEN", "API_URL", "APPS", "REPORTS_DATABASE_URL", "LOGS_MONGODB_URL"] {
            command.env_remove(name);
        }
        // A library that writes what it is given would show it here.
        command.env("GUICHET_LOG", "trace,h2=off").current_dir(self.0.path()).envs(set.iter().copied());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, args: &[&str], set: &[(&str, &str)]) -> Ended {
        let out = self.command(args, set).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let ended = Ended { code: out.status.code(), stdout: text(out.stdout), stderr: text(out.stderr) };
        assert!(!ended.stderr.contains(TOKEN) && !ended.stdout.contains(TOKEN), "it shows its token: {ended:?}");
        assert!(!ended.stderr.contains("panicked"), "{ended:?}");
        // What was traced was looked through for the token; what remains is what the tool says itself.
        let said = ended.stderr.lines().filter(|line| !is_trace(line));
        let stderr = said.collect::<Vec<_>>().join("\n");
        Ended { stderr, ..ended }
    }

    pub(crate) fn check(&self, args: &[&str]) -> Ended {
        self.run(&[&["check"], args].concat(), &[])
    }

    /// A check that asks `api`.
    pub(crate) fn asks(&self, api: &Api, args: &[&str]) -> Ended {
        self.run(&[&["check"], args].concat(), &[("API_URL", &api.url)])
    }

    pub(crate) fn start(&self, args: &[&str], set: &[(&str, &str)]) -> Child {
        self.command(args, set).env_remove("GUICHET_LOG").spawn().unwrap()
    }

    /// What was reported about `app`; of two days if midnight came between.
    pub(crate) fn reported(&self, app: &str) -> Option<Value> {
        let end = format!("-{app}.json");
        let mut names = listing(&self.path("reports"));
        names.retain(|name| name.ends_with(&end));
        let read = |name: &String| serde_json::from_str::<Value>(&self.read(&format!("reports/{name}"))).unwrap();
        names.iter().map(read).reduce(|mut earlier, mut later| {
            let more = std::mem::take(later["results"].as_array_mut().unwrap());
            earlier["results"].as_array_mut().unwrap().extend(more);
            earlier
        })
    }

    pub(crate) fn report(&self, app: &str) -> Value {
        self.reported(app).unwrap_or_else(|| panic!("no report about {app}: {:?}", listing(&self.path("reports"))))
    }

    /// No file but `.env` holds it, nor the name of one.
    #[track_caller]
    pub(crate) fn holds_nowhere(&self, secret: &str) {
        for path in files(self.0.path()) {
            let name = path.strip_prefix(self.0.path()).unwrap().display().to_string();
            let text = if name == ".env" {
                String::new()
            } else {
                String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()
            };
            assert!(!name.contains(secret) && !text.contains(secret), "{name} holds a secret: {text}");
        }
    }
}

/// Every file below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()) {
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}

/// A line that a library traced: it begins with a time.
fn is_trace(line: &str) -> bool {
    line.starts_with("20") && line.get(10..11) == Some("T")
}

/// The names in a folder, sorted.
pub(crate) fn listing(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|it| it.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// SIGTERM, and how it ended.
pub(crate) fn stop(child: Child) -> Ended {
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let out = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: out.status.code(), stdout: text(out.stdout), stderr: text(out.stderr) }
}

/// The simulated API as a process; killed when dropped.
pub(crate) struct Api {
    child: Child,
    pub(crate) url: String,
}

impl Api {
    pub(crate) fn start(folder: &Folder, args: &[&str]) -> Self {
        Self::start_with(folder, args, &[])
    }

    pub(crate) fn start_with(folder: &Folder, args: &[&str], set: &[(&str, &str)]) -> Self {
        // Whatever comes after wins, so tests may give a delay of their own.
        let quick: &[&str] = if args.contains(&"--delay") { &[] } else { &["--delay", "10ms"] };
        let args = [&["simulate", "--listen", "127.0.0.1:0"], quick, args].concat();
        let mut command = folder.command(&args, set);
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.split_whitespace().find(|word| word.ends_with("/status")).map(str::to_owned);
        let url = url.unwrap_or_else(|| panic!("the simulated API said `{line}`"));
        Self { child, url }
    }

    /// The token that a login gives, or the status.
    pub(crate) fn login(&self, body: &str) -> Result<String, u16> {
        let at = self.url.strip_prefix("http://").unwrap().strip_suffix("/status").unwrap();
        let mut stream = TcpStream::connect(at).unwrap();
        let length = body.len();
        let request = format!(
            "POST /login HTTP/1.1\r\nhost: {at}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        let (head, body) = said.split_once("\r\n\r\n").unwrap();
        match head[9..12].parse().unwrap() {
            200 => Ok(serde_json::from_str::<Value>(body).unwrap()["token"].as_str().unwrap().to_owned()),
            status => Err(status),
        }
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
