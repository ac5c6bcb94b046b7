//! Checks as somebody writes them down, made against servers that are there.

mod hostile;
mod private;
mod secured;
mod servers;

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use contracts::monitor::State;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use monitor::{Attempt, Settings, SettingsError, try_checks};
use pki::{Authority, Issued, Request};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use vocabulary::{Chance, Clock};

/// A folder for settings and what they name, and an authority of one's own.
struct Bench {
    folder: TempDir,
    authority: Authority,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Older than anything that it signs.
        let past = Clock::manual(Clock::system().now().minus(Duration::from_hours(24 * 200)));
        let (authority, _) = Authority::open_or_create(folder.path(), "Bench", &past, &Chance::system()).unwrap();
        Self { folder, authority }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file that only its owner can read.
    fn secret(&self, name: &str, text: &str) {
        pki::files::write(&self.path(name), text, pki::files::Readers::Owner).unwrap();
    }

    fn settings(&self, text: &str) -> Result<Settings, SettingsError> {
        let path = self.path("monitor.toml");
        std::fs::write(&path, text).unwrap();
        Settings::read(&path)
    }

    /// The one check of these lines. It may go to this machine.
    async fn tried(&self, lines: &str) -> Attempt {
        let settings = self.settings(&format!("[checks.it]\nprivate = true\n{lines}\n")).unwrap();
        try_checks(&settings, &[]).await.unwrap().remove(0)
    }

    /// What is wrong with such a check.
    fn refused(&self, lines: &str) -> String {
        self.settings(&format!("[checks.it]\n{lines}\n")).unwrap_err().to_string()
    }

    /// A certificate that began so long ago, for so long.
    fn issued(&self, names: &[&str], ago: Duration, life: Duration) -> Issued {
        let then = Clock::manual(Clock::system().now().minus(ago));
        let request = Request { life, ..Request::https(names.iter().copied()) };
        self.authority.issue(&request, &then, &Chance::system()).unwrap()
    }
}

#[track_caller]
fn is(attempt: &Attempt, state: State, words: &str) {
    let message = attempt.tried.message.as_deref().unwrap_or_default();
    assert!(attempt.tried.state == state && message.contains(words), "{attempt:?}");
    assert_eq!(message.is_empty(), state == State::Up, "{attempt:?}");
}

async fn bound() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

async fn spoken(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router) {
    let service = TowerToHyperService::new(router);
    _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

/// Serves it in the open, until the test ends.
async fn open(router: Router) -> u16 {
    let (listener, port) = bound().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(spoken(stream, router.clone()));
        }
    });
    port
}

/// Serves it over TLS with that certificate; to clients of the authority in `clients` only, if there is one.
async fn encrypted(issued: &Issued, clients: Option<&str>, router: Router) -> u16 {
    let (listener, port) = bound().await;
    let config = pki::server_config(&issued.identity().unwrap(), clients, &Clock::system()).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, router) = (acceptor.clone(), router.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                spoken(stream, router).await;
            });
        }
    });
    port
}

const BODY: &str = r#"{"db":{"state":"ok","nodes":[{"lag":12},{"lag":3.5}]},"big":9007199254740993,"on":true,"none":null,"tags":["a","b"]}"#;

