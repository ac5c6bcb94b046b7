//! An API that says how applications do, made up: for trying the tool, and for its tests.
//!
//! Promises: what it says follows from a seed alone, application by application, so that a run can be repeated; a wrong token
//! is answered with 401; it misbehaves exactly as it is told to.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use chassis::Shutdown;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use vocabulary::{Chance, Clock};

use super::environment::Environment;
use super::secret::Secret;
use super::{ToolError, settings};

/// Largest body that is read.
const MOST_BYTES: usize = 16 * 1024;
/// Most applications whose turns are counted.
const MOST_APPS: usize = 10_000;
/// Longer than anybody waits.
const EVER: Duration = Duration::from_hours(1);

/// How it answers about an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// As the seed says.
    Seed,
    /// Always OK.
    Ok,
    /// Always DEGRADED.
    Degraded,
    /// Always DOWN.
    Down,
    /// Never, as far as anybody waits.
    Slow,
    /// That the token is wrong.
    Refuse,
    /// 500, with the request's headers in the text: a server that shows too much.
    Error,
    /// That it is elsewhere.
    Redirect,
    /// With JSON that breaks off.
    Broken,
    /// With less than it should hold.
    Lacking,
    /// With a megabyte.
    Huge,
    /// With a status that does not exist.
    Status,
    /// About another application.
    Other,
    /// With the beginning of an answer.
    Cut,
}

impl Behaviour {
    /// All of them, by the names that they are asked for.
    pub const ALL: &[(&str, Self)] = &[
        ("seed", Self::Seed),
        ("ok", Self::Ok),
        ("degraded", Self::Degraded),
        ("down", Self::Down),
        ("slow", Self::Slow),
        ("refuse", Self::Refuse),
        ("error", Self::Error),
        ("redirect", Self::Redirect),
        ("broken", Self::Broken),
        ("lacking", Self::Lacking),
        ("huge", Self::Huge),
        ("status", Self::Status),
        ("other", Self::Other),
        ("cut", Self::Cut),
    ];
}

/// Made-up answers behind a token.
pub struct Simulation {
    /// Opens it.
    token: Secret,
    /// What everything follows from.
    seed: u64,
    /// How long each answer takes.
    delay: Duration,
    /// How it answers about those named, and about all others.
    behaviours: HashMap<String, Behaviour>,
    usual: Behaviour,
    clock: Clock,
    turns: Mutex<HashMap<String, u64>>,
}

impl Simulation {
    /// Behind API_TOKEN, or behind a token that only `/login` gives where that is not set. A behaviour without a name is for
    /// every application that has none of its own.
    pub fn new(
        environment: &Environment,
        seed: u64,
        delay: Duration,
        behaviours: Vec<(Option<String>, Behaviour)>,
        clock: Clock,
    ) -> Result<Self, ToolError> {
        let token = match environment.get("API_TOKEN") {
            Some(_) => settings::token(environment)?.0,
            None => Secret::new(format!("{:032x}", u128::from_be_bytes(Chance::system().bytes()))),
        };
        let usual = behaviours.iter().rfind(|(app, _)| app.is_none()).map_or(Behaviour::Seed, |(_, it)| *it);
        let behaviours = behaviours.into_iter().filter_map(|(app, it)| Some((app?, it))).collect();
        Ok(Self { token, seed, delay, behaviours, usual, clock, turns: Mutex::default() })
    }

    /// Answers at `listener` until `shutdown`.
    pub async fn serve(self, listener: TcpListener, shutdown: Shutdown) -> io::Result<()> {
        let router = Router::new()
            .route("/status", get(status))
            .route("/login", post(login))
            .layer(DefaultBodyLimit::max(MOST_BYTES))
            .with_state(Arc::new(self));
        tokio::select! {
            served = IntoFuture::into_future(axum::serve(listener, router)) => served,
            () = shutdown.begun() => Ok(()),
        }
    }

