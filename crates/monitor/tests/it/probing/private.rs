//! Where a check may not lead.

use super::*;

const REFUSED: &str = "not a public one";

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_to_this_machine_is_not_gone_to_unless_the_check_says_so() {
    let bench = Bench::new();
    let (listener, port) = bound().await;
    let lines = |kind: &str, target: &str| format!("kind = '{kind}'\ntarget = '{target}'\ntimeout = '5s'");
    bench.secret("ca.pem", bench.authority.certificate_pem());
    let kinds = [
        ("http", format!("http://localhost:{port}/")),
        ("http", format!("https://localhost:{port}/")),
        ("tcp", format!("localhost:{port}")),
        ("tls", format!("localhost:{port}")),
        ("postgres", format!("postgresql://a@localhost:{port}/b")),
        ("nats", format!("nats://localhost:{port}")),
        ("nats", format!("tls://localhost:{port}")),
        ("smtp", format!("localhost:{port}")),
    ];
    for (kind, target) in &kinds {
        let secure = if target.starts_with("http:") || target.starts_with("nats:") || *kind == "tcp" {
            ""
        } else {
            "ca_file = 'ca.pem'"
        };
        let settings = bench.settings(&format!("[checks.it]\n{}\n{secure}\n", lines(kind, target))).unwrap();
        let attempt = try_checks(&settings, &[]).await.unwrap().remove(0);
        is(&attempt, State::Down, REFUSED);
        assert!(attempt.tried.latency_micros.is_none());
    }
    // Nothing came; and then the first that may.
    let first = tokio::spawn(async move { listener.accept().await.is_ok() });
    is(&bench.tried(&lines("tcp", &format!("localhost:{port}"))).await, State::Up, "");
    assert!(first.await.unwrap());
}

#[test]
fn an_address_is_refused_where_it_is_written() {
    let bench = Bench::new();
    for (kind, target) in [
        ("http", "http://127.0.0.1/"),
        ("http", "https://[::1]:8443/"),
        ("http", "http://[::ffff:10.0.0.1]/"),
        ("tcp", "169.254.169.254:80"),
        ("tls", "[fd00::1]:443"),
        ("postgres", "postgresql://r@192.168.0.9/x"),
        ("nats", "tls://10.1.2.3"),
        ("smtp", "100.64.0.1:25"),
    ] {
        let said = bench.refused(&format!("kind = '{kind}'\ntarget = '{target}'"));
        assert!(said.contains(REFUSED) && said.contains("private = true"), "{target}: {said}");
    }
    for server in ["127.0.0.53", "10.0.0.1:53", "[::1]:53", "fe80::1"] {
        let said = bench.refused(&format!("kind = 'dns'\ntarget = 'a.example'\nserver = '{server}'"));
        assert!(said.contains("`server`") && said.contains(REFUSED), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_to_this_machine_is_not_followed() {
    let bench = Bench::new();
    let (trap, trapped) = bound().await;
    let away = Router::new().fallback(move || async move {
        (StatusCode::TEMPORARY_REDIRECT, [("location", format!("http://127.0.0.1:{trapped}/"))])
    });
    let port = open(away).await;
    is(&bench.tried(&format!("kind = 'http'\ntarget = 'http://localhost:{port}/'")).await, State::Down, "status 307");
    let nobody = tokio::time::timeout(Duration::from_millis(50), trap.accept()).await;
    assert!(nobody.is_err(), "somebody came");
}
