//! Servers that do what they please: an outcome within the time, and nothing of theirs in its words.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

const MARK: &str = "LEAKED";

/// Says these bytes to everybody, and then goes, or stays silent.
async fn saying(bytes: Vec<u8>, stays: bool) -> u16 {
    let (listener, port) = bound().await;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let bytes = bytes.clone();
            tokio::spawn(async move {
                _ = stream.write_all(&bytes).await;
                if stays {
                    std::future::pending::<()>().await;
                }
                // Heard first: a reset would take back what was said.
                _ = stream.shutdown().await;
                _ = stream.read_to_end(&mut Vec::new()).await;
            });
        }
    });
    port
}

/// Says `first` to a question, and `again` for ever.
async fn repeating(first: &'static str, again: &'static str) -> u16 {
    let (listener, port) = bound().await;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                _ = stream.read(&mut [0; 1024]).await;
                _ = stream.write_all(first.as_bytes()).await;
                let much = again.repeat(1000);
                while stream.write_all(much.as_bytes()).await.is_ok() {}
            });
        }
    });
    port
}

fn held(attempt: Attempt, state: State, words: &str) {
    is(&attempt, state, words);
    assert!(!attempt.tried.message.unwrap_or_default().contains(MARK));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_end_is_read_as_far_as_is_needed() {
    let bench = Bench::new();
    let port = repeating("HTTP/1.1 200 OK\r\n\r\n", "LEAKED ").await;
    let lines = format!("kind = 'http'\ntarget = 'http://localhost:{port}/'\ntimeout = '5s'");
    held(bench.tried(&lines).await, State::Up, "");
    held(bench.tried(&format!("{lines}\nmust = ['body contains LEAKED']")).await, State::Up, "");
    let cut = "larger than what is read";
    is(&bench.tried(&format!("{lines}\nmust = ['body contains other']")).await, State::Down, cut);
    is(&bench.tried(&format!("{lines}\nmust = ['json.a == 1']")).await, State::Down, cut);
    let port = repeating("HTTP/1.1 200 OK\r\n", "X-Much: LEAKED\r\n").await;
    let lines = format!("kind = 'http'\ntarget = 'http://localhost:{port}/'\ntimeout = '5s'");
    held(bench.tried(&lines).await, State::Down, "does not speak HTTP");
    let port = repeating("HTTP/1.1 200 OK\r\nX-Much: ", "LEAKED").await;
    let lines = format!("kind = 'http'\ntarget = 'http://localhost:{port}/'\ntimeout = '5s'");
    held(bench.tried(&lines).await, State::Down, "does not speak HTTP");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_longer_than_the_check_allows() {
    let bench = Bench::new();
    let beginnings = ["", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nLEAKED", "INFO {", "220-LEAKED\r\n", "S"];
    for beginning in beginnings {
        let port = saying(beginning.into(), true).await;
        for (kind, target) in kinds(port) {
            let lines = format!("kind = '{kind}'\ntarget = '{target}'\ntimeout = '200ms'\nca_file = 'ca.pem'");
            let lines = if target.starts_with("http:") || target.starts_with("nats:") {
                lines.replace("ca_file = 'ca.pem'", "")
            } else {
                lines
            };
            let attempt = bench.tried(&lines).await;
            // What is no beginning of it may be refused at once.
            let late = attempt.tried.message.as_deref() == Some("no answer within 200ms");
            assert!(late || !beginning.is_empty(), "{kind} {attempt:?}");
            assert!(attempt.tried.state == State::Down, "{kind} {beginning:?} {attempt:?}");
        }
    }
}

fn kinds(port: u16) -> Vec<(&'static str, String)> {
    vec![
        ("http", format!("http://localhost:{port}/")),
        ("http", format!("https://localhost:{port}/")),
        ("tls", format!("localhost:{port}")),
        ("postgres", format!("postgresql://a@localhost:{port}/b")),
        ("nats", format!("nats://localhost:{port}")),
        ("nats", format!("tls://localhost:{port}")),
        ("smtp", format!("localhost:{port}")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_an_outcome_in_our_words() {
    let bench = Bench::new();
    let mut noise = vec![0_u8; 4096];
    noise.iter_mut().zip((0..=255).cycle()).for_each(|(byte, value)| *byte = value);
    let sayings: Vec<Vec<u8>> = vec![
        vec![],
        noise,
        b"LEAKED\r\n".repeat(50),
        b"HTTP/1.1 999999 LEAKED\r\n\r\n".into(),
        b"HTTP/1.1 200 OK\r\nContent-Length: LEAKED\r\n\r\n".into(),
        b"INFO LEAKED\r\n".into(),
        b"INFO {}\r\n-ERR 'LEAKED'\r\n".into(),
        b"INFO {\"tls_required\":true}\r\nLEAKED".into(),
        b"220 LEAKED\r\n550 LEAKED\r\n".into(),
        b"220 a\r\n250-STARTTLS\r\n250 x\r\n220 go\r\nLEAKED".into(),
        "220 \u{e9}\u{e9}\r\n\u{e9}\u{e9}\u{e9}\r\n".into(),
        b"22".into(),
        b"SLEAKED".into(),
        b"NLEAKED".into(),
    ];
    for bytes in sayings {
        let port = saying(bytes.clone(), false).await;
        for (kind, target) in kinds(port) {
            let ca = if target.starts_with("http:") || target.starts_with("nats:") { "" } else { "ca_file = 'ca.pem'" };
            let attempt = bench.tried(&format!("kind = '{kind}'\ntarget = '{target}'\ntimeout = '5s'\n{ca}")).await;
            let message = attempt.tried.message.clone().unwrap_or_default();
            assert!(attempt.tried.state == State::Down, "{kind} {attempt:?}");
            assert!(!message.contains(MARK) && !message.contains("no answer within"), "{kind} {attempt:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_that_would_break_a_reader_is_no_json() {
    let bench = Bench::new();
    for (body, words) in [
        ("[".repeat(100_000), "no JSON"),
        (format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)), "no JSON"),
        (format!("{{\"a\":{}}}", "9".repeat(5000)), "json.a == 1"),
        (format!("[{}1]", "[],".repeat(80_000)), "nothing at that place"),
        ("{\"a\":1e999}".into(), "json.a == 1"),
        ("\u{0}".repeat(100), "no JSON"),
    ] {
        let router = Router::new().fallback(move || async move { body.clone() });
        let port = open(router).await;
        let lines =
            format!("kind = 'http'\ntarget = 'http://localhost:{port}/'\nmust = ['json.a == 1']\ntimeout = '5s'");
        is(&bench.tried(&lines).await, State::Down, words);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_before_a_handshake_is_not_taken_for_what_comes_after_it() {
    let bench = Bench::new();
    let port = saying(b"220 a\r\n250-a\r\n250 STARTTLS\r\n220 go\r\n250 a\r\n".into(), true).await;
    let lines = format!("kind = 'smtp'\ntarget = 'localhost:{port}'\nca_file = 'ca.pem'\ntimeout = '5s'");
    is(&bench.tried(&lines).await, State::Down, "somebody may be meddling");
    let port = saying(b"INFO {\"tls_required\":true}\r\nPONG\r\n".into(), true).await;
    let lines = format!("kind = 'nats'\ntarget = 'tls://localhost:{port}'\nca_file = 'ca.pem'\ntimeout = '5s'");
    is(&bench.tried(&lines).await, State::Down, "somebody may be meddling");
    // TLS that is wanted and not offered is not done without.
    let port = saying(b"220 a\r\n250 a\r\n".into(), true).await;
    let lines = format!("kind = 'smtp'\ntarget = 'localhost:{port}'\nca_file = 'ca.pem'\ntimeout = '5s'");
    is(&bench.tried(&lines).await, State::Down, "does not offer STARTTLS");
    let port = saying(b"INFO {}\r\nPONG\r\n".into(), true).await;
    let lines = format!("kind = 'nats'\ntarget = 'tls://localhost:{port}'\nca_file = 'ca.pem'\ntimeout = '5s'");
    is(&bench.tried(&lines).await, State::Down, "does not offer TLS");
}
