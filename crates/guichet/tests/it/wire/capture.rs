//! Everything that went over the loopback, captured by `tshark` and put together again: connection by connection.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// The ports of the packets that show that the capture has begun, and that everything before has been seen.
const BEGINNING: u16 = 9;
const END: u16 = 10;
/// What a client of PostgreSQL says who will not speak without TLS, and what the server answers.
const SSL_REQUEST: &[u8] = &[0, 0, 0, 8, 4, 210, 22, 47];
const SSL_YES: &[u8] = b"S";
/// Kinds of records.
const CHANGE: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const DATA: u8 = 23;

/// A capture of the loopback that is under way.
pub(super) struct Eavesdropper {
    tshark: Child,
    seen: Receiver<String>,
    file: PathBuf,
}

impl Eavesdropper {
    pub(super) fn listen(folder: &Path) -> Self {
        let file = folder.join("wire.pcapng");
        let mut tshark = Command::new("tshark");
        tshark.args(["-i", "lo", "-n", "-l", "-B", "64", "-P", "-T", "fields", "-e", "udp.dstport", "-w"]).arg(&file);
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
        for _ in 0..600 {
            let _ = socket.send_to(b"", ("127.0.0.1", port));
            while let Ok(line) = self.seen.recv_timeout(Duration::from_millis(100)) {
                if line.trim() == port.to_string() {
                    return;
                }
            }
        }
        panic!("tshark never saw a packet: may it capture here?");
    }

    /// Ends the capture when everything up to now is in it.
    pub(super) fn stop(mut self) -> Capture {
        self.wait_for(END);
        let asked = Command::new("kill").args(["-INT", &self.tshark.id().to_string()]).status().unwrap();
        assert!(asked.success() && self.tshark.wait().unwrap().success());
        Capture::of(&self.file)
    }
}

impl Drop for Eavesdropper {
    fn drop(&mut self) {
        let _ = self.tshark.kill();
        let _ = self.tshark.wait();
    }
}

/// What was overheard.
pub(super) struct Capture {
    pub(super) streams: Vec<Stream>,
    /// What is no TCP.
    others: Vec<String>,
}

/// What is said before TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// Nothing.
    Tls,
    /// PostgreSQL is asked for it.
    Postgres,
    /// nats-server tells its version and limits.
    Nats,
}

/// One connection.
#[derive(Default)]
pub(super) struct Stream {
    pub(super) client: u16,
    pub(super) server: u16,
    /// Whether its first packet was seen.
    begun: bool,
    /// What the client said, and what the server said.
    said: [Vec<u8>; 2],
    /// How often the other one spoke next.
    turns: usize,
    speaker: Option<usize>,
    /// Bytes that were not captured.
    gap: bool,
}

impl Capture {
    fn of(file: &Path) -> Self {
        let fields = ["tcp.stream", "tcp.flags", "tcp.srcport", "tcp.dstport", "tcp.seq", "tcp.payload"];
        let mut streams = BTreeMap::<u32, Stream>::new();
        for line in read(file, "tcp", &fields).lines() {
            let field: Vec<&str> = line.split('\t').collect();
            let flags = u32::from_str_radix(field[1].trim_start_matches("0x"), 16).unwrap();
            let (syn, ack) = (flags & 2 != 0, flags & 16 != 0);
            let [from, to] = [field[2], field[3]].map(|port| port.parse::<u16>().unwrap());
            let stream = streams.entry(field[0].parse().unwrap()).or_default();
            if syn && !ack {
                (stream.client, stream.server, stream.begun) = (from, to, true);
            }
            stream.add(usize::from(from != stream.client), field[4].parse().unwrap(), &bytes(field[5]));
        }
        let marks = format!("udp.dstport in {{{BEGINNING}, {END}}}");
        let others = read(file, &format!("!tcp && !({marks})"), &["frame.protocols", "udp.dstport"]);
        Self { streams: streams.into_values().collect(), others: others.lines().map(str::to_owned).collect() }
    }

    /// Everything that somebody on the wire can read and should not: anything outside of a record of TLS 1.3, anything
    /// that is no TCP at all, and `words`. `opening` says how one speaks with the server at a port before TLS.
    pub(super) fn complaints(&self, opening: impl Fn(u16) -> Opening, words: &[String]) -> Vec<String> {
        let other = self.others.iter().map(|other| format!("no TCP: {other}"));
        let streams = self.streams.iter().filter(|stream| !stream.said.concat().is_empty());
        let each = streams.flat_map(|stream| {
            let hidden = stream.records(opening(stream.server)).err();
            let readable = words.iter().filter(|word| stream.reads(word)).map(|word| format!("`{word}` can be read"));
            let name = format!("{} → {}", stream.client, stream.server);
            hidden.into_iter().chain(readable).map(move |what| format!("{name}: {what}")).collect::<Vec<_>>()
        });
        other.chain(each).collect()
    }
}

