//! The program as a process of its own, and a client that sends exactly what it is told. Knows nothing of what is served.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// A running program, stopped when dropped.
pub(crate) struct Program {
    child: Child,
    /// What it said when it was ready.
    pub(crate) ready: Value,
    log: PathBuf,
}

impl Program {
    /// Starts it in `folder`, on a free port, and waits until it serves. It logs all it ever does, to a file there.
    pub(crate) fn start(binary: &str, folder: &Path, arguments: &[&str]) -> Self {
        let log = folder.join("log.txt");
        let mut child = Command::new(binary)
            .envs(["STUFF_LOG", "LIBRARY_LOG"].map(|name| (name, "debug")))
            .stderr(File::options().create(true).append(true).open(&log).unwrap())
            .args(["--listen", "127.0.0.1:0", "--json"])
            .args(arguments)
            .current_dir(folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said = serde_json::from_str(&line);
        let ready = said.unwrap_or_else(|_| panic!("it said {line:?} and {}", std::fs::read_to_string(&log).unwrap()));
        Self { child, ready, log }
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Where it serves.
    pub(crate) fn url(&self) -> &str {
        self.ready["url"].as_str().unwrap()
    }

    /// Sends a request; `head` are its further header lines.
    pub(crate) fn send(&self, method: &str, path: &str, head: &[&str], body: &str) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        for line in head {
            request.push_str(line);
            request.push_str("\r\n");
        }
        let answer = self.raw(&format!("{request}Content-Length: {}\r\n\r\n{body}", body.len()));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
        Answer { head: head.to_owned(), body: body.to_owned() }
    }

    /// Sends this text as it is, and gives all that came back until it closed or fell silent.
    pub(crate) fn raw(&self, text: &str) -> String {
        let mut stream = TcpStream::connect(self.url().strip_prefix("http://").unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // It may close before it has read everything.
        let _ = stream.write_all(text.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Asks it to stop, and gives whether it did so without complaint.
    pub(crate) fn stop(mut self) -> bool {
        let killed = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        killed.success() && self.child.wait().unwrap().success()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What came back.
pub(crate) struct Answer {
    /// Status line and header lines.
    pub(crate) head: String,
    /// What follows them.
    pub(crate) body: String,
}

impl Answer {
    /// Its status.
    pub(crate) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All that a stranger can tell answers apart by: everything but what names this one call.
    pub(crate) fn visible(&self) -> String {
        let trace = self.header("x-trace-id").unwrap_or("no trace");
        let head = self.head.lines().filter(|line| !line.to_lowercase().starts_with("date:"));
        format!("{}\n{}", head.collect::<Vec<_>>().join("\n"), self.body).replace(trace, "TRACE")
    }

    /// Its body.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }
}
