//! What keeps one's sign-in safe: the second factor, its recovery codes, and the sessions.

use std::sync::Arc;

use askama::Template;
use contracts::identity::{
    BeginTotp, ConfirmTotp, EndSession, GetSecondFactor, ListPasskeys, ListSessions, MakeRecoveryCodes, Passkey,
    RemoveTotp, SecondFactor, Session,
};
use http::StatusCode;
use qrcode::QrCode;
use qrcode::render::svg;

use super::entry::error_title;
use crate::forms::Entries;
use crate::frame::{Frame, Place};
use crate::halfway::HalfSetup;
use crate::session;
use crate::texts::T;
use crate::visit::{Outcome, Visit, page, page_as, see_other, set_cookie};

#[derive(Template)]
#[template(path = "security.html")]
pub(crate) struct SecurityPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) e: Entries,
    pub(crate) second: SecondFactor,
    /// An app, or a passkey.
    pub(crate) has_second: bool,
    pub(crate) passkeys: Vec<Passkey>,
    pub(crate) sessions: Vec<Device>,
    /// Sessions besides this one.
    pub(crate) others: bool,
}

/// A session, by the name people know the browser by.
pub(crate) struct Device {
    pub(crate) title: String,
    pub(crate) session: Session,
}

#[derive(Template)]
#[template(path = "totp.html")]
pub(crate) struct TotpPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) e: Entries,
    pub(crate) qr: String,
    /// In groups, to be typed.
    pub(crate) secret: Vec<String>,
    pub(crate) url: String,
}

#[derive(Template)]
#[template(path = "codes.html")]
pub(crate) struct CodesPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) codes: Vec<String>,
    pub(crate) login: String,
}

/// Where everything here leads back to.
const HERE: &str = "/profile/security";

pub(crate) async fn security(visit: Arc<Visit>) -> Outcome {
    show_security(&visit, Entries::default()).await
}

async fn show_security(visit: &Visit, e: Entries) -> Outcome {
    let t = visit.t;
    let (second, passkeys, sessions) =
        tokio::try_join!(visit.call(GetSecondFactor {}), visit.call(ListPasskeys {}), visit.call(ListSessions {}))?;
    let (has_second, passkeys) = (asks_second(&second), passkeys.items);
    let title = if e.failed() { error_title(visit, t.security()) } else { t.security().to_owned() };
    let f = visit.frame(Place::Profile, title).await;
    let others = sessions.items.iter().any(|session| !session.current);
    let sessions = sessions.items.into_iter().map(|session| device(t, session)).collect();
    page_as(e.status(), &SecurityPage { f, t, e, second, has_second, passkeys, sessions, others })
}

/// Whether a sign-in asks for more than the password.
pub(crate) fn asks_second(second: &SecondFactor) -> bool {
    second.totp_since.is_some() || second.passkeys > 0
}

pub(crate) async fn begin_totp(visit: Arc<Visit>) -> Outcome {
    match visit.call(BeginTotp {}).await {
        Ok(setup) => {
            let kept = visit.web.halfway.keep_setup(&visit.me()?.secret, &setup.0);
            let mut response = see_other("/profile/totp");
            set_cookie(&mut response, &session::setup_cookie(&kept));
            Ok(response)
        }
        Err(problem) => refused(&visit, problem).await,
    }
}

pub(crate) async fn totp(visit: Arc<Visit>) -> Outcome {
    match visit.web.halfway.setup(&visit.me()?.secret, visit.setup.as_ref()) {
        Some(setup) => {
            let f = visit.frame(Place::Profile, visit.t.totp_title()).await;
            page(&totp_page(&visit, f, setup, Entries::default())?)
        }
        None => Ok(see_other(HERE)),
    }
}

pub(crate) async fn confirm_totp(visit: Arc<Visit>) -> Outcome {
    let t = visit.t;
    let setup = visit.web.halfway.setup(&visit.me()?.secret, visit.setup.as_ref());
    let Some(setup) = setup else { return Ok(see_other(HERE)) };
    let mut e = Entries::default();
    let code: String = visit.form.get("code").chars().take(64).collect();
    if code.is_empty() {
        e.add("code", t.field_missing());
    } else {
        match visit.call(ConfirmTotp { code }).await {
            Ok(codes) => {
                let mut response = show_codes(&visit, codes.recovery_codes).await?;
                set_cookie(&mut response, &session::no_setup_cookie());
                return Ok(response);
            }
            Err(problem) => e.refuse(t, problem, &[])?,
        }
    }
    let f = visit.frame(Place::Profile, error_title(&visit, t.totp_title())).await;
    page_as(e.status(), &totp_page(&visit, f, setup, e)?)
}