impl Stream {
    fn add(&mut self, speaker: usize, at: usize, payload: &[u8]) {
        // The first byte of data has the number 1.
        let said = &mut self.said[speaker];
        let known = (said.len() + 1).saturating_sub(at);
        if payload.len() <= known {
            return;
        }
        self.gap |= at > said.len() + 1;
        said.extend(&payload[known..]);
        if self.speaker.replace(speaker) != Some(speaker) {
            self.turns += 1;
        }
    }

    fn reads(&self, word: &str) -> bool {
        self.said.iter().any(|said| said.windows(word.len()).any(|window| window == word.as_bytes()))
    }

    /// The kinds of the records of both sides, if there is nothing else.
    fn records(&self, opening: Opening) -> Result<[Vec<u8>; 2], String> {
        if !self.begun || self.gap {
            return Err("not all of it was captured".into());
        }
        let [mut client, mut server] = [self.said[0].as_slice(), self.said[1].as_slice()];
        match opening {
            Opening::Tls => {}
            Opening::Postgres => {
                client = client.strip_prefix(SSL_REQUEST).ok_or("the database was not asked for TLS first")?;
                server = server.strip_prefix(SSL_YES).ok_or("the database did not agree to TLS")?;
            }
            Opening::Nats => {
                let end = server.windows(2).position(|bytes| bytes == b"\r\n").map_or(server.len(), |end| end + 2);
                let (line, rest) = server.split_at(end);
                if !line.is_empty() && !line.starts_with(b"INFO {") {
                    return Err("the broker does not begin with its one line in clear".into());
                }
                server = rest;
            }
        }
        let kinds = [kinds(client)?, kinds(server)?];
        for kinds in &kinds {
            let open = kinds.iter().filter(|kind| [HANDSHAKE].contains(*kind)).count();
            // One hello, or two where the server asked for another group; TLS 1.2 would show certificates.
            if kinds.first().is_some_and(|kind| !matches!(*kind, HANDSHAKE | ALERT)) || open > 2 {
                return Err("its handshake is not that of TLS 1.3".into());
            }
        }
        Ok(kinds)
    }

    /// Whether both sides sent data over TLS, and went on after the handshake.
    pub(super) fn carries(&self, opening: Opening) -> bool {
        self.turns >= 6 && self.records(opening).is_ok_and(|both| both.iter().all(|kinds| kinds.contains(&DATA)))
    }

    /// The number of the group that the server's first hello chooses for the keys.
    pub(super) fn group(&self) -> Option<u16> {
        let pair = |bytes: &[u8]| Some(u16::from_be_bytes(bytes.get(..2)?.try_into().ok()?));
        // Behind the heads of the record and the message, the version and the random bytes; then the session's name.
        let hello = self.said[1].get(5 + 4 + 2 + 32..)?;
        let mut rest = hello.get(usize::from(*hello.first()?) + 1 + 2 + 1 + 2..)?;
        loop {
            let (kind, length) = (pair(rest)?, pair(rest.get(2..)?)?);
            if kind == 51 {
                return pair(rest.get(4..)?);
            }
            rest = rest.get(4 + usize::from(length)..)?;
        }
    }
}

/// The kinds of the records that `said` consists of; the last may be cut off.
fn kinds(mut said: &[u8]) -> Result<Vec<u8>, String> {
    let mut kinds = Vec::new();
    while let Some(kind) = said.first() {
        let head = said.get(..5).ok_or("its end is no record of TLS")?;
        let length = usize::from(u16::from_be_bytes([head[3], head[4]]));
        if !(CHANGE..=DATA).contains(kind) || head[1] != 3 || !matches!(head[2], 1 | 3) || length > (1 << 14) + 256 {
            let shown = String::from_utf8_lossy(&said[..said.len().min(40)]).into_owned();
            return Err(format!("after {} records comes what is none: {shown:?}", kinds.len()));
        }
        kinds.push(*kind);
        said = said.get(5 + length..).unwrap_or_default();
    }
    Ok(kinds)
}

/// Fields of the packets that pass `filter`, a line each. The bytes are wanted, not what Wireshark makes of them.
fn read(file: &Path, filter: &str, fields: &[&str]) -> String {
    let mut tshark = Command::new("tshark");
    tshark.arg("-n").arg("-r").arg(file).args(["-Y", filter, "-T", "fields"]);
    tshark.args(["tls", "http", "pgsql"].iter().flat_map(|protocol| ["--disable-protocol", protocol]));
    let out = tshark.args(fields.iter().flat_map(|field| ["-e", field])).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |digit: u8| u8::try_from(char::from(digit).to_digit(16).unwrap()).unwrap();
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).map(digit).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
