//! Answers that no API should give: each becomes a finding, and none of their words goes anywhere.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use vocabulary::Clock;

use super::folder::{Api, Folder, TOKEN};
use super::servers::certified;

/// Longer than any answer takes on a busy machine.
const PATIENT: &str = "2m";

#[test]
fn whatever_the_api_answers_is_a_finding() {
    let cases = [
        ("fine", "ok", None),
        ("refused", "refuse", Some("token_refused")),
        ("failing", "error", Some("http_status")),
        ("moved", "redirect", Some("redirect")),
        ("torn", "broken", Some("not_json")),
        ("lacking", "lacking", Some("malformed")),
        ("fat", "huge", Some("too_large")),
        ("odd", "status", Some("unknown_status")),
        ("someone", "other", Some("wrong_app")),
        ("cut", "cut", Some("not_http")),
    ];
    let apps: Vec<&str> = cases.iter().map(|(app, ..)| *app).collect();
    let folder = Folder::with(&format!("API_TOKEN={TOKEN}\nAPPS={}\n", apps.join(",")));
    let answers: Vec<String> = cases.iter().map(|(app, answer, _)| format!("{app}={answer}")).collect();
    let args: Vec<&str> = answers.iter().flat_map(|answer| ["--answer", answer.as_str()]).collect();
    let api = Api::start(&folder, &args);
    let checked = folder.asks(&api, &["--json", "--timeout", PATIENT]);
    checked.ends_with(1);
    for (finding, (app, _, reason)) in checked.results().iter().zip(cases) {
        assert_eq!((finding["app"].as_str(), finding["reason"].as_str()), (Some(app), reason), "{finding}");
        assert_eq!(finding["status"], if reason.is_none() { "OK" } else { "UNKNOWN" });
        assert_eq!(finding["detail"].is_string(), reason.is_some(), "{finding}");
        assert_eq!(&folder.report(app)["results"][0], finding, "the report has what was printed");
    }
    assert!(checked.stdout.contains("`FINE`"), "{checked:?}");
    folder.holds_nowhere(TOKEN);
    let wrong = folder.run(&["check", "--apps", "fine"], &[("API_URL", &api.url), ("API_TOKEN", "another-token")]);
    wrong.ends_with(1);
    assert!(wrong.stdout.contains("refuses the token (401)"), "{wrong:?}");
}

/// Answers every connection with these bytes, and hangs up.
struct Raw {
    url: String,
    asked: Arc<AtomicUsize>,
}

impl Raw {
    fn saying(answer: impl Fn(&str, &mut TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/status?key=1", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        // Ends with the process of the tests.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (mut request, mut piece) = (Vec::new(), [0; 1024]);
                while !request.ends_with(b"\r\n\r\n") {
                    match stream.read(&mut piece).unwrap() {
                        0 => break,
                        n => request.extend_from_slice(&piece[..n]),
                    }
                }
                count.fetch_add(1, Ordering::SeqCst);
                answer(&String::from_utf8(request).unwrap(), &mut stream);
            }
        });
        Self { url, asked }
    }
}

fn asking(raw: &Raw, timeout: &str) -> serde_json::Value {
    let folder = Folder::with(&format!("API_TOKEN={TOKEN}\nAPPS=shop\n"));
    let checked = folder.run(&["check", "--json", "--timeout", timeout], &[("API_URL", &raw.url)]);
    checked.ends_with(1);
    folder.holds_nowhere(TOKEN);
    checked.results().remove(0)
}

