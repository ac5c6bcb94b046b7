//! What an attacker tries against a small program on the security layer, over the network alone. The list of attacks is in
//! `docs/attacks.md`; both examples are held to all of it that they have a door for.
//!
//! Knows of a program only what [`Target`] says: every function is one kind of attack, and ends the test with what it found.

use std::sync::Barrier;

use crate::program::{Answer, Program};

const JSON: &str = "Content-Type: application/json";
/// Somebody whom no program knows.
const NOBODY: &str = "nobody";

/// A program as an attacker finds it.
pub(crate) struct Target<'a> {
    pub(crate) program: &'a Program,
    /// A `GET` that wants to know who is calling.
    pub(crate) guarded: &'a str,
    /// A `GET` that gives a token for a password.
    pub(crate) login: &'a str,
    /// Somebody who may sign in, and their password.
    pub(crate) who: (&'a str, &'a str),
    /// A header line with a token of theirs.
    pub(crate) good: String,
    /// The same header with another token.
    pub(crate) with_token: fn(&str) -> String,
    /// The body that registers somebody.
    pub(crate) registration: fn(&str) -> String,
}

/// A header line with login and password.
pub(crate) fn basic(login: &str, password: &str) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let pair = format!("{login}:{password}");
    let mut written = String::from("Authorization: Basic ");
    for three in pair.as_bytes().chunks(3) {
        let bits = three.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = LETTERS[bits >> (18 - 6 * place) & 63];
            written.push(if place <= three.len() { char::from(letter) } else { '=' });
        }
    }
    written
}