fn app() -> Router {
    let json = ([("content-type", "application/json"), ("x-two", "1")], BODY);
    let token = get(|headers: HeaderMap| async move {
        let shown = headers.get("authorization").is_some_and(|it| it == "Bearer s3cr3t-token");
        Ok::<_, Infallible>(if shown { StatusCode::OK } else { StatusCode::UNAUTHORIZED })
    });
    Router::new()
        .route("/json", get(move || async move { json }))
        .route("/plain", get(|| async { "  all is ready\n" }))
        .route("/down", get(|| async { StatusCode::SERVICE_UNAVAILABLE }))
        .route("/moved", get(|| async { (StatusCode::FOUND, [("location", "/plain")]) }))
        .route("/token", token)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_well_or_is_not_by_its_status_where_nothing_else_is_asked() {
    let (bench, port) = (Bench::new(), open(app()).await);
    let at = |path: &str| format!("kind = 'http'\ntarget = 'http://localhost:{port}{path}'");
    let well = bench.tried(&at("/plain")).await;
    is(&well, State::Up, "");
    assert!(well.tried.latency_micros.is_some() && well.certificate.is_none() && well.agreed.is_none());
    is(&bench.tried(&at("/down")).await, State::Down, "status 503");
    is(&bench.tried(&at("/moved")).await, State::Down, "status 302");
    is(&bench.tried(&at("/nowhere")).await, State::Down, "status 404");
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_are_held_against_what_was_answered() {
    let (bench, port) = (Bench::new(), open(app()).await);
    let holds = [
        "status == 200",
        "status<300",
        "status != 404",
        "latency < 8s",
        "json.db.state == ok",
        r#"json.db.state == "ok""#,
        "json.db.nodes[0].lag >= 12",
        "json.db.nodes.1.lag < 4",
        "json.big == 9007199254740993",
        "json.on == true",
        "json.none == null",
        "json.tags contains b",
        "json.db.state contains k",
        "json.db.state != bad",
        "header.content-type contains json",
        "header.X-Two == 1",
        r#"body contains "\"tags\"""#,
    ];
    let fails = [
        ("status == 201", "it is 200"),
        ("status > 200", "it is 200"),
        ("latency > 30s", "it is"),
        ("json.db.state == no", "something else"),
        ("json.db.state == 1", "it is a text"),
        ("json.db.nodes[0].lag > 12", "it is 12"),
        ("json.db.nodes[2].lag > 1", "nothing at that place"),
        ("json.big == 9007199254740992", "it is 9007199254740993"),
        ("json.on == false", "it is true"),
        (r#"json.on == "true""#, "it is true"),
        ("json.tags contains c", "does not contain"),
        ("json.db == 1", "it is an object"),
        ("json.gone != x", "nothing at that place"),
        ("header.x-gone != y", "no such header"),
        ("header.x-two == 2", "something else"),
        (r#"body contains "tagz""#, "does not contain"),
        ("body == ready", "something else"),
    ];
    let check = |key: &str, condition: &str| {
        format!("kind = 'http'\ntarget = 'http://localhost:{port}/json'\n{key} = ['{condition}']")
    };
    for condition in holds {
        is(&bench.tried(&check("must", condition)).await, State::Up, "");
    }
    for (condition, words) in fails {
        is(&bench.tried(&check("must", condition)).await, State::Down, &format!("{condition}: "));
        is(&bench.tried(&check("should", condition)).await, State::Degraded, words);
    }
    let plain = format!("kind = 'http'\ntarget = 'http://localhost:{port}/plain'");
    is(&bench.tried(&format!("{plain}\nmust = ['body == \"all is ready\"']")).await, State::Up, "");
    is(&bench.tried(&format!("{plain}\nmust = ['json.a == 1']")).await, State::Down, "no JSON");
    let several = "must = ['status == 1', 'status == 2', 'status == 3', 'status == 4', 'status == 5']";
    is(&bench.tried(&format!("{plain}\n{several}")).await, State::Down, "status == 3: it is 200; and 2 more");
    let down = format!("kind = 'http'\ntarget = 'http://localhost:{port}/down'\nmust = ['status == 503']");
    is(&bench.tried(&down).await, State::Up, "");
}

#[test]
fn a_condition_that_makes_no_sense_is_refused_in_words() {
    let bench = Bench::new();
    for (condition, words) in [
        ("status", "no operator"),
        ("status = 200", "no operator"),
        ("status ==", "no value"),
        ("status == ok", "no whole number"),
        ("status contains 2", "what status contains"),
        ("latency == 1s", "exact latency"),
        ("latency < fast", "no time"),
        ("body < a", "more or less than a text"),
        ("body contains two words", "quotation marks"),
        (r#"body contains "open"#, "quotation marks"),
        ("json.a < b", "a number only"),
        ("json..a == b", "no good way"),
        ("header.a b == c", "no operator"),
        ("answer == 1", "there are latency, status, body"),
        ("certificate.left > 10d", "as there is no TLS"),
        ("weather == fine", "there are latency, status, body, json.PATH, header.NAME"),
    ] {
        let said = bench.refused(&format!("kind = 'http'\ntarget = 'http://a.example/'\nmust = ['{condition}']"));
        assert!(said.contains(words) && said.contains("number 1"), "{condition}: {said}");
    }
    for (kind, target) in [("tcp", "a.example:1"), ("smtp", "a.example:25"), ("dns", "a.example")] {
        let said = bench.refused(&format!("kind = '{kind}'\ntarget = '{target}'\nshould = ['status == 200']"));
        assert!(said.contains("`should`") && said.contains("there are latency"), "{said}");
    }
    let long = format!("kind = 'http'\ntarget = 'http://a.example/'\nmust = ['body contains {}']", "x".repeat(300));
    assert!(bench.refused(&long).contains("longer than 300"));
    let many = format!("kind = 'tcp'\ntarget = 'a.example:1'\nmust = [{}]", "'latency < 1s',".repeat(21));
    assert!(bench.refused(&many).contains("more than 20 conditions"));
}

#[test]
fn a_target_is_of_the_form_of_its_kind() {
    let bench = Bench::new();
    for (kind, targets) in [
        (
            "http",
            &[
                "",
                "a.example",
                "ftp://a.example/",
                "https://",
                "https://u:p@a.example/",
                "https://a b/",
                "https://a.example:0/",
            ][..],
        ),
        (
            "tcp",
            &[
                "",
                "a.example",
                "a.example:0",
                "a.example:65536",
                "a.example:+1",
                ":1",
                "a..b:1",
                "[::1:1",
                "http://a:1",
                "a/b:1",
            ],
        ),
        ("tls", &["a.example", "a.example:x"]),
        (
            "postgres",
            &[
                "a.example:5432",
                "postgresql://a.example/x",
                "postgresql://r@a.example",
                "postgresql://r:p@a.example/x",
                "postgresql://r@a.example/x?y",
            ],
        ),
        ("nats", &["a.example:4222", "http://a.example:4222", "tls://"]),
        ("smtp", &["a.example", "smtp://a.example:25"]),
        ("dns", &["", "a b", "-..-", "https://a.example"]),
    ] {
        for target in targets {
            let said = bench.refused(&format!("kind = '{kind}'\ntarget = '{target}'"));
            assert!(said.contains("[checks.it]: `target`"), "{kind} {target}: {said}");
        }
    }
    let server = |lines: &str| bench.refused(&format!("kind = 'dns'\ntarget = 'a.example'\n{lines}"));
    assert!(server("server = 'ns.a.example'").contains("`server` is no address"));
    assert!(server("record = 'SOA'").contains("`record` is one of A, AAAA"));
    assert!(bench.refused("kind = 'told'\ntarget = ''").contains("`kind` is the bank's own"));
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_are_tried_by_name_in_the_order_of_their_names() {
    let (bench, port) = (Bench::new(), open(app()).await);
    let (closed, gone) = bound().await;
    drop(closed);
    let check =
        |name: &str, port: u16| format!("[checks.{name}]\nkind = 'tcp'\ntarget = '127.0.0.1:{port}'\nprivate = true\n");
    let settings = bench.settings(&[check("b", gone), check("a", port), check("c", port)].concat()).unwrap();
    let all = try_checks(&settings, &[]).await.unwrap();
    let seen: Vec<_> = all.iter().map(|it| (it.name.as_str(), it.is_well())).collect();
    assert_eq!(seen, [("a", true), ("b", false), ("c", true)]);
    is(&all[1], State::Down, "nobody listens there");
    assert_eq!(try_checks(&settings, &["c".into()]).await.unwrap().len(), 1);
    assert!(try_checks(&settings, &["d".into()]).await.unwrap_err().to_string().contains("called d"));
    assert!(matches!(Settings::read(Path::new("/nowhere/at.toml")), Err(SettingsError::File { .. })));
}