#[test]
fn what_is_hardly_http_is_a_finding_too() {
    let token = || format!("Bearer {TOKEN}");
    let body = |length: &str, body: &str| format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
    let fields = |status: &str, time: &str| {
        let text = format!(r#"{{"app":"shop","status":{status},"response_time":{time},"timestamp":1}}"#);
        body(&text.len().to_string(), &text)
    };
    let many = "x-filler: 0123456789\r\n".repeat(40_000);
    let nested = format!("{{\"x\":{}", "[".repeat(60_000));
    for (answer, reason) in [
        (String::new(), "not_http"),
        ("220 mail.example ESMTP\r\n".into(), "not_http"),
        ("HTTP/1.1 200 OK\r\n".into(), "not_http"),
        ("HTTP/1.1 2000 OK\r\n\r\n".into(), "not_http"),
        (format!("HTTP/1.1 200 OK\r\n{many}\r\n"), "not_http"),
        (body("100", "{\"app\":"), "not_http"),
        (body("99999999999", "{"), "too_large"),
        (body("0", ""), "not_json"),
        ("HTTP/1.1 204 No Content\r\n\r\n".into(), "http_status"),
        (body("2", "[]"), "malformed"),
        (body("4", "null"), "malformed"),
        (body(&nested.len().to_string(), &nested), "not_json"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n\u{1b}[".into(), "not_json"),
        (fields("\"OK\"", "-1"), "malformed"),
        (fields("\"OK\"", "1e300"), "malformed"),
        (fields("\"OK\"", "1e999"), "not_json"),
        (fields("\"OK\"", "\"fast\""), "malformed"),
        (fields("7", "1"), "malformed"),
        (fields("\"ok\"", "1"), "unknown_status"),
        (fields(&format!("\"{}\"", token()), "1"), "unknown_status"),
        (fields("\"a\\u001b[31mb\\nc\"", "1"), "unknown_status"),
        (format!("HTTP/1.1 500 {}\r\nx-echo: {}\r\n\r\n{}", token(), token(), token()), "http_status"),
        (format!("HTTP/1.1 302 Found\r\nlocation: /else?{}\r\n\r\n", token()), "redirect"),
    ] {
        let shown = answer.chars().take(80).collect::<String>();
        let raw = Raw::saying(move |_, stream| _ = stream.write_all(answer.as_bytes()));
        let finding = asking(&raw, PATIENT);
        assert_eq!((&finding["status"], &finding["reason"]), (&"UNKNOWN".into(), &reason.into()), "{shown}: {finding}");
        assert!(!finding.to_string().contains("\\u001b"), "{finding}");
        assert_eq!(raw.asked.load(Ordering::SeqCst), 1, "asked once, and a redirect is not followed: {shown}");
    }
}

#[test]
fn an_answer_that_drips_ends_with_the_time_out() {
    let raw = Raw::saying(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
        // Until the other side has had enough.
        while stream.write_all(b" ").is_ok() {
            std::thread::park_timeout(std::time::Duration::from_millis(100));
        }
    });
    assert_eq!(asking(&raw, "1s")["reason"], "timeout");
}

#[test]
fn the_question_is_what_the_document_says_and_nobody_there_is_a_finding() {
    let (heard, hears) = std::sync::mpsc::channel();
    let raw = Raw::saying(move |request, _| heard.send(request.to_owned()).unwrap());
    let folder = Folder::with(&format!("API_TOKEN={TOKEN}\n"));
    let env = [("API_URL", raw.url.as_str())];
    folder.run(&["check", "--apps", "Trésorerie"], &env).ends_with(1);
    let request = hears.recv().unwrap();
    assert!(request.starts_with("GET /status?key=1&app=Tr%C3%A9sorerie HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("authorization: Bearer {TOKEN}\r\n")), "{request}");
    assert!(folder.report("Trésorerie")["results"][0]["reason"] == "not_http");
    for (url, words) in
        [("http://127.0.0.1:9/status", "nobody listens"), ("https://nowhere.invalid/", "not known here")]
    {
        let checked = folder.run(&["check", "--apps", "shop"], &[("API_URL", url)]);
        checked.ends_with(1);
        assert!(checked.stdout.contains(words), "{checked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_over_https_is_believed_by_the_named_authority_alone() {
    let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let config = pki::server_config(&certified(home.path()), None, &Clock::system()).unwrap();
    certified(other.path());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let answer = r#"{"app":"shop","status":"OK","response_time":0.5,"timestamp":1}"#;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
            let _ = stream.write_all(format!("{head}{answer}").as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    let folder = Folder::with(&format!("API_TOKEN={TOKEN}\nAPPS=shop\n"));
    for (host, authority, reason) in [
        ("localhost", Some(&home), None),
        ("127.0.0.1", Some(&home), None),
        ("localhost", Some(&other), Some("unreachable")),
        ("localhost", None, Some("unreachable")),
    ] {
        let url = format!("https://{host}:{port}/status");
        let ca = authority.map(|home| home.path().join("ca.pem").display().to_string());
        let args: Vec<&str> = ca.iter().flat_map(|file| ["--ca", file.as_str()]).collect();
        let checked =
            folder.run(&[&["check", "--json", "--timeout", PATIENT], &args[..]].concat(), &[("API_URL", &url)]);
        if checked.stderr.contains("no certificate of an authority") && authority.is_none() {
            // A machine that trusts nobody.
            continue;
        }
        assert_eq!(checked.results()[0]["reason"].as_str(), reason, "{url}: {checked:?}");
    }
}