    fn lets_in(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.strip_prefix("Bearer "));
        given.is_some_and(|it| verify_slices_are_equal(it.as_bytes(), self.token.reveal().as_bytes()).is_ok())
    }

    /// What the seed says about `app` this time.
    fn drawn(&self, app: &str) -> (&'static str, f64) {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let known = turns.len();
        let turn = match turns.get_mut(app) {
            Some(turn) => turn,
            None if known < MOST_APPS => turns.entry(app.to_owned()).or_default(),
            None => &mut 0,
        };
        *turn += 1;
        let digest = Sha256::new().chain_update(self.seed.to_be_bytes()).chain_update(turn.to_be_bytes());
        let [first, second, third, ..]: [u8; 32] = digest.chain_update(app).finalize().into();
        let status = ["OK", "DEGRADED", "DOWN"][usize::from(first) % 3];
        // 0.10 to 1.50 seconds, as a service takes.
        let hundredths = 10 + u16::from_be_bytes([second, third]) % 141;
        (status, f64::from(hundredths) / 100.0)
    }
}

async fn status(State(simulation): State<Arc<Simulation>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    if !simulation.lets_in(&headers) {
        return refused();
    }
    let query = query.unwrap_or_default();
    let app = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "app").map(|(_, value)| value);
    let app = app.unwrap_or_else(|| "unknown".into());
    tokio::time::sleep(simulation.delay).await;
    let behaviour = *simulation.behaviours.get(app.as_ref()).unwrap_or(&simulation.usual);
    let (drawn, response_time) = simulation.drawn(&app);
    #[expect(clippy::cast_precision_loss, reason = "microseconds since 1970 are exact in a double until the year 2255")]
    let timestamp = simulation.clock.now().micros() as f64 / 1e6;
    let answer = |app: &str, status: &str| {
        let answer = json!({ "app": app, "status": status, "response_time": response_time, "timestamp": timestamp });
        said(StatusCode::OK, &answer)
    };
    match behaviour {
        Behaviour::Seed => answer(&app, drawn),
        Behaviour::Ok => answer(&app, "OK"),
        Behaviour::Degraded => answer(&app, "DEGRADED"),
        Behaviour::Down => answer(&app, "DOWN"),
        Behaviour::Slow => {
            tokio::time::sleep(EVER).await;
            answer(&app, drawn)
        }
        Behaviour::Refuse => refused(),
        Behaviour::Error => (StatusCode::INTERNAL_SERVER_ERROR, format!("{headers:?} {query}")).into_response(),
        Behaviour::Redirect => (StatusCode::FOUND, [(header::LOCATION, "http://127.0.0.1:9/status")]).into_response(),
        Behaviour::Broken => ([(header::CONTENT_TYPE, "application/json")], "{\"app\": ").into_response(),
        Behaviour::Lacking => said(StatusCode::OK, &json!({ "app": app, "status": "OK" })),
        Behaviour::Huge => format!("\"{}\"", "x".repeat(1024 * 1024)).into_response(),
        Behaviour::Status => answer(&app, "FINE"),
        Behaviour::Other => answer("somebody-else", "OK"),
        Behaviour::Cut => {
            let pieces = [Ok(Bytes::from_static(b"{\"app\":")), Err(io::Error::other("told to break off"))];
            Body::from_stream(futures_util::stream::iter(pieces)).into_response()
        }
    }
}

fn refused() -> Response {
    let detail = json!({ "detail": "Unauthorized: the token is missing or wrong" });
    ([(header::WWW_AUTHENTICATE, "Bearer")], said(StatusCode::UNAUTHORIZED, &detail)).into_response()
}

fn said(status: StatusCode, answer: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], answer.to_string()).into_response()
}

/// Anybody's name and password do, as long as both are there.
async fn login(State(simulation): State<Arc<Simulation>>, body: Bytes) -> Response {
    let given: Value = serde_json::from_slice(&body).unwrap_or_default();
    let filled = |name: &str| given.get(name).and_then(Value::as_str).is_some_and(|it| !it.trim().is_empty());
    if filled("username") && filled("password") {
        return said(StatusCode::OK, &json!({ "token": simulation.token.reveal() }));
    }
    let detail = json!({ "detail": "send JSON with a username and a password, neither of them empty" });
    said(StatusCode::BAD_REQUEST, &detail)
}
