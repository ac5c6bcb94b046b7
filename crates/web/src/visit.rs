//! One request of a browser, from the socket to the page: who, in which language, with which fields.
//!
//! Promises: a page that needs a sign-in leads there and back; a POST is refused unless it comes from a page of ours;
//! a token that ended in the middle is renewed once; every problem becomes a page in the visitor's language.

use std::future::Future;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use aaa::{Caller, Operation, Problem};
use axum::RequestPartsExt;
use axum::body::Body;
use axum::extract::{RawPathParams, Request, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use contracts::bank::{BankInfo, GetBank};
use contracts::identity::{Language, ListNotices};
use contracts::roles::Role;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Limited};

use crate::Web;
use crate::forms::Form;
use crate::frame::{Frame, Place, Theme};
use crate::pages::wrong;
use crate::session::{
    self, DEVICE_COOKIE, HALFWAY_COOKIE, LANGUAGE_COOKIE, SESSION_COOKIE, SETUP_COOKIE, Secret, Signed, THEME_COOKIE,
};
use crate::texts::T;
use crate::{csrf, texts};

/// Largest form.
const MAX_FORM: usize = 32 * 1024;
/// What decorates a page may not keep it waiting longer.
pub(crate) const DECORATION: Duration = Duration::from_millis(700);
/// How long what the bank says of itself is believed.
const BANK_BELIEVED: Duration = Duration::from_mins(5);

/// How services say that the visitor has to prove once more who they are.
const STEP_UP: &str = "step-up-required";

/// Who may look at a page. The services decide in the end; this only spares people a refusal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    /// Anyone.
    Open,
    /// Whoever signed in.
    Signed,
    /// Agents.
    Agents,
    /// Agents and superusers.
    Staff,
    /// Superusers.
    Superusers,
}

impl Access {
    fn admits(self, role: Role) -> bool {
        match self {
            Self::Open | Self::Signed => true,
            Self::Agents => role == Role::Agent,
            Self::Staff => role != Role::Member,
            Self::Superusers => role == Role::Superuser,
        }
    }
}

/// A request of a browser.
#[derive(Clone)]
pub(crate) struct Visit {
    pub(crate) web: Web,
    /// The texts in the visitor's language.
    pub(crate) t: T,
    pub(crate) theme: Theme,
    /// The path asked for.
    pub(crate) path: String,
    /// Path and query, to come back to.
    pub(crate) here: String,
    /// The query's fields.
    pub(crate) query: Form,
    /// The form's fields, of a POST.
    pub(crate) form: Form,
    /// What the browser calls itself.
    pub(crate) agent: Option<String>,
    /// The last event that a browser had which follows something and comes back.
    pub(crate) last_event: Option<String>,
    /// The sign-in that waits for its second step, sealed.
    pub(crate) halfway: Option<Secret>,
    /// What an authenticator app is given that is being set up, sealed.
    pub(crate) setup: Option<Secret>,
    /// What identity knows this browser by.
    pub(crate) device: Option<Secret>,
    /// The page of ours that a form was sent from.
    from: Option<String>,
    /// As the browser names this site: host and port.
    host: String,
    /// Where the browser is.
    client: Option<String>,
    params: Vec<(String, String)>,
    signed: Option<Signed>,
}

/// What a page's handler gives.
pub(crate) type Outcome = Result<Response, Problem>;

