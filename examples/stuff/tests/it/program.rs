//! The program as a process of its own, and a client that sends exactly what it is told. Knows nothing of what is served.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A running program, stopped when dropped.
pub(crate) struct Program {
    child: Child,
    /// What it said when it was ready.
    pub(crate) ready: Value,
}

impl Program {
    /// Starts it in `folder`, on a free port, and waits until it serves.
    pub(crate) fn start(binary: &str, folder: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(binary)
            .args(["--listen", "127.0.0.1:0", "--json"])
            .args(arguments)
            .current_dir(folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, ready: serde_json::from_str(&line).unwrap_or_else(|_| panic!("it said {line:?}")) }
    }

    /// Where it serves.
    pub(crate) fn url(&self) -> &str {
        self.ready["url"].as_str().unwrap()
    }

    /// Sends a request; `head` are its further header lines.
    pub(crate) fn send(&self, method: &str, path: &str, head: &[&str], body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.url().strip_prefix("http://").unwrap()).unwrap();
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        for line in head {
            request.push_str(line);
            request.push_str("\r\n");
        }
        stream.write_all(request.as_bytes()).unwrap();
        write!(stream, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
        Answer { head: head.to_owned(), body: body.to_owned() }
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

    /// Its body.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }
}
