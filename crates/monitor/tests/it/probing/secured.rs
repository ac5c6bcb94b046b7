//! What is believed, what is shown, and what is said of certificates that are not believed.

use super::*;

const DAY: Duration = Duration::from_hours(24);

impl Bench {
    /// With its authority in `ca.pem`, as every authority keeps itself.
    async fn https(&self, names: &[&str], ago: Duration, life: Duration) -> u16 {
        encrypted(&self.issued(names, ago, life), None, app()).await
    }

    fn asks(port: u16) -> String {
        format!("kind = 'http'\ntarget = 'https://localhost:{port}/json'\nca_file = 'ca.pem'")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_the_banks_own_authority_is_believed_with_that_authority_only() {
    let bench = Bench::new();
    let port = bench.https(&["localhost"], DAY, DAY * 90).await;
    let seen = bench.tried(&Bench::asks(port)).await;
    is(&seen, State::Up, "");
    let (certificate, agreed) = (seen.certificate.unwrap(), seen.agreed.unwrap());
    assert_eq!((certificate.name.as_str(), agreed.protocol.as_str()), ("Guichet", "TLSv1.3"));
    assert!(agreed.withstands_quantum && agreed.group == "X25519MLKEM768", "{agreed:?}");
    let conditions = "must = ['tls.version == TLSv1.3', 'tls.version >= TLSv1.2', 'tls.group == X25519MLKEM768', \
                      'certificate.left > 25%', 'certificate.left > 10d', 'json.db.state == ok']";
    is(&bench.tried(&format!("{}\n{conditions}", Bench::asks(port))).await, State::Up, "");
    let tls =
        format!("kind = 'tls'\ntarget = 'localhost:{port}'\nca_file = 'ca.pem'\nshould = ['tls.group == secp256r1']");
    is(&bench.tried(&tls).await, State::Degraded, "tls.group == secp256r1: it is X25519MLKEM768");
    // Those of this machine do not know it; what it showed is told all the same.
    let stranger = Bench::new();
    let stranger = stranger.tried(&Bench::asks(port)).await;
    is(&stranger, State::Down, "no authority that is trusted here signed it");
    assert_eq!(stranger.certificate, Some(certificate));
    assert!(stranger.agreed.is_none() && stranger.tried.latency_micros.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_certificate_is_said() {
    let bench = Bench::new();
    let late = bench.https(&["localhost"], DAY * 81, DAY * 90).await;
    let left = |condition: &str| format!("{}\nshould = ['{condition}']", Bench::asks(late));
    is(&bench.tried(&left("certificate.left > 25%")).await, State::Degraded, "certificate.left > 25%: it is 10.0%");
    is(&bench.tried(&left("certificate.left > 10d")).await, State::Degraded, "it is 8 days");
    is(&bench.tried(&left("certificate.left > 5%")).await, State::Up, "");
    let expired = bench.https(&["localhost"], DAY * 100, DAY * 90).await;
    let seen = bench.tried(&Bench::asks(expired)).await;
    is(&seen, State::Down, &format!("its certificate expired on {}", seen.certificate.clone().unwrap().until));
    let other = bench.https(&["other.example"], DAY, DAY * 90).await;
    let seen = bench.tried(&Bench::asks(other)).await;
    is(&seen, State::Down, "it is not for the name localhost");
    assert!(!seen.tried.message.unwrap().contains("other.example"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_and_a_token_are_shown_where_they_are_asked_for() {
    let bench = Bench::new();
    let server = bench.issued(&["localhost"], DAY, DAY * 90);
    let port = encrypted(&server, Some(bench.authority.certificate_pem()), app()).await;
    is(&bench.tried(&Bench::asks(port)).await, State::Down, "it asked for a certificate, and this check shows none");
    let own =
        bench.authority.issue(&Request::service("monitor", ["monitor"]), &Clock::system(), &Chance::system()).unwrap();
    std::fs::write(bench.path("own.pem"), &own.cert_pem).unwrap();
    bench.secret("own-key.pem", &own.key_pem);
    let both = "certificate_file = 'own.pem'\nkey_file = 'own-key.pem'";
    is(&bench.tried(&format!("{}\n{both}", Bench::asks(port))).await, State::Up, "");
    let port = encrypted(&server, None, app()).await;
    let token = Bench::asks(port).replace("/json", "/token");
    is(&bench.tried(&token).await, State::Down, "status 401");
    bench.secret("token", "s3cr3t-token\n");
    let seen = bench.tried(&format!("{token}\ntoken_file = 'token'")).await;
    is(&seen, State::Up, "");
    assert!(!format!("{seen:?}").contains("s3cr3t"));
    let settings = bench.settings(&format!("[checks.it]\nprivate = true\n{token}\ntoken_file = 'token'\n")).unwrap();
    assert!(!format!("{settings:?}").contains("s3cr3t"), "{settings:?}");
    // A token that was replaced is taken up.
    bench.secret("token", "another");
    is(&try_checks(&settings, &[]).await.unwrap()[0], State::Down, "status 401");
}

#[test]
fn files_that_do_not_do_are_refused_in_words() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    std::fs::write(bench.path("empty"), "").unwrap();
    bench.secret("two", "one two");
    for name in ["open", "own-key.pem"] {
        std::fs::write(bench.path(name), "s3cr3t").unwrap();
        std::fs::set_permissions(bench.path(name), std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    let https = "kind = 'http'\ntarget = 'https://a.example/'\nca_file = 'ca.pem'\n";
    for (lines, words) in [
        ("token_file = 'gone'", "`token_file` cannot be used"),
        ("token_file = 'open'", "`token_file` cannot be used"),
        ("token_file = 'open'", "can be read by other users"),
        ("token_file = 'two'", "does not hold one token"),
        ("certificate_file = 'ca.pem'", "come together"),
        ("certificate_file = 'ca.pem'\nkey_file = 'own-key.pem'", "`key_file` cannot be used"),
        ("certificate_file = 'empty'\nkey_file = 'own-key.pem'", "holds no certificate"),
    ] {
        let said = bench.refused(&format!("{https}{lines}"));
        assert!(said.contains(words) && !said.contains("s3cr3t"), "{lines}: {said}");
    }
    assert!(bench.refused("kind = 'tls'\ntarget = 'a.example:1'\nca_file = 'empty'").contains("holds no certificate"));
    let open = bench.refused("kind = 'http'\ntarget = 'http://a.example/'\ntoken_file = 'two'");
    assert!(open.contains("`token_file` is for https:// only"), "{open}");
    assert!(
        bench.refused("kind = 'tcp'\ntarget = 'a.example:1'\nca_file = 'ca.pem'").contains("does not belong to tcp")
    );
}
