//! What somebody on the wire sees at each step, captured and taken apart by Wireshark's `tshark`.

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::namespace;
use crate::program::{KEY, Server, answer, mistake, said, squirrel, stranger};

/// The ports of the packets that show that the capture has begun, and that everything before has been seen.
const BEGINNING: u16 = 9;
const END: u16 = 10;

/// A capture of the loopback that is under way.
struct Eavesdropper {
    tshark: Child,
    seen: Receiver<String>,
    file: PathBuf,
}

impl Eavesdropper {
    fn listen(folder: &Path) -> Self {
        let file = folder.join("wire.pcapng");
        let mut tshark = Command::new("tshark");
        tshark.args(["-i", "lo", "-n", "-l", "-P", "-T", "fields", "-e", "udp.dstport", "-w"]).arg(&file);
        let mut tshark = tshark.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap_or_else(|error| {
            panic!("this test needs tshark ({error}): `cargo xtask test` installs it on Debian, as root")
        });
        let (tell, seen) = channel();
        let lines = BufReader::new(tshark.stdout.take().unwrap()).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| tell.send(line)));
        let this = Self { tshark, seen, file };
        this.wait_for(BEGINNING);
        this
    }

    /// Sends packets to `port` until one is seen.
    fn wait_for(&self, port: u16) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..200 {
            socket.send_to(b"", ("127.0.0.1", port)).unwrap();
            while let Ok(line) = self.seen.recv_timeout(Duration::from_millis(100)) {
                if line.trim() == port.to_string() {
                    return;
                }
            }
        }
        panic!("tshark never saw a packet: may it capture here?");
    }

    /// Ends the capture when everything up to now is in it.
    fn stop(mut self) -> Capture {
        self.wait_for(END);
        let asked = Command::new("kill").args(["-INT", &self.tshark.id().to_string()]).status().unwrap();
        assert!(asked.success() && self.tshark.wait().unwrap().success());
        Capture(std::mem::take(&mut self.file))
    }
}

impl Drop for Eavesdropper {
    fn drop(&mut self) {
        let _ = self.tshark.kill();
        let _ = self.tshark.wait();
    }
}

/// What was overheard.
struct Capture(PathBuf);

impl Capture {
    /// The fields of the packets to and from `port`, one line each, where Wireshark takes the conversation for `protocol`.
    fn fields(&self, port: u16, protocol: &str, filter: &str, fields: &[&str]) -> String {
        let mut tshark = Command::new("tshark");
        tshark.arg("-n").arg("-r").arg(&self.0).args(["-d", &format!("tcp.port=={port},{protocol}")]);
        tshark.args(["-Y", &format!("tcp.port=={port} && {filter}"), "-T", "fields"]);
        said(tshark.args(fields.iter().flat_map(|field| ["-e", field])))
    }

    /// Every byte that went over the connections to `port`, in both directions.
    fn bytes(&self, port: u16) -> Vec<u8> {
        let hex = self.fields(port, "data", "tcp.len > 0", &["tcp.payload"]);
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(pair).collect()
    }

    /// Which of `words` stand readable in the bytes.
    fn reads<'a>(&self, port: u16, words: &[&'a str]) -> Vec<&'a str> {
        let bytes = self.bytes(port);
        assert!(bytes.len() > 200, "only {} bytes were captured", bytes.len());
        let stands = |word: &&&str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
        words.iter().filter(stands).copied().collect()
    }

    /// The messages of the handshake that are readable, by Wireshark's number: 1 is the client's hello, 11 a certificate.
    fn handshake(&self, port: u16) -> Vec<String> {
        let types = self.fields(port, "tls", "tls.handshake.type", &["tls.handshake.type"]);
        types.split([',', '\n']).filter(|number| !number.is_empty()).map(str::to_owned).collect()
    }
}

#[test]
fn an_eavesdropper_sees_less_at_each_step() {
    if !namespace::inside("wire::an_eavesdropper_sees_less_at_each_step") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    said(&mut squirrel(here, "certify server --host localhost"));
    said(&mut squirrel(here, "certify michael"));
    let servers =
        ["http", "fernet", "https", "mtls", "https"].map(|step| Server::start(here, &format!("--step {step}")));
    let [http, fernet, https, mtls, old] = &servers;
    let wire = Eavesdropper::listen(here);
    for (step, server) in [
        ("http", http.url.clone()),
        ("fernet", fernet.url.clone()),
        ("https", https.named()),
        ("mtls --as michael", mtls.named()),
    ] {
        let mut fetch = squirrel(here, &format!("fetch --step {step} --url {server}/?meeting=oak"));
        assert_eq!(said(fetch.env("SECRET_KEY", KEY)), "The secret message is: fluffy tail\n", "{step}");
    }
    // A client of yesterday, to show that what is looked for below would be found if it were there.
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--fail", "--tls-max", "1.2", "--cacert", "club/ca.pem", &old.named()]).current_dir(here);
    assert_eq!(said(&mut curl), "fluffy tail");
    let capture = wire.stop();

    let words = ["fluffy tail", "GET /", "meeting=oak", "user-agent", "localhost", "Secret Squirrels", "michael"];
    let reads = |server: &Server| capture.reads(server.port, &words);
    assert_eq!(reads(http), ["fluffy tail", "GET /", "meeting=oak", "user-agent"]);
    assert_eq!(reads(fernet), ["GET /", "meeting=oak", "user-agent"]);
    assert_eq!(reads(https), ["localhost"], "the name of the server alone");
    assert_eq!(reads(mtls), ["localhost"], "and nothing of the member");
    assert_eq!(reads(old), ["localhost", "Secret Squirrels"], "TLS 1.2 shows certificates");

    let asked = |server: &Server| {
        capture.fields(server.port, "http", "http.request", &["http.request.method", "http.request.uri"])
    };
    assert_eq!((asked(http).as_str(), asked(fernet).as_str()), ("GET\t/?meeting=oak\n", "GET\t/?meeting=oak\n"));
    assert_eq!((asked(https).as_str(), asked(mtls).as_str()), ("", ""));
    let named = |server: &Server| {
        capture.fields(server.port, "tls", "tls.handshake.type == 1", &["tls.handshake.extensions_server_name"])
    };
    assert_eq!((named(https).as_str(), named(mtls).as_str()), ("localhost\n", "localhost\n"));
    for server in [https, mtls] {
        assert_eq!(capture.handshake(server.port), ["1", "2"], "two hellos, and no certificate");
    }
    assert!(capture.handshake(old.port).contains(&"11".to_owned()), "TLS 1.2 shows a certificate");
    // A token tells everybody when it was made.
    assert_eq!(capture.reads(fernet.port, &["gAAAAA"]), ["gAAAAA"]);
}

#[test]
fn a_member_says_nothing_in_plain_http_to_another_machine() {
    if !namespace::inside("wire::a_member_says_nothing_in_plain_http_to_another_machine") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let address = "192.0.2.7";
    said(Command::new("ip").args(["address", "add", &format!("{address}/32"), "dev", "lo"]));
    let (url, heard) = stranger(address, answer("200 OK", "fluffy tail"));
    let mut fetch = squirrel(folder.path(), &format!("fetch --step http --url {url}"));
    assert!(mistake(&mut fetch).contains("192.0.2.7 is another one: use https. Nothing was sent"));
    assert_eq!(heard.join().unwrap(), b"");
}