/// A page.
pub(crate) fn show<F, Fut>(access: Access, handler: F) -> MethodRouter<Web>
where
    F: Fn(Arc<Visit>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Outcome> + Send,
{
    get(move |State(web): State<Web>, request: Request| serve(web, access, handler.clone(), request))
}

/// What a form is sent to.
pub(crate) fn act<F, Fut>(access: Access, handler: F) -> MethodRouter<Web>
where
    F: Fn(Arc<Visit>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Outcome> + Send,
{
    post(move |State(web): State<Web>, request: Request| serve(web, access, handler.clone(), request))
}

/// Everything that is no page.
pub(crate) async fn nowhere(State(web): State<Web>, request: Request) -> Response {
    serve(web, Access::Open, |_| async { Err(Problem::not_found()) }, request).await
}

async fn serve<F, Fut>(web: Web, access: Access, handler: F, request: Request) -> Response
where
    F: Fn(Arc<Visit>) -> Fut,
    Fut: Future<Output = Outcome>,
{
    let (mut parts, body) = request.into_parts();
    let mut visit = Visit::new(web, &mut parts).await;
    let secret = session::cookie(&parts.headers, SESSION_COOKIE).map(ToOwned::to_owned);
    if let Some(secret) = &secret {
        match visit.web.sessions.resume(&visit.nobody(), secret).await {
            Ok(signed) => visit.sign(signed),
            Err(_) if access == Access::Open => {}
            Err(problem) => return wrong::page(&visit, &problem).await,
        }
    }
    if parts.method == Method::POST
        && let Err(refusal) = visit.read_form(&parts, body).await
    {
        return *refusal;
    }
    for again in [true, false] {
        match (&visit.signed, access) {
            (_, Access::Open) => {}
            (None, _) => return to_sign_in(&visit, &parts.method, secret.is_some()),
            (Some(signed), access) if !access.admits(signed.user.role) => {
                return wrong::page(&visit, &Problem::forbidden("")).await;
            }
            _ => {}
        }
        let shared = Arc::new(visit);
        match handler(Arc::clone(&shared)).await {
            Ok(response) => return response,
            Err(problem) if problem.code() == STEP_UP => return to_proof(&shared, &parts.method),
            // The token ended, or was revoked, a moment ago: nothing was done, so ask identity and try once more.
            Err(problem) if again && problem.status() == StatusCode::UNAUTHORIZED && shared.signed.is_some() => {
                visit = match shared.renewed(secret.as_deref()).await {
                    Ok(visit) => visit,
                    Err(problem) => return wrong::page(&shared, &problem).await,
                };
            }
            Err(problem) => return wrong::page(&shared, &problem).await,
        }
    }
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

/// Whoever has to prove once more who they are comes back to the page they were on.
fn to_proof(visit: &Visit, method: &Method) -> Response {
    let back = if *method == Method::GET { Some(&visit.here) } else { visit.from.as_ref() };
    let mut query = Form::default();
    query.set("next", local(back.map_or("/profile/security", String::as_str)));
    see_other(&query.link("/prove", "", ""))
}

fn to_sign_in(visit: &Visit, method: &Method, ended: bool) -> Response {
    // What was posted is not kept, so the way back leads to the form, if the address has one.
    let next = if *method == Method::GET { &visit.here } else { "/" };
    let mut query = Form::default();
    if next != "/" {
        query.set("next", next);
    }
    if ended {
        query.set("why", "ended");
    }
    let mut response = see_other(&query.link("/sign-in", "", ""));
    if ended {
        set_cookie(&mut response, &session::no_session_cookie());
    }
    response
}

impl Visit {
    async fn new(web: Web, parts: &mut Parts) -> Self {
        let cookie = |name| session::cookie(&parts.headers, name);
        let chosen = cookie(LANGUAGE_COOKIE).and_then(texts::language);
        let accepted = || parts.headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok().and_then(texts::accepted);
        let theme = cookie(THEME_COOKIE).map(Theme::from_name).unwrap_or_default();
        let secret = |name| cookie(name).map(|value| Secret(value.to_owned()));
        let (halfway, setup, device) = (secret(HALFWAY_COOKIE), secret(SETUP_COOKIE), secret(DEVICE_COOKIE));
        let from = parts.headers.get(header::REFERER).and_then(|from| from.to_str().ok()?.parse().ok());
        let from = from.and_then(|from: http::Uri| from.path_and_query().map(ToString::to_string));
        let language = chosen.or_else(accepted).unwrap_or_default();
        let agent = parts.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        let agent = agent.map(|agent| agent.chars().take(400).collect());
        let last_event = parts.headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(ToOwned::to_owned);
        let params = parts.extract::<RawPathParams>().await;
        let params = params.iter().flatten().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let here = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned();
        Self {
            t: T(language),
            theme,
            path: parts.uri.path().to_owned(),
            here,
            query: Form::read(parts.uri.query().unwrap_or("").as_bytes()),
            form: Form::default(),
            agent,
            last_event,
            halfway,
            setup,
            device,
            from,
            host: host(parts),
            client: aaa::client_address(parts, web.proxies).map(|address| address.to_string()),
            params,
            signed: None,
            web,
        }
    }

    fn sign(&mut self, signed: Option<Signed>) {
        self.signed = signed;
    }

    /// The same visit with a fresh token, or as nobody when the session ended.
    async fn renewed(&self, secret: Option<&str>) -> Result<Self, Problem> {
        let secret = secret.unwrap_or("");
        self.web.sessions.forget(secret);
        let signed = self.web.sessions.resume(&self.nobody(), secret).await?;
        Ok(Self { signed, ..self.clone() })
    }

    /// Reads the form and refuses what does not come from a page of ours.
    async fn read_form(&mut self, parts: &Parts, body: Body) -> Result<(), Box<Response>> {
        if !csrf::same_site(&parts.headers, &parts.uri) {
            return Err(Box::new(wrong::forged(self).await));
        }
        let Ok(body) = Limited::new(body, MAX_FORM).collect().await else {
            let problem = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large");
            return Err(Box::new(wrong::page(self, &problem).await));
        };
        self.form = Form::read(&body.to_bytes());
        // The sign-in form is made before there is a session, and stays open in another tab when one begins.
        match &self.signed {
            Some(signed) if !is_sign_in(&self.path) && !csrf::fits(&signed.csrf, self.form.get("csrf")) => {
                Err(Box::new(wrong::forged(self).await))
            }
            _ => Ok(()),
        }
    }

    /// Who signed in. A handler of a page for anyone has nobody to ask for.
    pub(crate) fn me(&self) -> Result<&Signed, Problem> {
        self.signed.as_ref().ok_or_else(Problem::unauthorized)
    }

    /// Who signed in, if somebody did.
    pub(crate) fn somebody(&self) -> Option<&Signed> {
        self.signed.as_ref()
    }

    /// The role of whoever signed in.
    pub(crate) fn role(&self) -> Option<Role> {
        self.signed.as_ref().map(|signed| signed.user.role)
    }

    /// Where this site is, for links that are followed elsewhere.
    pub(crate) fn site(&self) -> String {
        format!("https://{}", self.host)
    }

    /// Calls services as nobody, for the visitor's browser.
    pub(crate) fn nobody(&self) -> Caller {
        self.web.directory.caller().on_behalf_of(self.client.clone())
    }

    /// Calls services as the visitor.
    pub(crate) fn caller(&self) -> Caller {
        let caller = self.nobody();
        match &self.signed {
            Some(signed) => caller.with_token(&signed.token.0),
            None => caller,
        }
    }

    /// Calls an operation as the visitor.
    pub(crate) async fn call<O: Operation>(&self, operation: O) -> Result<O::Reply, Problem> {
        self.caller().call(operation).await
    }

    /// Calls a creating operation that is done once however often the form is sent.
    pub(crate) async fn call_once<O: Operation>(&self, operation: O) -> Result<O::Reply, Problem> {
        self.caller().keyed(self.form.get("key")).call(operation).await
    }

    /// The id in the path. What is no id is no page.
    pub(crate) fn id<V: FromStr>(&self) -> Result<V, Problem> {
        self.param("id")
    }

    /// A part of the path. What cannot be one is no page.
    pub(crate) fn param<V: FromStr>(&self, part: &str) -> Result<V, Problem> {
        let text = self.params.iter().find(|(name, _)| name == part).map_or("", |(_, value)| value);
        text.parse().map_err(|_| Problem::not_found())
    }

    /// A key for a form that is to be done once.
    pub(crate) fn new_key(&self) -> String {
        hex::encode(self.web.chance.bytes::<16>())
    }

    /// The key that a form was sent with, for the same form again: what was not done under it may still be.
    pub(crate) fn key(&self) -> String {
        let key = self.form.get("key");
        let fits = (1..=64).contains(&key.len()) && key.bytes().all(|c| c.is_ascii_alphanumeric());
        if fits { key.to_owned() } else { self.new_key() }
    }

    /// What surrounds a page.
    pub(crate) async fn frame(&self, place: Place, title: impl Into<String>) -> Frame {
        let (bank, unread) = tokio::join!(self.bank_name(), self.unread());
        Frame::new(self, place, title.into(), bank, unread)
    }

    /// How many notices the visitor has not read; none rather than a delay.
    async fn unread(&self) -> u32 {
        if self.signed.is_none() {
            return 0;
        }
        let newest = ListNotices { limit: 1.try_into().unwrap_or_default(), ..ListNotices::default() };
        self.caller().within(DECORATION).call(newest).await.map_or(0, |found| found.unread)
    }

    /// What the bank says of itself, asked for now and then.
    pub(crate) async fn bank(&self) -> Result<Arc<BankInfo>, Problem> {
        let now = self.web.clock.now();
        if let Some((at, bank)) = self.web.bank.get(&())
            && now.since(at) < BANK_BELIEVED
        {
            return Ok(bank);
        }
        let bank = Arc::new(self.web.directory.caller().within(DECORATION).call(GetBank {}).await?);
        self.web.bank.insert((), (now, Arc::clone(&bank)));
        Ok(bank)
    }

    async fn bank_name(&self) -> String {
        self.bank().await.map_or_else(|_| "Guichet".to_owned(), |bank| bank.name.clone())
    }

    /// The language in use.
    pub(crate) fn language(&self) -> Language {
        self.t.0
    }
}

/// The host that a request was sent to; `localhost` for what is none.
fn host(parts: &Parts) -> String {
    let named = parts.uri.authority().map(http::uri::Authority::as_str);
    let named = named.or_else(|| parts.headers.get(header::HOST)?.to_str().ok()).unwrap_or("");
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    let fits = !named.is_empty() && named.len() <= 255 && named.chars().all(plain);
    if fits { named.to_owned() } else { "localhost".to_owned() }
}

/// Where people sign in, step by step.
fn is_sign_in(path: &str) -> bool {
    path == "/sign-in" || path.starts_with("/sign-in/")
}

/// A page that was found.
pub(crate) fn page(template: &impl askama::Template) -> Outcome {
    page_as(StatusCode::OK, template)
}

/// A page with another status.
pub(crate) fn page_as(status: StatusCode, template: &impl askama::Template) -> Outcome {
    let html = template.render().map_err(Problem::internal)?;
    Ok((status, Html(html)).into_response())
}

/// To another page, after something was done.
pub(crate) fn see_other(path: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(value) = HeaderValue::from_str(path) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}

/// Adds a cookie.
pub(crate) fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// A path of this site to go on to; `/` for everything that might lead elsewhere.
pub(crate) fn local(path: &str) -> &str {
    let fits = path.starts_with('/')
        && !path.starts_with("//")
        && path.len() <= 500
        && path.bytes().all(|c| c.is_ascii_graphic() && c != b'\\');
    if fits { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn the_way_back_never_leads_to_another_site() {
        assert_eq!(local("/requests?state=pending"), "/requests?state=pending");
        for elsewhere in
            ["//evil.example", "https://evil.example", "/\\evil.example", "", "x", "/a\r\nb", "/ /evil", "/é"]
        {
            assert_eq!(local(elsewhere), "/", "{elsewhere}");
        }
    }
}
