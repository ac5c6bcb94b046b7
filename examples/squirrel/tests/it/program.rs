//! The program as processes: servers that run until they are dropped, and members that ask once.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The shared key of a test, or a key that fits nothing.
pub(crate) const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="; // not-a-secret: Fernet's specification shows it
pub(crate) const OTHER_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// The program, to be run in `folder`, knowing nothing of the environment of the tests.
pub(crate) fn squirrel(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squirrel"));
    command.args(arguments.split(' ')).current_dir(folder);
    for variable in ["SECRET_URL", "SECRET_KEY", "SECRET_MESSAGE", "SQUIRREL_LOG"] {
        command.env_remove(variable);
    }
    command
}

/// What it says when it goes well.
pub(crate) fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The one line that explains why it does not go well.
pub(crate) fn mistake(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let (out, error) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!((output.status.code(), out.as_str()), (Some(1), ""), "{error}");
    let line = error.strip_suffix('\n').and_then(|line| line.strip_prefix("squirrel: ")).unwrap_or_default();
    assert!(!line.is_empty() && !line.contains('\n'), "one line: {error:?}");
    line.to_owned()
}

/// A server of the club, stopped when dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it answers, by number.
    pub(crate) url: String,
    pub(crate) port: u16,
}

impl Server {
    pub(crate) fn start(folder: &Path, arguments: &str) -> Self {
        let mut command = squirrel(folder, &format!("serve {arguments} --listen 127.0.0.1:0 --json"));
        let mut child = command.env("SECRET_KEY", KEY).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("it said {line:?}"));
        let url = ready["url"].as_str().unwrap().to_owned();
        let port = url.rsplit(':').next().unwrap().parse().unwrap();
        Self { child, url, port }
    }

    /// Where it answers, by the name in its certificate.
    pub(crate) fn named(&self) -> String {
        format!("https://localhost:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A stranger on a port: reads the head of one request at most, and answers `reply`. Gives its address, and what it read.
pub(crate) fn stranger(at: &str, reply: Vec<u8>) -> (String, std::thread::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind((at, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let reading = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut read, mut byte) = (Vec::new(), [0]);
        while !read.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
            read.extend(byte);
        }
        let _ = stream.write_all(&reply);
        read
    });
    (format!("http://{address}/"), reading)
}

/// An answer in HTTP.
pub(crate) fn answer(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).into_bytes()
}