impl Target<'_> {
    fn get(&self, path: &str, head: &[&str]) -> Answer {
        self.program.send("GET", path, head, "")
    }

    fn sign_in(&self, login: &str, password: &str) -> Answer {
        self.get(self.login, &[&basic(login, password)])
    }

    fn register(&self, body: &str) -> Answer {
        self.program.send("POST", "/register", &[JSON], body)
    }

    /// What an attacker tries before they know anything.
    pub(crate) fn withstands_what_changes_nothing(&self) {
        self.other_spellings_and_methods();
        self.other_sites();
        self.requests_read_differently();
        self.rights_of_ones_own();
    }

    /// Other spellings of a path, other methods, and headers that would change them.
    fn other_spellings_and_methods(&self) {
        let path = self.guarded;
        let name = path.trim_start_matches('/');
        let first = name.as_bytes()[0];
        for other in [
            format!("{path}/"),
            format!("//{name}"),
            format!("/./{name}"),
            format!("/x/../{name}"),
            format!("/%{first:02x}{}", &name[1..]),
            format!("/{}", name.to_uppercase()),
            format!("{path};x=1"),
            format!("{path}%00"),
            format!("{path}%2f"),
            format!("{path}%20"),
            format!("{path}/."),
            format!("\\{name}"),
        ] {
            let bare =
                self.program.raw(&format!("GET {other} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
            assert!(!bare.starts_with("HTTP/1.1 2"), "{other} gives what {path} guards: {bare}");
        }
        assert_eq!(self.get(path, &[&self.good]).status(), 200, "with a token it is there");
        for method in ["HEAD", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "G\u{2d}ET"] {
            let request =
                format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nX-Echo: 1\r\nConnection: close\r\n\r\n");
            let answer = self.program.raw(&request);
            let status = answer.split(' ').nth(1).unwrap_or("closed");
            assert!(matches!(status, "400" | "401" | "404" | "405" | "closed"), "{method}: {answer}");
            assert!(!answer.contains("X-Echo"), "{method} echoed the request");
        }
        for header in ["X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method", "_method"] {
            let answer = self.program.send("PATCH", path, &[&format!("{header}: GET"), &self.good], "");
            assert_eq!(answer.status(), 405, "{header}");
        }
        for header in ["X-Original-URL", "X-Rewrite-URL"] {
            assert_eq!(self.get("/nowhere", &[&format!("{header}: {path}"), &self.good]).status(), 404, "{header}");
        }
    }

    /// Pages of other sites: they read nothing, nothing is kept for them, and no cookie works for them.
    fn other_sites(&self) {
        for origin in ["https://evil.example", "null", "http://localhost.evil.example"] {
            for head in [&[self.good.as_str()][..], &[]] {
                let line = format!("Origin: {origin}");
                let head: Vec<&str> = head.iter().copied().chain([line.as_str()]).collect();
                let answer = self.get(self.guarded, &head);
                for name in ["access-control-allow-origin", "set-cookie"] {
                    assert_eq!(answer.header(name), None, "{origin}: {}", answer.head);
                }
                assert_eq!(answer.header("cache-control"), Some("no-store"), "{}", answer.head);
                assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{}", answer.head);
            }
        }
        for forged in ["Host: evil.example", "X-Forwarded-Host: evil.example", "Forwarded: host=evil.example"] {
            for path in [self.guarded, "/nowhere"] {
                let request = format!("GET {path} HTTP/1.1\r\n{forged}\r\nConnection: close\r\n\r\n");
                assert!(!self.program.raw(&request).contains("evil"), "{forged}");
            }
        }
        let token = self.good.rsplit_once(' ').unwrap().1;
        let name = self.guarded;
        for (what, path, line) in [
            ("in the address", format!("{name}?access_token={token}"), "X: 1".to_owned()),
            ("in a cookie", name.to_owned(), format!("Cookie: token={token}; session={token}; auth={token}")),
            ("behind another word", name.to_owned(), format!("Authorization: Token {token}")),
            ("as a password", name.to_owned(), format!("Authorization: Basic {token}")),
            ("a front server's login", name.to_owned(), format!("Remote-User: {}", self.who.0)),
            ("a login that is believed", format!("{name}?LOGIN={}", self.who.0), "X: 1".to_owned()),
        ] {
            let status = self.get(&path, &[&line]).status();
            assert!(matches!(status, 400 | 401), "{what}: {status}");
        }
    }

    /// Requests that two servers would cut in different places.
    fn requests_read_differently(&self) {
        let head = "POST /register HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
        let hidden = format!("GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", self.guarded);
        let length = hidden.len();
        for (what, most, request) in [
            // Chunks win over a length (RFC 9112, section 6.3), for every server that keeps to the rule.
            (
                "length and chunks",
                2,
                format!("{head}Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"),
            ),
            ("two lengths", 1, format!("{head}Content-Length: 0\r\nContent-Length: {length}\r\n\r\n{hidden}")),
            ("a length with a sign", 1, format!("{head}Content-Length: +{length}\r\n\r\n{hidden}")),
            ("an unknown coding", 1, format!("{head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{hidden}")),
            (
                "a folded header",
                1,
                format!("{head}X-A: 1\r\n Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n{hidden}"),
            ),
            ("a space before the colon", 1, format!("{head}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{hidden}")),
            ("a line break in a value", 1, format!("{head}X-A: a\rb\r\nContent-Length: 0\r\n\r\n{hidden}")),
        ] {
            let answer = self.program.raw(&request);
            assert!(answer.matches("HTTP/1.1 ").count() <= most, "{what} was read as two requests: {answer}");
            assert!(!answer.contains("HTTP/1.1 2"), "{what}: {answer}");
            assert_eq!(self.get(self.guarded, &[&self.good]).status(), 200, "{what} broke the next request");
        }
    }

    /// Fields that nobody declared, names that come twice.
    fn rights_of_ones_own(&self) {
        let body = (self.registration)("mallory");
        let more = |field: &str| body.replacen('{', &format!("{{{field},"), 1);
        let first = body.split('"').nth(1).unwrap();
        for field in [
            "\"admin\":true",
            "\"isAdmin\":true",
            "\"is_admin\":true",
            "\"id\":1",
            "\"role\":\"ADMIN\"",
            "\"groups\":[]",
        ] {
            let refused = self.register(&more(field));
            assert_eq!(refused.status(), 400, "{field}: {}", refused.body);
        }
        for twice in [more(&format!("\"{first}\":\"mallory\"")), format!("{body}{body}"), format!("[{body}]")] {
            let refused = self.register(&twice);
            assert_eq!(refused.status(), 400, "{twice}: {}", refused.body);
        }
        let both = self.program.send("POST", &format!("/register?{first}=mallory"), &[JSON], &body);
        assert_eq!(both.status(), 400, "in the address and in the body: {}", both.body);
        assert_eq!(self.register(&body).status(), 201, "it was never taken");
        let answer = self.register(&(self.registration)("trent"));
        assert!(!answer.body.contains("argon2") && !answer.body.contains("marathon"), "{}", answer.body);
    }

    /// Tokens that are forged in every way that needs no secret, and those that the caller of this made.
    pub(crate) fn refuses_tokens(&self, forged: &[(&str, String)]) {
        let refused = self.get(self.guarded, &[&(self.with_token)("junk")]).visible();
        for (what, token) in forged {
            let answer = self.get(self.guarded, &[&(self.with_token)(token)]);
            assert_eq!(answer.status(), 401, "{what}: {}", answer.body);
            assert_eq!(answer.visible(), refused, "{what} is told apart");
        }
        assert_eq!(self.get(self.guarded, &[&self.good]).status(), 200);
    }

    /// Whether somebody is here, from what is answered to whoever does not know their password.
    pub(crate) fn tells_nobody_who_is_here(&self) {
        let endless = "x".repeat(129);
        for password in ["wrong-password", "", "motdepassé", &endless] {
            let (known, unknown) = (self.sign_in(self.who.0, password), self.sign_in(NOBODY, password));
            assert_eq!(known.status(), 401, "{password:.9}: {}", known.body);
            assert_eq!(known.visible(), unknown.visible(), "{password:.9} tells who is here");
        }
        let no_token = self.get(self.guarded, &[]);
        assert_eq!(no_token.status(), 401);
        assert!(!no_token.head.contains("error="), "{}", no_token.head);
    }

    /// Guessing on: for one login, and for many from one address, with sign-ins of one's own in between.
    pub(crate) fn slows_guessing_down(&self, own: (&str, &str)) {
        for login in [self.who.0, NOBODY] {
            let answers: Vec<u16> = (0..12).map(|_| self.sign_in(login, "wrong-password").status()).collect();
            assert_eq!(answers[..5], [401; 5], "{login}");
            assert!(answers[5..].contains(&429), "{login}: {answers:?}");
        }
        let waiting = self.sign_in(self.who.0, self.who.1);
        assert!(matches!(waiting.status(), 200 | 429), "{}", waiting.body);
        assert_eq!(self.get(self.guarded, &[&self.good]).status(), 200, "whoever is in stays in");
        // Some were refused above; a sign-in of one's own clears none of that.
        let mut tried = 0;
        while tried < 100 && self.sign_in(&format!("person{tried}"), "wrong-password").status() == 401 {
            tried += 1;
            if tried % 4 == 0 {
                assert!(matches!(self.sign_in(own.0, own.1).status(), 200 | 429));
            }
        }
        assert!((5..=25).contains(&tried), "{tried} names more");
        for claim in
            ["X-Forwarded-For: 192.0.2.7", "x-real-ip: 192.0.2.8", "Forwarded: for=192.0.2.9", "True-Client-IP: ::1"]
        {
            let credential = basic(&format!("claim{}", claim.len()), "wrong-password");
            // The wait is short at first and may end just now; it grows with every guess that is let through.
            let refused = (0..3).any(|_| {
                while self.sign_in("warm", "wrong-password").status() != 429 {}
                let claimed = self.get(self.login, &[&credential, claim]);
                claimed.status() == 429 && claimed.header("retry-after").is_some()
            });
            assert!(refused, "{claim} makes another address of it");
        }
    }

    /// Registering on and on from one address.
    pub(crate) fn limits_registrations(&self) {
        let statuses: Vec<u16> =
            (0..45).map(|number| self.register(&(self.registration)(&format!("new{number}"))).status()).collect();
        let done = statuses.iter().filter(|status| **status == 201).count();
        assert!((10..=35).contains(&done) && statuses[30..].contains(&429), "{statuses:?}");
        let refused = self.register(&(self.registration)("new0"));
        assert!(matches!(refused.status(), 409 | 429), "{}", refused.body);
    }

    /// Many who want one name at once, and passwords that are as long as a book.
    pub(crate) fn does_at_once_what_may_be_done_once(&self) {
        const TIMES: usize = 12;
        let together = Barrier::new(TIMES);
        let body = (self.registration)("onlyone");
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let register = || {
                together.wait();
                self.register(&body).status()
            };
            let threads: Vec<_> = (0..TIMES).map(|_| scope.spawn(register)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
        assert_eq!((count(201), count(409)), (1, TIMES - 1), "{statuses:?}");
        let long = self.register(&(self.registration)("long").replace("marathon", &"x".repeat(1 << 20)));
        assert!(matches!(long.status(), 400 | 413), "1 MiB: {}", long.status());
    }

    /// What is written down: every decision, nothing forged, and no secret.
    pub(crate) fn writes_down_decisions_and_no_secrets(&self) -> (Vec<String>, Vec<String>) {
        let mut secrets = vec![self.who.1.to_owned(), "typed-where-it-goes".into()];
        secrets.push(self.good.rsplit_once(' ').unwrap().1.to_owned());
        let lines = "x\r\n2026-01-01T00:00:00Z  INFO FORGED\u{1b}[31m";
        for login in [lines, "\u{1b}]0;FORGED\u{7}", "${jndi:ldap://FORGED}"] {
            assert!(self.sign_in(login, "typed-where-it-goes").status() < 500);
            assert!(
                self.register(&(self.registration)(login).replace(['\r', '\n', '\u{1b}', '\u{7}'], "\\n")).status()
                    < 500
            );
        }
        let mut traces = Vec::new();
        for (path, head) in [
            (self.guarded, &[self.good.as_str()][..]),
            (self.guarded, &[]),
            (self.login, &[basic(self.who.0, "typed-where-it-goes").as_str()]),
            (self.login, &[basic(self.who.0, self.who.1).as_str()]),
        ] {
            traces.push(self.get(path, head).header("x-trace-id").unwrap().to_owned());
        }
        let log = self.program.log();
        assert!(!log.contains('\u{1b}') && !log.contains("FORGED") && !log.contains("panic"), "{log}");
        assert!(secrets.iter().all(|secret| !log.contains(secret.as_str())), "a secret stands in the log: {log}");
        (traces, secrets)
    }
}

/// Once it stopped: whether its files hold every trace, and none of the secrets.
pub(crate) fn holds_traces_and_no_secrets(folder: &std::path::Path, (traces, secrets): (Vec<String>, Vec<String>)) {
    let mut kept = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && path.extension().is_none_or(|it| it != "key") {
            kept.extend(std::fs::read(path).unwrap());
        }
    }
    let holds = |text: &String| kept.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(traces.iter().all(holds), "a call left no record: {traces:?}");
    assert!(!secrets.iter().any(holds), "a secret is kept: {secrets:?}");
}
