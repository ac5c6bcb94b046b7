//! Tokens exchanged with Python's `cryptography`, both ways and over HTTP, as the two programs of a tutorial would.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::program::{KEY, OTHER_KEY, Server, mistake, said, squirrel};

const CLIENT: &str = "
import os, urllib.request
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
token = urllib.request.urlopen(os.environ['SECRET_URL'], timeout=10).read()
try:
    print(MultiFernet([Fernet(key) for key in os.environ['SECRET_KEY'].split()]).decrypt(token, ttl=60).decode())
except InvalidToken:
    print('invalid')
";

const SERVER: &str = "
import http.server, os
from cryptography.fernet import Fernet
class Leader(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        token = Fernet(os.environ['SECRET_KEY']).encrypt(b'fluffy tail')
        self.send_response(200)
        self.send_header('Content-Length', str(len(token)))
        self.end_headers()
        self.wfile.write(token)
    def log_message(self, *_): pass
server = http.server.HTTPServer(('127.0.0.1', 0), Leader)
print(server.server_port, flush=True)
for _ in range(2): server.handle_request()
";

fn python(program: &str) -> Command {
    let python = std::env::var_os("GUICHET_TEST_PYTHON").unwrap_or_else(|| {
        panic!(
            "GUICHET_TEST_PYTHON is not set: run `cargo xtask test -p squirrel`, which prepares the Python of this test"
        )
    });
    let mut command = Command::new(python);
    command.args(["-c", program]);
    command
}

#[test]
fn a_member_in_python_opens_what_the_server_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), "--step fernet");
    let ask = |keys: &str| said(python(CLIENT).env("SECRET_URL", &server.url).env("SECRET_KEY", keys));
    assert_eq!(ask(KEY), "fluffy tail\n");
    assert_eq!(ask(&format!("{OTHER_KEY} {KEY}")), "fluffy tail\n");
    assert_eq!(ask(OTHER_KEY), "invalid\n");
}

#[test]
fn a_member_opens_what_a_server_in_python_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = python(SERVER).env("SECRET_KEY", KEY).stdout(Stdio::piped()).spawn().unwrap();
    let mut port = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let fetch = |key: &str| {
        let mut fetch = squirrel(folder.path(), &format!("fetch --step fernet --url http://127.0.0.1:{}", port.trim()));
        fetch.env("SECRET_KEY", key);
        fetch
    };
    assert_eq!(said(&mut fetch(&format!("{OTHER_KEY} {KEY}"))), "The secret message is: fluffy tail\n");
    assert!(mistake(&mut fetch(OTHER_KEY)).contains("another key"));
    assert!(server.wait().unwrap().success());
}