fn totp_page(visit: &Visit, f: Frame, setup: HalfSetup, e: Entries) -> Result<TotpPage, aaa::Problem> {
    let HalfSetup { secret, url } = setup;
    Ok(TotpPage { f, t: visit.t, e, qr: picture(&url)?, secret: in_groups(&secret), url })
}

/// The QR code of what an app is given. It is too large for a cookie, so it is drawn anew.
fn picture(url: &str) -> Result<String, aaa::Problem> {
    let code = QrCode::new(url).map_err(aaa::Problem::internal)?;
    let image = code.render::<svg::Color<'_>>().min_dimensions(240, 240).build();
    let start = image.find("<svg").unwrap_or(0);
    Ok(image.get(start..).unwrap_or_default().to_owned())
}

/// Four letters at a time: so people read them from a screen and type them.
pub(crate) fn in_groups(secret: &str) -> Vec<String> {
    let letters: Vec<char> = secret.chars().collect();
    letters.chunks(4).map(|group| group.iter().collect()).collect()
}

pub(crate) async fn new_codes(visit: Arc<Visit>) -> Outcome {
    match visit.call(MakeRecoveryCodes {}).await {
        Ok(codes) => show_codes(&visit, codes.recovery_codes).await,
        Err(problem) => refused(&visit, problem).await,
    }
}

/// The one time that the codes are seen: the page answers the form itself, so that nothing has to keep them.
pub(crate) async fn show_codes(visit: &Visit, codes: Vec<String>) -> Outcome {
    let f = visit.frame(Place::Profile, visit.t.codes_title()).await;
    let login = visit.me()?.user.login.to_string();
    page(&CodesPage { f, t: visit.t, codes, login })
}

pub(crate) async fn remove_totp(visit: Arc<Visit>) -> Outcome {
    match visit.call(RemoveTotp {}).await {
        Ok(_) => Ok(see_other(&format!("{HERE}?done=totp-off"))),
        Err(problem) => refused(&visit, problem).await,
    }
}

pub(crate) async fn end_session(visit: Arc<Visit>) -> Outcome {
    visit.call(EndSession { id: visit.id()? }).await?;
    Ok(see_other(&format!("{HERE}?done=ended")))
}

pub(crate) async fn end_other_sessions(visit: Arc<Visit>) -> Outcome {
    for session in visit.call(ListSessions {}).await?.items.into_iter().filter(|session| !session.current) {
        match visit.call(EndSession { id: session.id }).await {
            // It ended by itself in between.
            Err(problem) if problem.status() != StatusCode::NOT_FOUND => return Err(problem),
            _ => {}
        }
    }
    Ok(see_other(&format!("{HERE}?done=others-ended")))
}

pub(crate) async fn refused(visit: &Visit, problem: aaa::Problem) -> Outcome {
    let mut e = Entries::default();
    e.refuse(visit.t, problem, &[])?;
    show_security(visit, e).await
}

/// "Firefox on Linux" says more to people than what the browser sends.
pub(crate) fn device(t: T, session: Session) -> Device {
    let agent = session.agent.as_deref().unwrap_or("");
    let find =
        |all: &[(&str, &'static str)]| all.iter().find(|(mark, _)| agent.contains(mark)).map_or("", |(_, name)| *name);
    // In this order: each names those after it as well.
    let browser = find(&[
        ("Edg", "Edge"),
        ("OPR", "Opera"),
        ("Firefox", "Firefox"),
        ("Chrom", "Chrome"),
        ("Safari", "Safari"),
        ("curl", "curl"),
    ]);
    let system = find(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ]);
    let title = match (browser, system) {
        ("", "") => t.unknown_device().to_owned(),
        (one, "") | ("", one) => one.to_owned(),
        (browser, system) => t.browser_on(browser, system),
    };
    Device { title, session }
}
