//! Other spellings of a path, other methods, other sites, rights given to oneself, and requests that two servers read
//! differently.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use vocabulary::Clock;

use crate::client::Ask;
use crate::process::{Running, Up};

use super::Town;

/// Sends bytes as they are over TLS, and gives everything that came back until the server closed or fell silent.
pub(super) async fn raw(bank: &Running, bytes: &[u8]) -> String {
    let ca = std::fs::read_to_string(&bank.line.ca).unwrap();
    let mut config = pki::client_config(&ca, None, &Clock::system()).unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let host = bank.line.url.strip_prefix("https://").unwrap().trim_end_matches('/');
    let name = ServerName::try_from(host.rsplit_once(':').unwrap().0.to_owned()).unwrap();
    let stream = TcpStream::connect(host).await.unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    // The server may close before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(std::time::Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn answers(text: &str) -> usize {
    text.matches("HTTP/1.1 ").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_attacker_tries_at_the_door_is_refused() {
    let town = Town::new().await;
    let (bank, member) = (&town.bank, &town.member);

    // Other spellings of a path lead nowhere, and never around its policy.
    for path in [
        "/api/auth/users/",
        "//api/auth/users",
        "/api//auth/users",
        "/api/auth/./users",
        "/api/x/../auth/users",
        "/api/auth/%75sers",
        "/API/auth/users",
        "/api/auth/users;x=1",
        "/api/auth/users%00",
        "/api/auth/users%2f",
    ] {
        let answer = member.client.get(path).await;
        assert!(matches!(answer.status, 308 | 400 | 403 | 404), "{path}: {}", answer.brief());
        assert!(answer.body["items"].is_null(), "{path} gave a list of people");
    }
    // HEAD is GET without its body, and passes no policy that GET does not; nothing else turns one method into another.
    for method in ["HEAD", "OPTIONS", "TRACE", "CONNECT"] {
        let target = "/api/auth/users";
        let request = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let answer = raw(bank, request.as_bytes()).await;
        let status = answer.split(' ').nth(1).unwrap_or("").to_owned();
        assert!(matches!(status.as_str(), "400" | "401" | "404" | "405"), "{method}: {answer}");
        assert!(!answer.contains("Host: localhost\r\n\r\n"), "{method} echoed the request");
    }
    for header in ["x-http-method-override", "x-method-override", "x-http-method"] {
        let answer = member.client.call(Ask::new("GET", "/api/auth/sessions").header(header, "DELETE")).await;
        assert_eq!(answer.status, 200, "{header}");
    }
    for header in ["x-original-url", "x-rewrite-url"] {
        let answer = member.client.call(Ask::new("GET", "/api/auth/whoami").header(header, "/api/auth/users")).await;
        assert_eq!(answer.body["login"], "basile", "{header}");
    }

    // No other site may read an answer, and nothing that was answered is kept by anybody.
    for origin in ["https://evil.example", "null", &format!("{}.evil.example", bank.line.url)] {
        let answer = member.client.call(Ask::new("GET", "/api/auth/whoami").header("origin", origin)).await;
        assert!(answer.headers.get("access-control-allow-origin").is_none(), "{origin}");
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
    let answers_to_keep = ["/api/accounts", "/api/auth/whoami", "/api/nothing", "/api/auth/users"];
    for path in answers_to_keep {
        assert_eq!(member.client.get(path).await.headers["cache-control"], "no-store", "{path}");
    }

    // Rights and states that a caller gives themselves.
    for field in ["role", "state", "id", "groups", "admin"] {
        let body = serde_json::json!({ field: "superuser" });
        let ask = Ask::new("PATCH", "/api/auth/profile").json(&body);
        let answer = member.client.call(ask).await;
        assert_eq!(answer.status, 400, "{field}: {}", answer.brief());
    }
    let twice =
        Ask::new("PATCH", "/api/auth/profile").raw("application/json", r#"{"first_name":"A","first_name":"B"}"#);
    assert_eq!(member.client.call(twice).await.status, 400);
    assert_eq!(member.client.get("/api/auth/whoami").await.body["role"], "member");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_two_servers_read_differently_is_answered_once_at_most() {
    let home = tempfile::tempdir().unwrap();
    let bank = Up::in_any_way_on(&home.path().join("data")).start();
    let head = "POST /api/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let hidden = "GET /api/auth/whoami HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let length = hidden.len();
    for (what, bytes) in [
        (
            "length and chunks",
            format!("{head}Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"),
        ),
        ("two lengths", format!("{head}Content-Length: 0\r\nContent-Length: {length}\r\n\r\n{hidden}")),
        ("a length with a sign", format!("{head}Content-Length: +{length}\r\n\r\n{hidden}")),
        ("an unknown coding", format!("{head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{hidden}")),
        (
            "a folded header",
            format!("{head}X-A: 1\r\n Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n{hidden}"),
        ),
        ("a space before the colon", format!("{head}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{hidden}")),
        ("a bare line feed in a chunk", format!("{head}Transfer-Encoding: chunked\r\n\r\n0\n\n{hidden}")),
        ("a line break in a value", format!("{head}X-A: a\rb\r\nContent-Length: 0\r\n\r\n{hidden}")),
    ] {
        let answer = raw(&bank, bytes.as_bytes()).await;
        let first = answer.split(' ').nth(1).unwrap_or("").to_owned();
        assert!(matches!(first.as_str(), "" | "400" | "401"), "{what}: {answer}");
        // Chunks win over a length (RFC 9112, section 6.3): what follows them is a request, as it is for a proxy that
        // keeps to the rule. Everything else ends the connection.
        let most = if what == "length and chunks" { 2 } else { 1 };
        assert!(answers(&answer) <= most, "{what} was read as two requests: {answer}");
        // The next client is not affected.
        bank.client().get("/health/live").await.expect(200);
    }
}
